import { deleteRef, type GitPath, type Oid, readHead, readTreeFiles, updateRef, writeIndexEntries } from "@robust-sync/git";
import { compactTimestamp } from "@robust-sync/system/timestamps";
import type { CycleContext } from "../context/cycle-context.ts";
import { syncedBranch } from "./upstream.ts";

/** Replaced commits stay reachable under these names, which are never pushed. */
export const replacedRefs = "refs/robust-sync/refused/";
const keptMs = 30 * 24 * 3_600_000;

/** The branch while its unpublished commits are rewritten. The replaced ones stay reachable for 30 days. */
export class RewrittenHead {
	#at: Oid;
	#kept: string | null = null;
	readonly #context: CycleContext;
	readonly #original: Oid;
	readonly #content: string;

	/** @param head the commit that the branch is at @param content what the new commits leave out, in words */
	constructor(context: CycleContext, head: Oid, content: string) {
		this.#context = context;
		this.#at = head;
		this.#original = head;
		this.#content = content;
	}

	/** The commit that the branch is at. */
	get at(): Oid {
		return this.#at;
	}

	/**
	 * Moves the branch. If the tree differs, the index entries of some paths follow.
	 * @param whenKept called when the replaced commits have a name, before the branch moves
	 * @throws GitError, also if the branch was moved meanwhile; LockLostError
	 */
	async moveTo(newHead: Oid, names: readonly GitPath[] = [], whenKept: () => void = () => {}): Promise<void> {
		const { repository, memory, lock, now } = this.#context;
		lock.assertHeld();
		if (this.#kept === null) {
			this.#kept = `${replacedRefs}${compactTimestamp(now())}`;
			await updateRef(repository, this.#kept, this.#original, null, `robust-sync: keep ${this.#content}`);
		}
		whenKept();
		await this.#set(newHead);
		memory.dirty.invalidate();
		if (names.length === 0) return;
		const entries = await readTreeFiles(repository, newHead, names);
		await writeIndexEntries(
			repository,
			names.map((name) => ({ path: name, entry: entries.get(name) ?? null })),
		);
	}

	/** Moves the branch back to the original commits, which have the same tree: nothing of the rewritten ones was published. */
	async restore(): Promise<void> {
		if (this.#at === this.#original || this.#kept === null) return;
		this.#context.lock.assertHeld();
		await this.#set(this.#original);
		await deleteRef(this.#context.repository, this.#kept, this.#original);
		this.#kept = null;
	}

	async #set(commit: Oid): Promise<void> {
		const ref = `refs/heads/${syncedBranch(this.#context)}`;
		if (commit !== this.#at) await updateRef(this.#context.repository, ref, commit, this.#at, `robust-sync: leave out ${this.#content}`);
		this.#at = commit;
	}
}

/** Removes names of replaced commits after 30 days, and at once where HEAD contains the commit: it is not replaced then. @throws GitError */
export async function pruneReplaced({ repository, now }: CycleContext): Promise<void> {
	const list = async (...options: string[]) =>
		(await repository.run(["for-each-ref", "--format=%(refname)", ...options, replacedRefs])).stdout
			.toString("utf8")
			.split("\n")
			.filter(Boolean);
	const refs = await list();
	if (refs.length === 0) return;
	const contained = new Set((await readHead(repository)).oid === null ? [] : await list("--merged=HEAD"));
	const oldest = compactTimestamp(now() - keptMs);
	for (const ref of refs)
		if (contained.has(ref) || ref.slice(replacedRefs.length) < oldest) await repository.run(["update-ref", "-d", ref]);
}
