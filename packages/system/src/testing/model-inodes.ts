import type { ExactStats, FileStats } from "../files.ts";

/** A file, a directory or a symbolic link of the model. */
export interface Inode {
	readonly ino: number;
	/** The file system that it is on. */
	readonly dev: number;
	readonly kind: "file" | "directory" | "link";
	/** Permission bits. */
	mode: number;
	uid: number;
	gid: number;
	/** Names of a file or link. */
	links: number;
	/** Milliseconds since the epoch. */
	atimeMs: number;
	mtimeMs: number;
	ctimeMs: number;
	/** Of a file; of a link, its target. */
	content: Buffer;
	/** Of a directory: one character a byte. */
	readonly entries: Map<string, Inode>;
	/** Of a directory; the top's is itself. null: it was removed. */
	parent: Inode | null;
	/** Another file system begins here. */
	isMountPoint: boolean;
}

const types = { file: 0o100000, directory: 0o040000, link: 0o120000 } as const;

const dayMs = 24 * 60 * 60_000;

/** Whether a read changes the access time (relatime, mount(8)). */
export const isReadShown = ({ atimeMs, mtimeMs, ctimeMs }: Inode, nowMs: number): boolean =>
	atimeMs <= mtimeMs || atimeMs <= ctimeMs || nowMs - atimeMs >= dayMs;

function linksOf(inode: Inode): number {
	if (inode.kind !== "directory") return inode.links;
	return inode.parent === null ? 0 : 2 + [...inode.entries.values()].filter(({ kind }) => kind === "directory").length;
}

/** What lstat(2) reports of an inode at one moment. */
class Stats<N extends number | bigint> {
	readonly dev: N;
	readonly ino: N;
	readonly mode: N;
	readonly nlink: N;
	readonly uid: N;
	readonly gid: N;
	readonly size: N;
	readonly atimeMs: N;
	readonly mtimeMs: N;
	readonly ctimeMs: N;
	readonly #kind: Inode["kind"];

	constructor(inode: Inode, as: (value: number) => N) {
		this.dev = as(inode.dev);
		this.ino = as(inode.ino);
		this.mode = as(types[inode.kind] | inode.mode);
		this.nlink = as(linksOf(inode));
		this.uid = as(inode.uid);
		this.gid = as(inode.gid);
		this.size = as(inode.content.length);
		this.atimeMs = as(inode.atimeMs);
		this.mtimeMs = as(inode.mtimeMs);
		this.ctimeMs = as(inode.ctimeMs);
		this.#kind = inode.kind;
	}

	isFile(): boolean {
		return this.#kind === "file";
	}

	isDirectory(): boolean {
		return this.#kind === "directory";
	}

	isSymbolicLink(): boolean {
		return this.#kind === "link";
	}
}

/** The same, with times in nanoseconds. */
class NanosecondStats extends Stats<bigint> {
	readonly atimeNs: bigint;
	readonly mtimeNs: bigint;
	readonly ctimeNs: bigint;

	constructor(inode: Inode) {
		super(inode, (value) => BigInt(Math.floor(value)));
		this.atimeNs = nanoseconds(inode.atimeMs);
		this.mtimeNs = nanoseconds(inode.mtimeMs);
		this.ctimeNs = nanoseconds(inode.ctimeMs);
	}
}

const nanoseconds = (ms: number) => BigInt(Math.floor(ms)) * 1_000_000n + BigInt(Math.round((ms - Math.floor(ms)) * 1e6));

/** What lstat(2) reports: the fields that a checkout uses. */
export const statsOf = (inode: Inode): FileStats => new Stats(inode, Number) as unknown as FileStats;

/** The same, with times in nanoseconds. */
export const exactStatsOf = (inode: Inode): ExactStats => new NanosecondStats(inode) as unknown as ExactStats;
