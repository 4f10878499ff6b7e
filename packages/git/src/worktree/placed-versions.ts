import fs from "node:fs";
import path from "node:path";
import { markUnread, openUnseen, readUnseen } from "@robust-sync/system/read-unseen";

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
export function hasContentOf({ mtimeMs }: PlacedVersion, stats: fs.BigIntStats): boolean {
	const milliseconds = Number(stats.mtimeNs / 1_000_000_000n) * 1000 + Number(stats.mtimeNs % 1_000_000_000n) / 1e6;
	return stats.isFile() && milliseconds === mtimeMs;
}

/** Whether a file is the one of a placed version, and has not been read since. @param stats the present ones of the file */
export function isUnreadFile({ ino, atimeMs }: PlacedVersion, stats: fs.BigIntStats): boolean {
	return String(stats.ino) === ino && stats.isFile() && Number(stats.atimeMs) === atimeMs && stats.atimeNs % 1_000_000_000n === 0n;
}

/**
 * Second links to placed files, in a directory of our own: a program that saves by renaming a new file over one of
 * them does not remove its access time. Each is named by its inode, so that a link of ours is recognized after any crash.
 */
export class PlacedVersions {
	readonly #directory: string;

	/** @param directory on the working tree's file system; made on demand */
	constructor(directory: string) {
		this.#directory = directory;
	}

	#link(ino: bigint | string): string {
		return path.join(this.#directory, String(ino));
	}

	/** Makes room for this number of links. False: too many, or no directory for them. */
	prepare(count: number): boolean {
		try {
			fs.mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
			if (fs.readdirSync(this.#directory).length + count > maxLinks) this.prune(Date.now(), maxLinks / 2);
			return count <= maxLinks / 2;
		} catch {
			return false;
		}
	}

	/** Keeps a link to a file that is about to be placed. Null: it cannot be kept. */
	keep(file: string): PlacedVersion | null {
		try {
			const { ino } = fs.lstatSync(file, { bigint: true });
			const { atimeMs, mtimeMs } = fs.lstatSync(file);
			fs.linkSync(file, this.#link(ino));
			return { ino: String(ino), atimeMs, mtimeMs };
		} catch {
			// Without the link the evidence is missing.
			return null;
		}
	}

	/** Removes a link: whether that version was read is unknown from now on. */
	drop(ino: string): void {
		try {
			fs.unlinkSync(this.#link(ino));
		} catch {
			// There is none.
		}
	}

	/** Whether a file has a link of ours: then one of its names belongs to no other program. */
	has(file: string | Buffer): boolean {
		try {
			const { ino, dev } = fs.lstatSync(file, { bigint: true });
			const link = fs.lstatSync(this.#link(ino), { bigint: true });
			return link.ino === ino && link.dev === dev;
		} catch {
			return false;
		}
	}

	/** Whether no program has read a version since it was placed. False: one has, or it is unknown. */
	isUnread(version: PlacedVersion): boolean {
		try {
			return isUnreadFile(version, fs.lstatSync(this.#link(version.ino), { bigint: true }));
		} catch {
			return false;
		}
	}

	/** Removes links to files that were placed or removed more than an hour ago, and the oldest above `limit`. @returns the number of remaining links */
	prune(now: number, limit: number = maxLinks): number {
		let names: string[];
		try {
			names = fs.readdirSync(this.#directory);
		} catch {
			return 0;
		}
		const links = names.flatMap((name) => {
			const stats = fs.lstatSync(this.#link(name), { throwIfNoEntry: false });
			// A time in the future means that the clock was set.
			return stats ? [{ name, ageMs: Math.abs(now - stats.ctimeMs) }] : [];
		});
		links.sort((a, b) => a.ageMs - b.ageMs);
		const kept = links.filter(({ ageMs }, index) => index < limit && ageMs <= keepForMs).length;
		for (const { name } of links.slice(kept)) fs.rmSync(this.#link(name), { recursive: true, force: true });
		return kept;
	}
}

/**
 * Whether access times on a file system reveal reads: every read of a file that is marked as unread changes it, also a copy that shares
 * its blocks, and a read with O_NOATIME and a write do not.
 * @param directory on that file system, in which a temporary file may be made
 */
export function accessTimesTell(directory: string): boolean {
	const file = path.join(directory, `.atime-${process.pid}`);
	const copy = `${file}-copy`;
	const atime = () => fs.lstatSync(file).atimeMs;
	try {
		fs.writeFileSync(file, "probe", { mode: 0o600 });
		const readsShow = (read: () => void) => {
			markUnread(file);
			const before = atime();
			read();
			return atime() !== before;
		};
		const descriptor = openUnseen(file, fs.constants.O_RDWR);
		try {
			if (readsShow(() => fs.writeSync(descriptor, "probed"))) return false;
		} finally {
			fs.closeSync(descriptor);
		}
		if (readsShow(() => readUnseen(file)) || !readsShow(() => fs.readFileSync(file))) return false;
		let isShared = true;
		const shows = readsShow(() => {
			try {
				fs.copyFileSync(file, copy, fs.constants.COPYFILE_FICLONE_FORCE);
			} catch {
				isShared = false;
			}
		});
		return shows || !isShared;
	} catch {
		return false;
	} finally {
		for (const made of [file, copy]) fs.rmSync(made, { force: true });
	}
}
