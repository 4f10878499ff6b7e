import fs from "node:fs";

// Linux sets the access time of a file at the first read after the access time was set to one more than a day old (relatime, mount(8)).
// Files that a checkout puts in place get such a time: as long as it is there, no program has read that version.

/** open(2), the same number on all architectures that Node runs on; Node has no name for it. */
const O_NOATIME = process.platform === "linux" ? 0o1000000 : 0;

/** So much older than its content is the access time of a file that has not been read: reads show whatever small steps the clock makes. */
const unreadAgeSeconds = 2 * 24 * 60 * 60;

/**
 * Opens a file to be read such that its access time stays, where the kernel allows it: to its owner and to root. Elsewhere the read leaves
 * its trace, which only means that less is known of what others have read.
 * @throws the file system's error
 */
export function openUnseen(file: string | Buffer, flags: number = fs.constants.O_RDONLY): number {
	try {
		return fs.openSync(file, flags | O_NOATIME);
	} catch (error) {
		if (!["EPERM", "EINVAL"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
		return fs.openSync(file, flags);
	}
}

/** The content of a file, read such that its access time stays, where the kernel allows it. @throws the file system's error */
export function readUnseen(file: string | Buffer): Buffer {
	const descriptor = openUnseen(file);
	try {
		return fs.readFileSync(descriptor);
	} finally {
		fs.closeSync(descriptor);
	}
}

/** Gives a file of ours the access time of an unread file. Its other times stay, to a microsecond. @throws the file system's error */
export function markUnread(file: string | Buffer): void {
	const { mtimeNs } = fs.lstatSync(file, { bigint: true });
	fs.utimesSync(file, Number(mtimeNs / 1_000_000_000n) - unreadAgeSeconds, Number(mtimeNs / 1_000n) / 1e6);
}
