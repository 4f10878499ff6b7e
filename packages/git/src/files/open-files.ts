import fs from "node:fs";
import { lstatIfThere } from "@robust-sync/system/lstat";
import type { Found } from "./on-disk.ts";

// The files that programs have open, from proc(5). Only root sees processes of other users; without /proc none is seen.

const sqliteMagic = Buffer.from("SQLite format 3\0");

function list(directory: string): string[] {
	try {
		return fs.readdirSync(directory);
	} catch {
		return [];
	}
}

function targetOf(link: string): string | null {
	try {
		return fs.readlinkSync(link, "latin1");
	} catch {
		return null;
	}
}

function statOf(link: string): fs.Stats | null {
	try {
		return fs.statSync(link);
	} catch {
		return null;
	}
}

/** The descriptors of all processes that lead to a file by a path: the link in /proc, and where it leads, one character a byte. */
function* openPaths(): Generator<{ readonly link: string; readonly target: string }> {
	for (const id of list("/proc")) {
		if (!/^\d+$/.test(id)) continue;
		for (const descriptor of list(`/proc/${id}/fd`)) {
			const link = `/proc/${id}/fd/${descriptor}`;
			const target = targetOf(link);
			if (target?.startsWith("/")) yield { link, target };
		}
	}
}

/** The files below some directories that processes have open, relative to the directory, one character a byte. */
export function openFilesBelow(directories: readonly (string | Buffer)[]): string[] {
	const above = directories.flatMap((directory) => {
		try {
			return [`${fs.realpathSync.native(directory, "latin1")}/`];
		} catch {
			return [];
		}
	});
	const found = new Set<string>();
	if (above.length === 0) return [];
	for (const { target } of openPaths()) {
		const directory = above.find((start) => target.startsWith(start));
		if (directory !== undefined) found.add(target.slice(directory.length));
	}
	return [...found];
}

/** SQLite databases that programs have open, as of one moment or another within a second. */
export class OpenDatabases {
	#open: ReadonlySet<string> = new Set();
	#askedAt = Number.NEGATIVE_INFINITY;

	/** Whether a file is a database that a program has open, or that has unfinished work beside it (`-wal`, `-journal`). */
	isOpen(file: Buffer, { content, stats }: Found): boolean {
		if (!stats.isFile() || !content.subarray(0, sqliteMagic.length).equals(sqliteMagic)) return false;
		try {
			if (["-wal", "-journal"].some((suffix) => lstatIfThere(Buffer.concat([file, Buffer.from(suffix)])) !== null)) return true;
		} catch {
			// The name is too long to have anything beside it.
		}
		return this.#openNow().has(`${stats.dev} ${stats.ino}`);
	}

	#openNow(): ReadonlySet<string> {
		if (performance.now() - this.#askedAt < 1_000) return this.#open;
		const found = new Set<string>();
		for (const { link } of openPaths()) {
			const stats = statOf(link);
			if (stats?.isFile()) found.add(`${stats.dev} ${stats.ino}`);
		}
		this.#open = found;
		this.#askedAt = performance.now();
		return found;
	}
}
