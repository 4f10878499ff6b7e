import fs from "node:fs";
import { isFileMode } from "../files/disk-file.ts";
import { peek, readContent } from "../files/on-disk.ts";
import { cleanEntries } from "../index/clean-entries.ts";
import type { TreeChange } from "../objects/diff.ts";
import { blobOid } from "../objects/objects.ts";
import { isArgument } from "../objects/tree-paths.ts";
import { displayPath, type GitPath } from "../paths/git-path.ts";
import { GitError } from "../process/errors.ts";
import type { Oid, Repository } from "../process/repository.ts";
import type { Sites } from "./sites.ts";
import type { StagedFiles } from "./staged-files.ts";

/** A file that git calls unchanged although its content is not that of the commit, because a filter keeps something local in it. */
export interface FilteredFile {
	readonly path: GitPath;
	readonly before: Buffer;
	readonly onDisk: Buffer;
	readonly incoming: Buffer;
}

/** The content of a path on disk, on either side of the checkout. */
export interface Versions {
	readonly before: Buffer | null;
	readonly incoming: Buffer | null;
}

/** For more files than this, what a filter keeps local in them is only kept in the backup: each costs a process. */
const maxFilteredMerges = 200;

/** The content of a staged file: the incoming version as it will be on disk. */
export const contentOf = (staged: string) => readContent(staged, fs.lstatSync(staged)) ?? Buffer.alloc(0);

/** What a checkout expects to find at its paths. */
export class ExpectedVersions {
	readonly #repository: Repository;
	readonly #options: { readonly resume?: boolean; mergeFiltered?(file: FilteredFile): Promise<Buffer> };
	readonly #sites: Sites;
	/** Whether files on disk may differ from their blobs. */
	filters: boolean;

	constructor(
		repository: Repository,
		options: { readonly resume?: boolean; mergeFiltered?(file: FilteredFile): Promise<Buffer> },
		sites: Sites,
		filters: boolean,
	) {
		this.#repository = repository;
		this.#options = options;
		this.#sites = sites;
		this.filters = filters;
	}

	/**
	 * What the old versions look like on disk. Where git calls a file unchanged, because its clean filter gives the old blob, it is the
	 * file itself, whatever the smudge filter would give. What a filter keeps local in it is merged into the staged file, unless that
	 * would be stored as something else than what comes in.
	 */
	async prepare(changes: readonly TreeChange[], staged: StagedFiles): Promise<(string | null)[]> {
		const before = await this.#sites.staging.write(changes, "before", true);
		const expected = Array.from(changes, (_, index) => {
			const file = before.at(index);
			return typeof file === "string" ? file : null;
		});
		const differing = changes.flatMap((change, index) => {
			if (change.before?.mode !== "100644" && change.before?.mode !== "100755") return [];
			const first = this.#options.resume === true ? this.#peekTaken(change.path) : null;
			const smudged = expected[index] ? contentOf(expected[index]) : null;
			return [
				{ change, index, content: first, smudged, isTaken: true },
				{ change, index, content: this.#peekFile(this.#sites.live(change.path)), smudged, isTaken: false },
			].filter(({ content }) => content !== null && !(smudged !== null && content.equals(smudged)));
		});
		const live = differing.filter(({ isTaken }) => !isTaken).map(({ change }) => change.path);
		const clean = await cleanEntries(this.#repository, live, true);
		let merges = 0;
		for (const { change, index, content: found, smudged, isTaken } of differing) {
			const content = found as Buffer;
			const oid = isTaken ? await this.#cleanOid(change.path, content) : clean.get(change.path)?.oid;
			if (oid !== change.before?.oid) continue;
			// It was read before git read it: it is the same still.
			if (!isTaken && this.#peekFile(this.#sites.live(change.path))?.equals(content) !== true) continue;
			const file = this.#sites.staging.nextFile();
			fs.writeFileSync(file, content);
			expected[index] = file;
			const incoming = staged.at(index);
			const { mergeFiltered } = this.#options;
			if (!mergeFiltered || smudged === null || typeof incoming !== "string" || change.after?.mode === "120000") continue;
			if (++merges > maxFilteredMerges) continue;
			const merged = await mergeFiltered({ path: change.path, before: smudged, onDisk: content, incoming: contentOf(incoming) });
			if ((await this.#cleanOid(change.path, merged)) === change.after?.oid)
				staged.set(index, await this.#sites.staging.writeOne(merged, change.after?.mode));
		}
		return expected;
	}

	/** Filters make what lies on disk differ from the blobs: then the versions are what they look like on disk. */
	of(expected: string | null, staged: string | null): Versions | null {
		const read = (version: string | null) => (version ? readContent(version, fs.lstatSync(version)) : null);
		return this.filters ? { before: read(expected), incoming: read(staged) } : null;
	}

	isExpected({ before }: TreeChange, content: Buffer, stats: fs.Stats, versions: Versions | null): boolean {
		return (
			isFileMode(before?.mode) &&
			stats.isSymbolicLink() === (before?.mode === "120000") &&
			(versions ? content.equals(versions.before ?? Buffer.alloc(0)) : blobOid(content, this.#repository.objectFormat) === before?.oid)
		);
	}

	#peekTaken(name: GitPath): Buffer | null {
		try {
			return this.#peekFile(this.#sites.of(name).backup.first(name));
		} catch {
			// What cannot be kept there was never taken away.
			return null;
		}
	}

	#peekFile(file: Buffer): Buffer | null {
		try {
			const found = peek(file);
			return found?.stats.isFile() ? found.content : null;
		} catch {
			return null;
		}
	}

	/** What git would store for content at a path; null: its filter fails, or git cannot be told the path. */
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
