import path from "node:path";
import { type ExactStats, type FileName, type Files, O_RDWR } from "@robust-sync/system/files";

/** A version that a checkout has placed, for the check whether a program has read it since. */
export interface PlacedVersion {
	/** Its inode in decimal: the name of its second link. */
	readonly ino: string;
	/** The access time at placement: milliseconds since the epoch. */
	readonly atimeMs: number;
	/** The same of its content. */
	readonly mtimeMs: number;
}

/** With more links than this, the oldest are removed: whether those versions were read is then unknown. */
const maxLinks = 10_000;
/** The longest time of an agent between reading a file and writing it back. */
const keepForMs = 60 * 60_000;

/**
 * Whether a file that a checkout has placed still has its content: a program may have written into it since.
 * @param stats the present ones of the file
 */
export function hasContentOf({ mtimeMs }: PlacedVersion, stats: ExactStats): boolean {
	const milliseconds = Number(stats.mtimeNs / 1_000_000_000n) * 1000 + Number(stats.mtimeNs % 1_000_000_000n) / 1e6;
	return stats.isFile() && milliseconds === mtimeMs;
}

/** Whether a file is the one of a placed version, and has not been read since. @param stats the present ones of the file */
export function isUnreadFile({ ino, atimeMs }: PlacedVersion, stats: ExactStats): boolean {
	return String(stats.ino) === ino && stats.isFile() && Number(stats.atimeMs) === atimeMs && stats.atimeNs % 1_000_000_000n === 0n;
}

/**
 * Second links to placed files, in a directory of our own: a program that saves by renaming a new file over one of
 * them does not remove its access time. Each is named by its inode, so that a link of ours is recognized after any crash.
 */
export class PlacedVersions {
	readonly #files: Files;
	readonly #directory: string;

	/** @param directory on the working tree's file system; made on demand */
	constructor(files: Files, directory: string) {
		this.#files = files;
		this.#directory = directory;
	}

	#link(ino: bigint | string): string {
		return path.join(this.#directory, String(ino));
	}

	/** Makes room for this number of links. False: too many, or no directory for them. */
	prepare(count: number): boolean {
		try {
			this.#files.makeTree(this.#directory, 0o700);
			if (this.#files.readdir(this.#directory).length + count > maxLinks) this.prune(Date.now(), maxLinks / 2);
			return count <= maxLinks / 2;
		} catch {
			return false;
		}
	}

	/** Keeps a link to a file that is about to be placed. Null: it cannot be kept. */
	keep(file: string): PlacedVersion | null {
		try {
			const { ino } = this.#files.lstatExactly(file);
			const { atimeMs, mtimeMs } = this.#files.lstat(file);
			this.#files.link(file, this.#link(ino));
			return { ino: String(ino), atimeMs, mtimeMs };
		} catch {
			// Without the link the evidence is missing.
			return null;
		}
	}

	/** Removes a link: whether that version was read is unknown from now on. */
	drop(ino: string): void {
		try {
			this.#files.unlink(this.#link(ino));
		} catch {
			// There is none.
		}
	}

	/** Whether a file has a link of ours: then one of its names belongs to no other program. */
	has(file: FileName): boolean {
		try {
			const { ino, dev } = this.#files.lstatExactly(file);
			const link = this.#files.lstatExactly(this.#link(ino));
			return link.ino === ino && link.dev === dev;
		} catch {
			return false;
		}
	}

	/** Whether no program has read a version since it was placed. False: one has, or it is unknown. */
	isUnread(version: PlacedVersion): boolean {
		try {
			return isUnreadFile(version, this.#files.lstatExactly(this.#link(version.ino)));
		} catch {
			return false;
		}
	}

	/** Removes links to files that were placed or removed more than an hour ago, and the oldest above `limit`. @returns the number of remaining links */
	prune(now: number, limit: number = maxLinks): number {
		let names: string[];
		try {
			names = this.#files.readdir(this.#directory).map(String);
		} catch {
			return 0;
		}
		const links = names.flatMap((name) => {
			const stats = this.#files.lstatIfThere(this.#link(name));
			// A time in the future means that the clock was set.
			return stats ? [{ name, ageMs: Math.abs(now - stats.ctimeMs) }] : [];
		});
		links.sort((a, b) => a.ageMs - b.ageMs);
		const kept = links.filter(({ ageMs }, index) => index < limit && ageMs <= keepForMs).length;
		for (const { name } of links.slice(kept)) this.#files.removeTree(this.#link(name));
		return kept;
	}
}

/**
 * Whether access times on a file system reveal reads: every read of a file that is marked as unread changes it, also a copy that shares
 * its blocks, and a read with O_NOATIME and a write do not.
 * @param files of that file system @param directory on that file system, in which a temporary file may be made
 */
export function accessTimesTell(files: Files, directory: string): boolean {
	const file = path.join(directory, `.atime-${process.pid}`);
	const copy = `${file}-copy`;
	const atime = () => files.lstat(file).atimeMs;
	try {
		files.writeFile(file, Buffer.from("probe"), { mode: 0o600 });
		const readsShow = (read: () => void) => {
			files.markUnread(file);
			const before = atime();
			read();
			return atime() !== before;
		};
		const descriptor = files.openUnseen(file, O_RDWR);
		try {
			if (readsShow(() => files.write(descriptor, Buffer.from("probed")))) return false;
		} finally {
			files.close(descriptor);
		}
		if (readsShow(() => files.readUnseen(file)) || !readsShow(() => files.readFile(file))) return false;
		let isShared = true;
		const shows = readsShow(() => {
			try {
				files.clone(file, copy);
			} catch {
				isShared = false;
			}
		});
		return shows || !isShared;
	} catch {
		return false;
	} finally {
		for (const made of [file, copy]) files.unlinkIfThere(made);
	}
}
