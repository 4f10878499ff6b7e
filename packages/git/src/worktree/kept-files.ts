import type { FileStats, Files } from "@robust-sync/system/files";
import { blobOid } from "../objects/objects.ts";
import type { GitPath } from "../paths/git-path.ts";
import type { Oid, Repository } from "../process/repository.ts";
import type { BackupDirectory } from "./backup-directory.ts";
import type { PlacedVersion } from "./placed-versions.ts";

/** A replaced file that is kept. */
export interface KeptFile {
	readonly path: GitPath;
	/** Below the backup directory. */
	readonly file: GitPath;
	/** The top directory of the file system below the workspace that keeps it (mount-store.ts); absent: the workspace's own. */
	readonly mount?: GitPath;
	readonly before: Oid;
	/** null: deleted by the checkout. */
	readonly after: Oid | null;
	/** Its state when it was removed; it reveals later writes. */
	readonly size: number;
	readonly mtimeMs: number;
	/** The file with `after`, for the check whether it was read. Null: unknown. */
	readonly placed: PlacedVersion | null;
}

/** The same while it is being computed. */
export type KeptNote = { -readonly [K in keyof KeptFile]: KeptFile[K] };

/** The records of the files in a backup directory: each file, and its replacement. */
export class KeptFiles {
	readonly #files: Files;
	readonly #siteOf: (name: GitPath) => { readonly top: GitPath | null; readonly backup: BackupDirectory };
	readonly #objectFormat: Repository["objectFormat"];
	readonly #notes: KeptNote[] = [];
	readonly #notesOf = new Map<GitPath, KeptNote[]>();
	readonly #toStore: Buffer[] = [];

	/** @param siteOf the site that keeps a path's files */
	constructor(
		files: Files,
		siteOf: (name: GitPath) => { readonly top: GitPath | null; readonly backup: BackupDirectory },
		objectFormat: Repository["objectFormat"],
	) {
		this.#files = files;
		this.#siteOf = siteOf;
		this.#objectFormat = objectFormat;
	}

	get all(): readonly KeptFile[] {
		return this.#notes;
	}

	/** Contents in records that may not be stored yet: later merges need them. */
	get toStore(): readonly Buffer[] {
		return this.#toStore;
	}

	/** The id of content on disk, which is to be stored. */
	idOf(content: Buffer): Oid {
		this.#toStore.push(content);
		return blobOid(content, this.#objectFormat);
	}

	/** Whether a file of a path is recorded. */
	has(name: GitPath, file: Buffer): boolean {
		const { backup } = this.#siteOf(name);
		return this.#notesOf.get(name)?.some((note) => note.file === backup.pathBelow(file)) === true;
	}

	/** Records a kept file in its present state; size and time will reveal later writes. @param stats of the file, if known */
	note(
		name: GitPath,
		file: Buffer,
		before: Oid,
		after: Oid | null,
		{ stats = this.#files.lstat(file) }: { readonly stats?: Pick<FileStats, "size" | "mtimeMs"> } = {},
	): KeptNote {
		const { size, mtimeMs } = stats;
		const { top, backup } = this.#siteOf(name);
		const place = { file: backup.pathBelow(file), ...(top === null ? {} : { mount: top }) };
		const note: KeptNote = { path: name, ...place, before, after, size, mtimeMs, placed: null };
		this.#notes.push(note);
		this.#notesOf.set(name, [...(this.#notesOf.get(name) ?? []), note]);
		return note;
	}

	/** Records that a file with the content `after` was placed at the path. */
	placedAs(name: GitPath, after: Oid | null, placed: PlacedVersion | null): void {
		for (const note of this.#notesOf.get(name) ?? []) if (note.after === after) note.placed = placed;
	}
}
