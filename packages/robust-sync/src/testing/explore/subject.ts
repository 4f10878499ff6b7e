import fs from "node:fs";
import { diskFiles } from "@robust-sync/system/disk-files";
import { type Kind, tokensIn } from "./contents.ts";
import type { World } from "./world.ts";

/**
 * The final place of a mark: in the tree; there, in history or among the saved versions; its own writers destroyed it; or not in the tree,
 * because a program that had read it removed it.
 */
export type Need = "tree" | "kept" | "free" | "out";

interface SubjectOptions {
	readonly kind: Kind;
	readonly file: string;
	/** The second file of a pair. */
	readonly other: string | null;
	/** The content before the first incoming change; null: there was no file. */
	readonly base: Buffer | null;
	readonly newToken: (name: number | string) => string;
	/** The marks of incoming versions. */
	readonly incoming: Iterable<string>;
	/** How far our clocks are ahead of the kernel's, milliseconds. */
	readonly aheadMs: () => number;
	readonly stopClock: World["stopClock"];
}

/** One path, its writers, and the marks that must be found again. */
export class Subject {
	readonly kind: Kind;
	readonly file: string;
	readonly other: string | null;
	/** The content that a program has read long ago: by default before the first incoming change. null: there was none. */
	base: Buffer | null;
	readonly needs = new Map<string, Need>();
	/** A program removed the file, or changed its type: no mark must be in the tree. */
	isRelaxed = false;
	/** It was saved by removing and writing, within a moment: nothing may have recorded a deletion. */
	hasSaved = false;
	/** The inodes that programs have removed or replaced. */
	readonly removed = new Set<number>();
	/** The last checkout was a minute ago. */
	isLate = false;
	/** The last act made it executable. */
	isExecutable = false;
	/** A descriptor that was opened when `base` was read. */
	old: number | null = null;
	/** Later acts of programs that do not read again: at the next step, and at the end of the cycle. */
	next: (() => void)[] = [];
	later: (() => void)[] = [];
	readonly stopClock: World["stopClock"];
	#written = 0;
	readonly #newToken: (name: number | string) => string;
	readonly #incoming: ReadonlySet<string>;
	readonly #aheadMs: () => number;

	constructor({ kind, file, other, base, newToken, incoming, aheadMs, stopClock }: SubjectOptions) {
		this.kind = kind;
		this.file = file;
		this.other = other;
		this.base = base;
		this.#newToken = newToken;
		this.#incoming = new Set(incoming);
		this.#aheadMs = aheadMs;
		this.stopClock = stopClock;
	}

	/** Whether a mark is one of a commit. */
	isIncoming(token: string): boolean {
		return this.#incoming.has(token);
	}

	/** A mark for one writer. */
	mark(): string {
		const token = this.#newToken(this.#written++);
		this.needs.set(token, "tree");
		return token;
	}

	/** A mark with as many bytes as the content's first one, in its place. */
	markOver(content: Buffer): Buffer {
		const [replaced] = tokensIn(content);
		if (replaced === undefined) throw new Error("nothing was to overwrite");
		const bytes = replaced.length - this.#newToken("").length;
		const token = this.#newToken(String(this.#written++).padStart(bytes, "0"));
		if (token.length !== replaced.length) throw new Error("nothing was long enough");
		this.needs.set(token, "tree");
		// It is in history, or another program's that this one has not read.
		this.needs.set(replaced, this.#incoming.has(replaced) ? "kept" : "free");
		return Buffer.from(content.toString("latin1").replace(replaced, token), "latin1");
	}

	/** The content on disk, or where a link leads, read without a trace; null: there is neither. */
	peek(file: string | null = this.file): Buffer | null {
		try {
			if (file === null) return null;
			const stats = fs.lstatSync(file);
			if (stats.isSymbolicLink()) return fs.readlinkSync(file, { encoding: "buffer" });
			return stats.isFile() ? diskFiles.readUnseen(file) : null;
		} catch {
			return null;
		}
	}

	/** The content on disk is replaced by this one: unread marks of others are lost by no fault of ours. */
	destroys(written: Buffer | null, lost: Buffer | null = this.peek()): void {
		const left = new Set(written === null ? [] : tokensIn(written));
		for (const token of tokensIn(lost ?? Buffer.alloc(0)))
			if (!left.has(token) && !this.#incoming.has(token)) this.needs.set(token, "free");
	}

	openOld(): void {
		const descriptor = fs.openSync(this.file, "r+");
		this.close();
		this.old = descriptor;
	}

	close(): void {
		if (this.old !== null) fs.closeSync(this.old);
		this.old = null;
	}

	/** Gives a file that was written just now its time by our clock. */
	date(file: string | number): void {
		const aheadMs = this.#aheadMs();
		if (aheadMs === 0) return;
		const { atime } = typeof file === "number" ? fs.fstatSync(file) : fs.statSync(file);
		if (typeof file === "number") fs.futimesSync(file, atime, new Date(Date.now() + aheadMs));
		else fs.utimesSync(file, atime, new Date(Date.now() + aheadMs));
	}

	/** A mark is about to be written into an open file: it is lost by no fault of ours if another program has removed the file. */
	markInto(descriptor: number): string {
		const token = this.mark();
		if (this.removed.has(fs.fstatSync(descriptor).ino)) this.needs.set(token, "free");
		return token;
	}

	/** The number of marks from here. */
	get marks(): number {
		return this.#written;
	}
}
