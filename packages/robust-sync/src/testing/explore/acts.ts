import fs from "node:fs";
import { readUnseen } from "@robust-sync/system/read-unseen";
import { appended, type Kind, tokensIn, withToken } from "./contents.ts";

/** The final place of a mark: in the tree; there, in history or among the saved versions; or its own writers destroyed it. */
export type Need = "tree" | "kept" | "free";

/** One path, its writers, and the marks that must be found again. */
export class Subject {
	readonly kind: Kind;
	readonly file: string;
	/** The content that every program here had read before the cycle, and before an earlier change; null: there was none. */
	readonly base: Buffer | null;
	readonly needs = new Map<string, Need>();
	/** A program removed the file, or changed its type: no mark must be in the tree. */
	isRelaxed = false;
	/** The last act made it executable. */
	isExecutable = false;
	/** A descriptor that was opened for appending when `base` was at the path. */
	oldAppend: number | null = null;
	/** Later acts of programs that do not read again: at the next step, and at the end of the cycle. */
	next: (() => void)[] = [];
	later: (() => void)[] = [];
	#written = 0;
	readonly #newToken: (name: number) => string;
	readonly #incoming: ReadonlySet<string>;

	constructor(kind: Kind, file: string, base: Buffer | null, newToken: (name: number) => string, incoming: Iterable<string>) {
		this.kind = kind;
		this.file = file;
		this.base = base;
		this.#newToken = newToken;
		this.#incoming = new Set(incoming);
	}

	/** A mark for one writer. */
	mark(): string {
		const token = this.#newToken(this.#written++);
		this.needs.set(token, "tree");
		return token;
	}

	/** The content on disk, read without a trace; null: there is no file. */
	peek(): Buffer | null {
		try {
			return fs.lstatSync(this.file).isFile() ? readUnseen(this.file) : null;
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

	/** The number of marks from here. */
	get marks(): number {
		return this.#written;
	}
}

/** Writes like a program that had read `read`. */
function rewrite(subject: Subject, read: Buffer | null): Buffer {
	const content = withToken(subject.kind, read ?? Buffer.alloc(0), subject.mark(), "bottom");
	subject.destroys(content);
	return content;
}

function over(subject: Subject, content: Buffer): void {
	fs.writeFileSync(`${subject.file}.new`, content);
	fs.renameSync(`${subject.file}.new`, subject.file);
}

function isDirectory(file: string): boolean {
	return fs.lstatSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** A read with its usual trace. */
function readAsProgram(subject: Subject): Buffer | null {
	try {
		return fs.readFileSync(subject.file);
	} catch {
		return null;
	}
}

function write(descriptor: number, content: Buffer): void {
	fs.writeSync(descriptor, content);
	fs.closeSync(descriptor);
}

function appendTo(subject: Subject, descriptor: number): void {
	// Appending to a document makes it invalid.
	if (subject.kind === "json") subject.isRelaxed = true;
	write(descriptor, appended(subject.kind, subject.mark()));
}

function takeAway(subject: Subject): void {
	subject.destroys(null);
	subject.isRelaxed = true;
	fs.unlinkSync(subject.file);
}

const open = (subject: Subject, flags: string) => fs.openSync(subject.file, flags);

/** Every act of a program on a file, by a short name. An act that is impossible at that time throws. */
export const acts: Readonly<Record<string, (subject: Subject) => void>> = {
	append: (subject) => appendTo(subject, open(subject, "a")),
	"append-old": (subject) => {
		if (subject.oldAppend === null) throw new Error("nothing was open");
		const descriptor = subject.oldAppend;
		subject.oldAppend = null;
		appendTo(subject, descriptor);
	},
	"open-append": (subject) => {
		const descriptor = open(subject, "a");
		subject.later.push(() => appendTo(subject, descriptor));
	},
	"open-rewrite": (subject) => {
		const descriptor = open(subject, "r+");
		const read = fs.readFileSync(subject.file);
		subject.later.push(() => {
			// It writes into its open file, which may not be at the path any more.
			const content = withToken(subject.kind, read, subject.mark(), "bottom");
			const lost = Buffer.alloc(fs.fstatSync(descriptor).size);
			fs.readSync(descriptor, lost, 0, lost.length, 0);
			subject.destroys(content, lost);
			fs.writeSync(descriptor, content, 0, content.length, 0);
			fs.ftruncateSync(descriptor, content.length);
			fs.closeSync(descriptor);
		});
	},
	rewrite: (subject) => fs.writeFileSync(subject.file, rewrite(subject, readAsProgram(subject))),
	rename: (subject) => over(subject, rewrite(subject, readAsProgram(subject))),
	"rewrite-stale": (subject) => fs.writeFileSync(subject.file, rewrite(subject, subject.base)),
	"rename-stale": (subject) => over(subject, rewrite(subject, subject.base)),
	"truncate-stale": (subject) => {
		const content = rewrite(subject, subject.base);
		const descriptor = open(subject, "w");
		subject.next.push(() => write(descriptor, content));
	},
	unlink: takeAway,
	"unlink-create": (subject) => {
		const content = rewrite(subject, subject.base);
		fs.unlinkSync(subject.file);
		fs.writeFileSync(subject.file, content);
	},
	"rename-away": (subject) => {
		subject.isRelaxed = true;
		fs.renameSync(subject.file, `${subject.file}.away`);
	},
	chmod: (subject) => {
		if (fs.lstatSync(subject.file).isFile()) fs.chmodSync(subject.file, 0o755);
		subject.isExecutable = true;
	},
	symlink: (subject) => {
		takeAway(subject);
		fs.symlinkSync(subject.mark(), subject.file);
	},
	directory: (subject) => {
		takeAway(subject);
		fs.mkdirSync(subject.file);
		fs.writeFileSync(`${subject.file}/inside`, `${subject.mark()}\n`);
	},
	read: (subject) => void fs.readFileSync(subject.file),
	same: (subject) => fs.writeFileSync(subject.file, fs.readFileSync(subject.file)),
	"rename-same": (subject) => over(subject, fs.readFileSync(subject.file)),
};

export const actNames = Object.keys(acts);

/** @returns whether it was possible */
export function act(subject: Subject, name: string): boolean {
	const before = [...subject.needs];
	const { isRelaxed } = subject;
	const isExecutable = subject.isExecutable;
	if (name !== "read" && name !== "same") subject.isExecutable = false;
	try {
		if (isDirectory(subject.file)) throw new Error("a directory is there");
		acts[name]?.(subject);
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === undefined && !/^nothing was|^a directory/.test((error as Error).message)) throw error;
		subject.needs.clear();
		for (const [token, need] of before) subject.needs.set(token, need);
		subject.isRelaxed = isRelaxed;
		subject.isExecutable = isExecutable;
		return false;
	}
}
