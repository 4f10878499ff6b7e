import type { FileStats } from "@robust-sync/system/files";
import type { Items } from "@robust-sync/system/items";
import { isFileMode } from "../files/disk-file.ts";
import { peek, readContent } from "../files/on-disk.ts";
import { cleanEntries } from "../index/clean-entries.ts";
import type { TreeChange } from "../objects/diff.ts";
import { blobOid } from "../objects/objects.ts";
import { isArgument } from "../objects/tree-paths.ts";
import { displayPath, type GitPath } from "../paths/git-path.ts";
import { GitError } from "../process/errors.ts";
import type { Oid, Repository } from "../process/repository.ts";
import type { CheckoutOptions } from "./checkout-options.ts";
import type { Sites } from "./sites.ts";
import type { StagedFiles } from "./staged-files.ts";

/** The content of a path on disk, on either side of the checkout. */
export interface Versions {
	readonly before: Buffer | null;
	readonly incoming: Buffer | null;
}

/** Above this number, local parts of files stay only in the backup: each costs a process. */
const maxFilteredMerges = 200;

/** The versions that a checkout expects at its paths. */
export class ExpectedVersions {
	readonly #repository: Repository;
	readonly #options: Pick<CheckoutOptions, "resume" | "mergeFiltered">;
	readonly #sites: Sites;
	/** Whether files on disk may differ from their blobs. */
	filters: boolean;
	/** Paths whose content on disk git cannot store, because a clean filter or an encoding fails: no commit could have it. */
	readonly #unstorable = new Set<GitPath>();

	constructor(repository: Repository, options: Pick<CheckoutOptions, "resume" | "mergeFiltered">, sites: Sites, filters: boolean) {
		this.#repository = repository;
		this.#options = options;
		this.#sites = sites;
		this.filters = filters;
	}

	/**
	 * The old versions in their form on disk. If git considers a file unchanged, because its clean filter gives the old blob, it is the
	 * file itself, independent of the smudge filter's output. The local part of it is merged into the staged file, unless
	 * the result would be stored as something else than the incoming version.
	 */
	async prepare(changes: Items<TreeChange>, staged: StagedFiles): Promise<(string | null)[]> {
		const before = await this.#sites.staging.write(changes, "before", true);
		const expected = Array.from(changes, (_, index) => {
			const file = before.at(index);
			return typeof file === "string" ? file : null;
		});
		const differing = changes.flatMap((change, index) => {
			if (change.before?.mode !== "100644" && change.before?.mode !== "100755") return [];
			const first = this.#options.resume === true ? this.#peekTaken(change.path) : null;
			const smudged = expected[index] ? this.#contentOf(expected[index]) : null;
			return [
				{ change, index, content: first, smudged, isTaken: true },
				{ change, index, content: this.#peekFile(this.#sites.live(change.path)), smudged, isTaken: false },
			].filter(({ content }) => content !== null && !(smudged !== null && content.equals(smudged)));
		});
		const live = differing.filter(({ isTaken }) => !isTaken).map(({ change }) => change.path);
		const clean = await cleanEntries(this.#repository, live, true, new Map(), true);
		let merges = 0;
		for (const { change, index, content: found, smudged, isTaken } of differing) {
			const content = found as Buffer;
			const oid = isTaken ? await this.#cleanOid(change.path, content) : clean.get(change.path)?.oid;
			// Raw content of the commit is no program's write: the commit itself is at fault.
			if (!isTaken && oid === undefined && blobOid(content, this.#repository.objectFormat) !== change.before?.oid)
				this.#unstorable.add(change.path);
			if (oid !== change.before?.oid) continue;
			// It was read before git read it: the content is unchanged.
			if (!isTaken && this.#peekFile(this.#sites.live(change.path))?.equals(content) !== true) continue;
			const file = this.#sites.staging.nextFile();
			this.#repository.files.writeFile(file, content);
			expected[index] = file;
			const incoming = staged.at(index);
			const { mergeFiltered } = this.#options;
			if (!mergeFiltered || smudged === null || typeof incoming !== "string" || change.after?.mode === "120000") continue;
			if (++merges > maxFilteredMerges) continue;
			const merged = await mergeFiltered({ path: change.path, before: smudged, onDisk: content, incoming: this.#contentOf(incoming) });
			if ((await this.#cleanOid(change.path, merged)) === change.after?.oid)
				staged.set(index, await this.#sites.staging.writeOne(merged, change.after?.mode));
		}
		return expected;
	}

	/** With filters, files on disk differ from the blobs: then the versions are those on disk. */
	of(expected: string | null, staged: string | null): Versions | null {
		const { files } = this.#repository;
		const read = (version: string | null) => (version ? readContent(files, version, files.lstat(version)) : null);
		return this.filters ? { before: read(expected), incoming: read(staged) } : null;
	}

	/** Whether the content on disk could not be committed after a swap, so that it must stay. */
	isUnstorable(name: GitPath): boolean {
		return this.#unstorable.has(name);
	}

	isExpected({ before }: TreeChange, content: Buffer, stats: FileStats, versions: Versions | null): boolean {
		return (
			isFileMode(before?.mode) &&
			stats.isSymbolicLink() === (before?.mode === "120000") &&
			(versions ? content.equals(versions.before ?? Buffer.alloc(0)) : blobOid(content, this.#repository.objectFormat) === before?.oid)
		);
	}

	/** The content of a staged file: the incoming version in its form on disk. */
	#contentOf(staged: string): Buffer {
		const { files } = this.#repository;
		return readContent(files, staged, files.lstat(staged)) ?? Buffer.alloc(0);
	}

	#peekTaken(name: GitPath): Buffer | null {
		try {
			return this.#peekFile(this.#sites.of(name).backup.first(name));
		} catch {
			// A file that cannot be kept there was never removed.
			return null;
		}
	}

	#peekFile(file: Buffer): Buffer | null {
		try {
			const found = peek(this.#repository.files, file);
			return found?.stats.isFile() ? found.content : null;
		} catch {
			return null;
		}
	}

	/** The blob that git would store for content at a path; null: its filter fails, or the path cannot be an argument of git. */
	async #cleanOid(name: GitPath, content: Buffer): Promise<Oid | null> {
		if (!isArgument(name)) return null;
		try {
			const { stdout } = await this.#repository.run(["hash-object", `--path=${displayPath(name)}`, "--stdin"], { input: content });
			return stdout.toString("latin1").trim();
		} catch (error) {
			if (error instanceof GitError && error.code !== "GIT_TIMEOUT") return null;
			throw error;
		}
	}
}
