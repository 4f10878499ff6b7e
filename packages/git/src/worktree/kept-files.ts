import fs from "node:fs";
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
	/** Of the file system below the workspace on which it is kept (mount-store.ts), the directory at its top; not given: the workspace's own. */
	readonly mount?: GitPath;
	readonly before: Oid;
	/** null: deleted by the move. */
	readonly after: Oid | null;
	/** As it was when it was taken away; later writes show by these. */
	readonly size: number;
	readonly mtimeMs: number;
	/** The file that has `after`, to be asked whether it was read. Null: unknown. */
	readonly placed: PlacedVersion | null;
}

/** The same while it is still being found out. */
export type KeptNote = { -readonly [K in keyof KeptFile]: KeptFile[K] };

/** What is known of the files in a backup directory: what each was, and what took its place. */
export class KeptFiles {
	readonly #siteOf: (name: GitPath) => { readonly top: GitPath | null; readonly backup: BackupDirectory };
	readonly #objectFormat: Repository["objectFormat"];
	readonly #notes: KeptNote[] = [];
	readonly #notesOf = new Map<GitPath, KeptNote[]>();
	readonly #toStore: Buffer[] = [];

	/** @param siteOf where a path's files are kept */
	constructor(
		siteOf: (name: GitPath) => { readonly top: GitPath | null; readonly backup: BackupDirectory },
		objectFormat: Repository["objectFormat"],
	) {
		this.#siteOf = siteOf;
		this.#objectFormat = objectFormat;
	}

	get all(): readonly KeptFile[] {
		return this.#notes;
	}

	/** Contents that notes name and that may not be stored yet: later merges need them. */
	get toStore(): readonly Buffer[] {
		return this.#toStore;
	}

	/** The id of content as it lies on disk, which is to be stored. */
	idOf(content: Buffer): Oid {
		this.#toStore.push(content);
		return blobOid(content, this.#objectFormat);
	}

	/** Records a kept file as it is now; its size and time will show later writes. @param stats of the file, if known */
	note(
		name: GitPath,
		file: Buffer,
		before: Oid,
		after: Oid | null,
		{ stats = fs.lstatSync(file) }: { readonly stats?: fs.Stats } = {},
	): KeptNote {
		const { size, mtimeMs } = stats;
		const { top, backup } = this.#siteOf(name);
		const place = { file: backup.pathBelow(file), ...(top === null ? {} : { mount: top }) };
		const note: KeptNote = { path: name, ...place, before, after, size, mtimeMs, placed: null };
		this.#notes.push(note);
		this.#notesOf.set(name, [...(this.#notesOf.get(name) ?? []), note]);
		return note;
	}

	/** A file with the content `after` was put at the path. */
	placedAs(name: GitPath, after: Oid | null, placed: PlacedVersion | null): void {
		for (const note of this.#notesOf.get(name) ?? []) if (note.after === after) note.placed = placed;
	}
}
