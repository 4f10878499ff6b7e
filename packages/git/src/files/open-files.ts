import { type FileStats, type Files, O_NOFOLLOW, O_RDONLY } from "@robust-sync/system/files";
import type { Found } from "./on-disk.ts";

// The files that programs have open, from proc(5). Only root sees processes of other users; without /proc none is seen.

/** The first bytes of an SQLite database (fileformat2.html). */
export const sqliteMagic = Buffer.from("SQLite format 3\0");

function list(files: Files, directory: string): string[] {
	try {
		return files.readdir(directory).map(String);
	} catch {
		return [];
	}
}

function targetOf(files: Files, link: string): string | null {
	try {
		return files.readlink(link).toString("latin1");
	} catch {
		return null;
	}
}

function statOf(files: Files, link: string): FileStats | null {
	try {
		return files.stat(link);
	} catch {
		return null;
	}
}

/** The descriptors of all processes that lead to a file by a path: the link in /proc, and where it leads, one character a byte. */
function* openPaths(files: Files): Generator<{ readonly link: string; readonly target: string }> {
	for (const id of list(files, "/proc")) {
		if (!/^\d+$/.test(id)) continue;
		for (const descriptor of list(files, `/proc/${id}/fd`)) {
			const link = `/proc/${id}/fd/${descriptor}`;
			const target = targetOf(files, link);
			if (target?.startsWith("/")) yield { link, target };
		}
	}
}

/** The files below some directories that processes have open, relative to the directory, one character a byte. */
export function openFilesBelow(files: Files, directories: readonly (string | Buffer)[]): string[] {
	const above = directories.flatMap((directory) => {
		try {
			return [`${files.realpath(directory).toString("latin1")}/`];
		} catch {
			return [];
		}
	});
	const found = new Set<string>();
	if (above.length === 0) return [];
	for (const { target } of openPaths(files)) {
		const directory = above.find((start) => target.startsWith(start));
		if (directory !== undefined) found.add(target.slice(directory.length));
	}
	return [...found];
}

const beside = (file: Buffer, suffix: string) => Buffer.concat([file, Buffer.from(suffix)]);

/** A rollback journal without this at its start was brought to an end: `journal_mode=persist` leaves it there (fileformat2.html, section 3). */
export const journalMagic = Buffer.from("d9d505f920a163d7", "hex");

/** Whether a rollback journal is one of unfinished work. */
export function isHot(files: Files, journal: Buffer): boolean {
	const stats = files.lstatIfThere(journal);
	if (stats === null) return false;
	try {
		return !stats.isFile() || firstBytes(files, journal, journalMagic.length).equals(journalMagic);
	} catch {
		return true;
	}
}

function firstBytes(files: Files, file: Buffer, count: number): Buffer {
	const descriptor = files.open(file, O_RDONLY | O_NOFOLLOW);
	try {
		const content = Buffer.alloc(count);
		return content.subarray(0, files.read(descriptor, content));
	} finally {
		files.close(descriptor);
	}
}

/** Whether a file is an SQLite database that a program has open right now. @throws the file system's error, but not where there is no file */
export function isDatabaseOpen(files: Files, file: Buffer): boolean {
	const stats = files.lstatIfThere(file);
	if (stats === null || !stats.isFile()) return false;
	return new OpenDatabases(files).isOpen(file, { content: firstBytes(files, file, sqliteMagic.length), stats });
}

/** SQLite databases that programs have open, as of one moment or another within a second. */
export class OpenDatabases {
	readonly #files: Files;
	#open: ReadonlySet<string> = new Set();
	#askedAt = Number.NEGATIVE_INFINITY;

	constructor(files: Files) {
		this.#files = files;
	}

	/** Whether a file is a database that a program has open, or that has unfinished work beside it (`-wal`, a hot `-journal`). */
	isOpen(file: Buffer, { content, stats }: Found): boolean {
		if (!stats.isFile() || !content.subarray(0, sqliteMagic.length).equals(sqliteMagic)) return false;
		try {
			if (this.#files.lstatIfThere(beside(file, "-wal")) !== null || isHot(this.#files, beside(file, "-journal"))) return true;
		} catch {
			// The name is too long to have anything beside it.
		}
		return this.#openNow().has(`${stats.dev} ${stats.ino}`);
	}

	#openNow(): ReadonlySet<string> {
		if (performance.now() - this.#askedAt < 1_000) return this.#open;
		const found = new Set<string>();
		for (const { link } of openPaths(this.#files)) {
			const stats = statOf(this.#files, link);
			if (stats?.isFile()) found.add(`${stats.dev} ${stats.ino}`);
		}
		this.#open = found;
		this.#askedAt = performance.now();
		return found;
	}
}
