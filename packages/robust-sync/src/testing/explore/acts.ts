import fs from "node:fs";
import path from "node:path";
import { diskFiles } from "@robust-sync/system/disk-files";
import { appended, tokensIn, withoutToken, withToken } from "./contents.ts";
import type { Need, Subject } from "./subject.ts";

/** The product's calls between the two halves of a save: a whole scan and its commit may come between. */
const callsOfSave = 7;
/** Writes like a program that had read `read`. */
function rewrite(subject: Subject, read: Buffer | null): Buffer {
	const content = withToken(subject.kind, read ?? Buffer.alloc(0), subject.mark(), "bottom");
	subject.destroys(content);
	return content;
}

function put(subject: Subject, content: Buffer | string, file = subject.file): void {
	fs.writeFileSync(file, content);
	subject.date(file);
}

function over(subject: Subject, content: Buffer): void {
	put(subject, content, `${subject.file}.new`);
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

function write(subject: Subject, descriptor: number, content: Buffer): void {
	fs.writeSync(descriptor, content);
	subject.date(descriptor);
	fs.closeSync(descriptor);
}

function appendInto(subject: Subject, descriptor: number): void {
	// Appending to a document makes it invalid.
	if (subject.kind === "json") subject.isRelaxed = true;
	const content = appended(subject.kind, subject.markInto(descriptor));
	fs.writeSync(descriptor, content, 0, content.length, fs.fstatSync(descriptor).size);
	subject.date(descriptor);
}

function appendTo(subject: Subject, descriptor: number): void {
	appendInto(subject, descriptor);
	fs.closeSync(descriptor);
}

/** Writes into an open file, which may not be at the path any more. */
function rewriteOpen(subject: Subject, descriptor: number, read: Buffer): void {
	const content = withToken(subject.kind, read, subject.markInto(descriptor), "bottom");
	const lost = Buffer.alloc(fs.fstatSync(descriptor).size);
	fs.readSync(descriptor, lost, 0, lost.length, 0);
	subject.destroys(content, lost);
	fs.writeSync(descriptor, content, 0, content.length, 0);
	fs.ftruncateSync(descriptor, content.length);
	subject.date(descriptor);
}

/** Writes as many bytes into an open file as it has, which may not be at the path any more. */
function overwriteOpen(subject: Subject, descriptor: number): void {
	const { size, ino } = fs.fstatSync(descriptor);
	const read = Buffer.alloc(size);
	fs.readSync(descriptor, read, 0, size, 0);
	const content = subject.markOver(read);
	const known = new Set<string>(tokensIn(read));
	if (subject.removed.has(ino)) for (const token of tokensIn(content)) if (!known.has(token)) subject.needs.set(token, "free");
	fs.writeSync(descriptor, content, 0, size, 0);
	subject.date(descriptor);
}

function openedBefore({ old }: Subject): number {
	if (old === null) throw new Error("nothing was open");
	return old;
}

function takeAway(subject: Subject): void {
	subject.destroys(null);
	subject.isRelaxed = true;
	fs.unlinkSync(subject.file);
}

const open = (subject: Subject, flags: string) => fs.openSync(subject.file, flags);

/** A program reads a document and writes it back without one of its marks. */
function remove(subject: Subject, which: "first" | "last", need: Need): void {
	const { content, token } = withoutToken(subject.kind, fs.readFileSync(subject.file), which);
	if (token === null) throw new Error("nothing was to remove");
	over(subject, rewrite(subject, content));
	// What another program wrote a moment ago is in no commit.
	subject.needs.set(token, subject.isIncoming(token) ? need : "free");
}

/** Acts with both files of a pair: `to` is replaced or removed. */
function acrossPair(subject: Subject, to: "file" | "other", action: (file: string, other: string) => void): void {
	const { file, other } = subject;
	if (other === null) throw new Error("nothing was beside it");
	subject.destroys(subject.peek(to === "file" ? other : file), subject.peek(to === "file" ? file : other));
	subject.isRelaxed = true;
	action(file, other);
}

/** Acts with the directory of the file. */
function onDirectory(subject: Subject, action: (directory: string) => void): void {
	const directory = path.dirname(subject.file);
	if (!isDirectory(directory)) throw new Error("a directory is not there");
	subject.isRelaxed = true;
	action(directory);
}

/** Every act of a program on a file, by a short name. An act that is impossible at that time throws. */
export const acts: Readonly<Record<string, (subject: Subject) => void>> = {
	append: (subject) => appendTo(subject, open(subject, "a")),
	"append-old": (subject) => appendInto(subject, openedBefore(subject)),
	"rewrite-old": (subject) => rewriteOpen(subject, openedBefore(subject), subject.base ?? Buffer.alloc(0)),
	// In place, with as many bytes as before.
	"patch-old": (subject) => overwriteOpen(subject, openedBefore(subject)),
	"open-append": (subject) => {
		const descriptor = open(subject, "a");
		subject.later.push(() => appendTo(subject, descriptor));
	},
	"open-rewrite": (subject) => {
		const descriptor = open(subject, "r+");
		const read = fs.readFileSync(subject.file);
		subject.later.push(() => {
			rewriteOpen(subject, descriptor, read);
			fs.closeSync(descriptor);
		});
	},
	rewrite: (subject) => put(subject, rewrite(subject, readAsProgram(subject))),
	rename: (subject) => over(subject, rewrite(subject, readAsProgram(subject))),
	"rewrite-stale": (subject) => put(subject, rewrite(subject, subject.base)),
	"rename-stale": (subject) => over(subject, rewrite(subject, subject.base)),
	"truncate-stale": (subject) => {
		const content = rewrite(subject, subject.base);
		const descriptor = open(subject, "w");
		subject.date(descriptor);
		subject.next.push(() => {
			subject.destroys(content, diskFiles.readUnseen(`/proc/self/fd/${descriptor}`));
			if (subject.removed.has(fs.fstatSync(descriptor).ino)) subject.destroys(null, content);
			write(subject, descriptor, content);
		});
	},
	unlink: takeAway,
	"unlink-create": (subject) => {
		const content = rewrite(subject, subject.base);
		fs.unlinkSync(subject.file);
		put(subject, content);
	},
	// An editor that saves by removing and writing.
	"unlink-next": (subject) => {
		const content = rewrite(subject, readAsProgram(subject));
		fs.unlinkSync(subject.file);
		subject.date(path.dirname(subject.file));
		// A moment for our clocks, however long it takes here.
		const { isNow, goOn } = subject.stopClock();
		subject.hasSaved = isNow;
		const save = () => {
			goOn();
			try {
				// Another program may have made a file there meanwhile.
				subject.destroys(content);
				put(subject, content);
			} catch {
				// Its directory is gone, or something else is there: the program has lost its own content.
				subject.destroys(null, content);
				subject.hasSaved = false;
			}
		};
		const wait = (calls: number) => subject.next.push(calls === 1 ? save : () => wait(calls - 1));
		wait(callsOfSave);
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
		put(subject, `${subject.mark()}\n`, `${subject.file}/inside`);
	},
	"directory-gone": (subject) =>
		onDirectory(subject, (directory) => {
			for (const file of fs.readdirSync(directory, { recursive: true }))
				subject.destroys(null, subject.peek(path.join(directory, String(file))));
			fs.rmSync(directory, { recursive: true });
			put(subject, `${subject.mark()}\n`, directory);
		}),
	"directory-away": (subject) => onDirectory(subject, (directory) => fs.renameSync(directory, `${directory}~away`)),
	drop: (subject) => remove(subject, "first", "out"),
	// Within 10 s that may be a write from an older version.
	"drop-newest": (subject) => remove(subject, "last", subject.isLate ? "out" : "free"),
	"over-other": (subject) => acrossPair(subject, "other", (file, other) => fs.renameSync(file, other)),
	"other-over": (subject) => acrossPair(subject, "file", (file, other) => fs.renameSync(other, file)),
	"swap-other": (subject) =>
		acrossPair(subject, "file", (file, other) => {
			fs.renameSync(file, `${file}.third`);
			fs.renameSync(other, file);
			fs.renameSync(`${file}.third`, other);
		}),
	"link-other": (subject) =>
		acrossPair(subject, "file", (file, other) => {
			fs.linkSync(other, `${file}.new`);
			fs.renameSync(`${file}.new`, file);
		}),
	"into-directory": (subject) =>
		acrossPair(subject, "file", (file, other) => {
			fs.unlinkSync(file);
			fs.mkdirSync(file);
			fs.renameSync(other, `${file}/inside`);
		}),
	// The program that writes from `base` later reads, and opens the file, now.
	hold: (subject) => {
		subject.openOld();
		subject.base = fs.readFileSync(subject.file);
	},
	read: (subject) => void fs.readFileSync(subject.file),
	same: (subject) => put(subject, fs.readFileSync(subject.file)),
	"rename-same": (subject) => over(subject, fs.readFileSync(subject.file)),
};

export const actNames = Object.keys(acts);

/** Acts with both files of a pair. */
export const pairActs: ReadonlySet<string> = new Set(["over-other", "other-over", "swap-other", "link-other", "into-directory"]);

/** Acts after which the former file has another name. */
const moving: ReadonlySet<string> = new Set(["rename-away", "directory-away", "over-other", "swap-other"]);

const inodeOf = (file: string) => fs.lstatSync(file, { throwIfNoEntry: false })?.ino;

const unwritten: ReadonlySet<string> = new Set(["read", "same", "hold"]);

/** @returns whether it was possible */
export function act(subject: Subject, name: string): boolean {
	const before = [...subject.needs];
	const { isRelaxed } = subject;
	const isExecutable = subject.isExecutable;
	if (!unwritten.has(name)) subject.isExecutable = false;
	try {
		if (isDirectory(subject.file)) throw new Error("a directory is there");
		const inode = inodeOf(subject.file);
		const isEmpty = inode === undefined || subject.peek()?.length === 0;
		acts[name]?.(subject);
		// Another program has removed or emptied it in order to write it again: what is written meanwhile has nothing of it.
		if (isEmpty && !unwritten.has(name) && name !== "directory-gone" && (inode ?? inodeOf(subject.file)) !== undefined)
			for (const [token, need] of before) if (need === "tree") subject.needs.set(token, "kept");
		if (inode !== undefined && !moving.has(name) && (name === "directory-gone" || inodeOf(subject.file) !== inode))
			subject.removed.add(inode);
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
