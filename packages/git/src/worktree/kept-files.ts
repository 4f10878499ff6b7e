import fs from "node:fs";
import { blobOid } from "../objects/objects.ts";
import type { GitPath } from "../paths/git-path.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { type BackupDirectory, timeErrorMs } from "./backup-directory.ts";
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
	/** Whether `after` is in the commit that was moved to; else it is an uncommitted change. */
	readonly committed: boolean;
	/** As it was when it was taken away; later writes show by these. */
	readonly size: number;
	readonly mtimeMs: number;
	/** The file that has `after`, to be asked whether it was read. Null: unknown. */
	readonly placed: PlacedVersion | null;
}

/** The same while it is still being found out. */
export type KeptNote = { -readonly [K in keyof KeptFile]: KeptFile[K] };

/** What lay at a path for a moment, before something newer or older got its place back. */
interface Exposure {
	readonly note: KeptNote;
	readonly content: Buffer;
	/** Whether we made it; else someone wrote it, who did not make it from itself. */
	readonly isOurs: boolean;
	/** When it was written, in milliseconds since the epoch, by the file's own time. */
	readonly at: number;
}

/** A write is made from one of the newest versions that could be read; each costs a comparison. */
const maxExposed = 20;

/** What is known of the files in a backup directory: what each was, what took its place, and what could be read for a moment. */
export class KeptFiles {
	readonly #siteOf: (name: GitPath) => { readonly top: GitPath | null; readonly backup: BackupDirectory };
	readonly #objectFormat: Repository["objectFormat"];
	readonly #notes: KeptNote[] = [];
	readonly #notesOf = new Map<GitPath, KeptNote[]>();
	/** Newest first. */
	readonly #exposures = new Map<GitPath, Exposure[]>();
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
		{ committed = false, stats = fs.lstatSync(file) }: { readonly committed?: boolean; readonly stats?: fs.Stats } = {},
	): KeptNote {
		const { size, mtimeMs } = stats;
		const { top, backup } = this.#siteOf(name);
		const place = { file: backup.pathBelow(file), ...(top === null ? {} : { mount: top }) };
		const note: KeptNote = { path: name, ...place, before, after, committed, size, mtimeMs, placed: null };
		this.#notes.push(note);
		this.#notesOf.set(name, [...(this.#notesOf.get(name) ?? []), note]);
		return note;
	}

	/**
	 * A program may have read `content` at the path, and writes back what it makes from it: that is merged with this as base. One that
	 * opened `file` there goes on writing into it: it is kept.
	 */
	expose(name: GitPath, file: Buffer, content: Buffer, isOurs: boolean): void {
		const note = this.note(name, file, this.idOf(content), null);
		const at = note.mtimeMs;
		// It is looked at once, whatever was written into it by now.
		note.size = content.length;
		note.mtimeMs = 0;
		this.#exposures.set(name, [{ note, content, isOurs, at }, ...(this.#exposures.get(name) ?? [])]);
	}

	/**
	 * What `written` may have been made from, besides what is known to have been there: nothing that is newer.
	 * @param writtenAt milliseconds since the epoch; null: just now
	 */
	exposedTo(name: GitPath, written: Buffer, writtenAt: number | null = null): Buffer[] {
		const exposures = this.#exposures.get(name) ?? [];
		return exposures
			.filter(({ content, isOurs, at }) => (writtenAt === null || at <= writtenAt + timeErrorMs) && (isOurs || !content.equals(written)))
			.slice(0, maxExposed)
			.map(({ content }) => content);
	}

	/** What we had put there for a moment, oldest first. */
	exposedByUs(name: GitPath): Buffer[] {
		return (this.#exposures.get(name) ?? []).flatMap(({ content, isOurs }) => (isOurs ? [content] : [])).reverse();
	}

	/** A file with the content `after` was put at the path. */
	placedAs(name: GitPath, after: Oid | null, placed: PlacedVersion | null): void {
		for (const note of this.#notesOf.get(name) ?? []) if (note.after === after) note.placed = placed;
	}

	/** `content` is what took the place of all of these, and of what was exposed, in the end. */
	noteAfter(name: GitPath, content: Buffer, notes: readonly KeptNote[], placed: PlacedVersion | null = null): void {
		const after = this.idOf(content);
		for (const note of notes) note.after = after;
		for (const { note } of this.#exposures.get(name) ?? []) note.after = after;
		if (placed) this.placedAs(name, after, placed);
	}
}
