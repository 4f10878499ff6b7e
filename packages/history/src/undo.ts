import {
	changesWithRenames,
	diffWithRenames,
	directoriesAbove,
	type FileChange,
	type GitPath,
	isFileMode,
	type Oid,
	openMergeStore,
	type RenamedChange,
	type Repository,
	readableVersions,
	readObjectsWhole,
	readTreeWhole,
	type TreeEntry,
	topOf,
	withObjectReader,
} from "@robust-sync/git";
import { type AttributeKind, mergeContents } from "@robust-sync/merge";
import { kindAttributes } from "@robust-sync/resolve";
import { isOwnName } from "@robust-sync/workspace";
import { isSelected } from "./selected-paths.ts";
import { isMessage } from "./trailers.ts";

/** A path's entry in the new tree. */
type Current = TreeEntry | { readonly mode: string; readonly content: Uint8Array };

/** A path that stays as it is. */
export interface LeftPath {
	readonly path: GitPath;
	readonly commit: Oid;
	/** `later-work`: undoing it would remove later work; `part`: only a part of it was undone. */
	readonly reason: "later-work" | "part";
}

export interface UndoPlan {
	/** For the tree of `head`, in the order in which they are applied. */
	readonly changes: readonly FileChange[];
	readonly left: readonly LeftPath[];
	/** Commits that were undone, wholly or in part. */
	readonly undone: readonly Oid[];
}

export interface UndoQuestion {
	readonly head: Oid;
	/** Newest first; no merges. */
	readonly commits: readonly { readonly commit: Oid; readonly parents: readonly Oid[] }[];
	/** Only these files and directories; none: all but messages. */
	readonly paths?: readonly GitPath[];
}

const isSame = (a: Current | null, b: TreeEntry | null) =>
	a === null || b === null ? a === b : "oid" in a && a.oid === b.oid && a.mode === b.mode;
const isText = (entry: { readonly mode: string } | null) => entry !== null && isFileMode(entry.mode) && entry.mode !== "120000";

/** The new tree: HEAD's, with the changes undone so far. */
class Working {
	readonly #tree: Map<GitPath, TreeEntry>;
	readonly #changed = new Map<GitPath, Current | null>();
	/** How many files there are below each directory. */
	readonly #below = new Map<GitPath, number>();

	constructor(tree: Map<GitPath, TreeEntry>) {
		this.#tree = tree;
		for (const name of tree.keys()) this.#count(name, 1);
	}

	#count(name: GitPath, by: number): void {
		for (const above of directoriesAbove(name)) this.#below.set(above, (this.#below.get(above) ?? 0) + by);
	}

	at(name: GitPath): Current | null {
		const changed = this.#changed.get(name);
		return changed === undefined ? (this.#tree.get(name) ?? null) : changed;
	}

	set(name: GitPath, entry: Current | null): void {
		this.#count(name, Number(entry !== null) - Number(this.at(name) !== null));
		this.#changed.set(name, entry);
	}

	/** Whether a file could be at a path: no path above it is a file, and it is no directory. */
	isFree(name: GitPath): boolean {
		return (this.#below.get(name) ?? 0) === 0 && directoriesAbove(name).every((above) => this.at(above) === null);
	}

	/** Deletions first: a file can only become a directory once it is gone. */
	changes(): FileChange[] {
		const differing = [...this.#changed].filter(([name, entry]) => !isSame(entry, this.#tree.get(name) ?? null));
		return [
			...differing.flatMap(([path, entry]): FileChange[] => (entry === null ? [{ path, delete: true }] : [])),
			...differing.flatMap(([path, entry]): FileChange[] => (entry === null ? [] : [{ path, ...entry }])),
		];
	}
}

/**
 * Undoes commits, newest first. Each file is merged by its kind: the commit's version is the base, the version before it and the present
 * one are the sides. Later work stays: a change that cannot be undone without it is left, and listed.
 * @throws GitError
 */
export async function planUndo(repository: Repository, { head, commits, paths = [] }: UndoQuestion): Promise<UndoPlan> {
	const store = openMergeStore(repository);
	const working = new Working(await readTreeWhole(repository, head));
	const left: LeftPath[] = [];
	const undone: Oid[] = [];
	for (const { commit, parents } of commits) {
		const [before, after] = await readableVersions(repository, [parents[0] ?? repository.emptyTree, commit] as const, isOwnName);
		const made = (await diffWithRenames(store, before, after)).filter(
			({ from, to }) => !isOwnName(topOf(to)) && (paths.length === 0 ? !isMessage(to) : isSelected(to, paths) || isSelected(from, paths)),
		);
		if (made.length === 0) continue;
		const undo = new CommitUndo(repository, store, working, after, head);
		await undo.prepare(made);
		let isDone = false;
		for (const one of made) {
			const outcome = undo.takeBack(one);
			if (outcome === "later-work" || outcome === "part") left.push({ path: one.to, commit, reason: outcome });
			isDone ||= outcome === "done" || outcome === "part";
		}
		if (isDone) undone.push(commit);
	}
	return { changes: working.changes(), left, undone };
}

type Outcome = "done" | "part" | "nothing" | "later-work";

class CommitUndo {
	readonly #repository: Repository;
	readonly #store: Repository;
	readonly #working: Working;
	readonly #commit: Oid;
	readonly #head: Oid;
	/** The present name of each file, by its name in the commit. */
	#names = new Map<GitPath, GitPath>();
	#contents = new Map<Oid, Buffer>();
	#attributes = new Map<GitPath, AttributeKind>();

	constructor(repository: Repository, store: Repository, working: Working, commit: Oid, head: Oid) {
		this.#repository = repository;
		this.#store = store;
		this.#working = working;
		this.#commit = commit;
		this.#head = head;
	}

	/** Reads all blobs and attributes that the merges need. */
	async prepare(made: readonly RenamedChange[]): Promise<void> {
		const touched = made.filter(({ to, after }) => after !== null && !isSame(this.#working.at(to), after));
		if (touched.length === 0) return;
		if (touched.some(({ to }) => this.#working.at(to) === null)) {
			const { renames } = await changesWithRenames(this.#store, this.#commit, this.#head);
			for (const [now, { from }] of renames) this.#names.set(from, now);
		}
		const oids = touched.flatMap(({ to, before, after }) => {
			const current = this.#working.at(this.#names.get(to) ?? to);
			const entries = [before, after, current !== null && "oid" in current ? current : null];
			return entries.every((entry, index) => isText(entry) || (index === 2 && current !== null))
				? entries.flatMap((entry) => (entry ? [entry.oid] : []))
				: [];
		});
		this.#contents = await readObjectsWhole(this.#repository, oids);
		const names = touched.map(({ to }) => this.#names.get(to) ?? to);
		this.#attributes = await withObjectReader(this.#store, (reader) => kindAttributes(this.#store, reader, this.#head, new Map(), names));
	}

	takeBack({ from, to, before, after }: RenamedChange): Outcome {
		const at = this.#working.at(to) === null ? (this.#names.get(to) ?? to) : to;
		const current = this.#working.at(at);
		// A file that was renamed later keeps its later name.
		const target = at === to ? from : at;
		if (isSame(current, after)) {
			// A later commit renamed the file, so the new name is in use.
			if (before === null && at !== to) return "later-work";
			if (before === null) this.#working.set(at, null);
			else {
				if (target !== at && (this.#working.at(target) !== null || !this.#isFreeBut(target, at))) return "later-work";
				if (target === at && current === null && !this.#working.isFree(target)) return "later-work";
				if (target !== at) this.#working.set(at, null);
				this.#working.set(target, before);
			}
			return "done";
		}
		if (isSame(current, before) && target === at) return "nothing";
		// A later change removed or replaced the file, or wrote to one that is to be removed.
		if (current === null || before === null || after === null) return before === null && current === null ? "nothing" : "later-work";
		if (!isText(current) || !isText(before) || !isText(after)) return "later-work";
		if (target !== at && (this.#working.at(target) !== null || !this.#isFreeBut(target, at))) return "later-work";
		return this.#merge(at, target, before, after, current);
	}

	/** Whether a file can be at `target` once the file at `at` is gone. */
	#isFreeBut(target: GitPath, at: GitPath): boolean {
		const there = this.#working.at(at);
		this.#working.set(at, null);
		const isFree = this.#working.isFree(target);
		this.#working.set(at, there);
		return isFree;
	}

	#merge(at: GitPath, target: GitPath, before: TreeEntry, after: TreeEntry, current: Current): Outcome {
		const base = this.#contents.get(after.oid);
		const b = this.#contents.get(before.oid);
		const a = "content" in current ? current.content : this.#contents.get(current.oid);
		if (!base || !b || !a) return "later-work";
		const { content, lost } = mergeContents({ path: target, base, a, b, later: "a", attribute: this.#attributes.get(at) });
		if (lost.a) return "later-work";
		const mode = current.mode === after.mode ? before.mode : current.mode;
		const isUnchanged = mode === current.mode && target === at && Buffer.from(content).equals(a);
		if (isUnchanged) return lost.b ? "later-work" : "nothing";
		if (target !== at) this.#working.set(at, null);
		this.#working.set(target, { mode, content });
		return lost.b ? "part" : "done";
	}
}
