import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, realpathSync } from "node:fs";
import path from "node:path";
import { parseCompactTimestamp } from "@robust-sync/system/timestamps";
import type { WorkspacePaths } from "@robust-sync/workspace";

/** The content of a saved file. */
export interface SavedFile {
	readonly content: Buffer;
	/** Its whole size; `content` is shorter if that exceeds the requested size. */
	readonly size: number;
}

/**
 * Reads `name` (with `/`, such as `files/notes.md.ours`) of the saved directory `saved`. Only regular files that really
 * lie below `sync/conflicts/` are read: any other name, a symbolic link in the path, a device, gives null.
 */
export function readSavedFile(paths: WorkspacePaths, saved: string, name: string, maxBytes: number): SavedFile | null {
	const segments = name.split("/");
	if (parseCompactTimestamp(saved) === null) return null;
	if (segments.some((segment) => segment === "" || segment === "." || segment === ".." || segment.includes("\0"))) return null;
	let fd: number;
	let expected: string;
	try {
		expected = path.join(realpathSync(paths.conflicts), saved, ...segments);
		// O_NONBLOCK: opening a named pipe must not wait for its other end.
		fd = openSync(expected, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
	} catch {
		return null;
	}
	try {
		const stats = fstatSync(fd);
		// The kernel's path of the opened file (proc(5)) reveals a symbolic link, even one that was made just now.
		if (!stats.isFile() || readlinkSync(`/proc/self/fd/${fd}`) !== expected) return null;
		const content = Buffer.alloc(Math.min(stats.size, maxBytes));
		let length = 0;
		while (length < content.length) {
			const bytes = readSync(fd, content, length, content.length - length, length);
			if (bytes === 0) break;
			length += bytes;
		}
		return { content: content.subarray(0, length), size: stats.size };
	} catch {
		return null;
	} finally {
		closeSync(fd);
	}
}
