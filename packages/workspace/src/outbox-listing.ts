import { type Dirent, readdirSync, statSync } from "node:fs";
import path from "node:path";
import type { WorkspacePaths } from "./paths.ts";

/** A message that waits in the outbox. */
export interface PendingMessage {
	/** Its file name, byte for byte. */
	readonly name: Buffer;
	/** When it was written, milliseconds since the epoch. */
	readonly since: number;
	readonly size: number;
}

function isStillBeingWritten(name: Buffer): boolean {
	return name[0] === 0x2e || name.subarray(-4).toString("latin1") === ".tmp";
}

/** The entries of `sync/pending/` that cannot be messages, because they are not regular files: directories, links, pipes. Names byte for byte, in order. */
export function listUnfit(paths: WorkspacePaths): Buffer[] {
	return entriesOf(paths)
		.filter((entry) => !entry.isFile() && !isStillBeingWritten(entry.name))
		.map((entry) => entry.name)
		.sort(Buffer.compare);
}

function entriesOf(paths: WorkspacePaths): Dirent<Buffer>[] {
	try {
		return readdirSync(paths.pending, { withFileTypes: true, encoding: "buffer" }) as unknown as Dirent<Buffer>[];
	} catch {
		return [];
	}
}

/** The messages in `sync/pending/`, oldest first, then by name. Names that start with `.` or end in `.tmp` are still being written. */
export function listPending(paths: WorkspacePaths): PendingMessage[] {
	const messages: PendingMessage[] = [];
	for (const entry of entriesOf(paths)) {
		if (!entry.isFile() || isStillBeingWritten(entry.name)) continue;
		const stats = statSync(Buffer.concat([Buffer.from(`${paths.pending}${path.sep}`), entry.name]), { throwIfNoEntry: false });
		if (stats) messages.push({ name: entry.name, since: stats.mtimeMs, size: stats.size });
	}
	return messages.sort((a, b) => a.since - b.since || Buffer.compare(a.name, b.name));
}

/** Age of the oldest waiting message in milliseconds, or null when none waits. */
export function oldestPendingMs(paths: WorkspacePaths, now: number): number | null {
	const [oldest] = listPending(paths);
	return oldest ? Math.max(0, now - oldest.since) : null;
}
