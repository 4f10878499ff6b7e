import fs from "node:fs";
import { type Files, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from "@robust-sync/system/files";
import { root } from "./model-checkout.ts";

const { O_APPEND } = fs.constants;

/** All marks in some bytes. */
export const marksIn = (bytes: Buffer) => bytes.toString("latin1").match(/mark\d{4}/g) ?? [];

/** Where the file of an exploration is. */
export const directory = "d";
export const name = `${directory}/p`;
const file = `${root}/${name}`;

/** What the marks of programs must become: found again, or lost by programs. */
export type Need = "found" | "free";

const impossible = () => Object.assign(new Error("this act is impossible now"), { code: "EPERM" });

/** The programs that write to the file, and what they have written. */
export class Programs {
	readonly files: Files;
	readonly needs = new Map<string, Need>();
	/** Acts of programs that go on at the next call, and after the checkout. */
	next: (() => void)[] = [];
	readonly later: (() => void)[] = [];
	/** A program put something at the path that has neither a mark nor the incoming content. */
	isReset = false;
	/** A program made a new file at the path, with a mode of its own. */
	hasNewFile = false;
	/** The last act made it executable. */
	isExecutable = false;
	/** The content that was read before the checkout, and a descriptor from that time. */
	readonly base: Buffer | null;
	readonly #old: number | null;
	/** Files that programs have removed or replaced. */
	readonly #removed = new Set<number>();
	#count = 0;
	#isEnded = false;

	constructor(files: Files, base: Buffer | null) {
		this.files = files;
		this.base = base;
		this.#old = base === null ? null : files.open(file, O_RDWR);
	}

	mark(): string {
		const mark = `mark${String(this.#count++).padStart(4, "0")}`;
		this.needs.set(mark, "found");
		return mark;
	}

	/** The next version of a file, by a program that has read `read`. */
	version(read: Buffer): Buffer {
		return Buffer.concat([read, Buffer.from(`- ${this.mark()}\n`)]);
	}

	/** Content that a program removes: marks in it are lost by programs, unless they are in `kept`. */
	destroys(lost: Buffer | null, kept: Buffer = Buffer.alloc(0)): void {
		const left = new Set(marksIn(kept));
		for (const mark of marksIn(lost ?? Buffer.alloc(0))) if (!left.has(mark)) this.needs.set(mark, "free");
	}

	/** The content of the file, or where a link leads. */
	peek(path: string = file): Buffer | null {
		const stats = this.files.lstatIfThere(path);
		if (stats?.isSymbolicLink()) return this.files.readlink(path);
		return stats?.isFile() ? this.files.readUnseen(path) : null;
	}

	read(): Buffer {
		return this.files.readFile(file);
	}

	/** @throws the file system's error if the path has no file */
	remove(path: string = file): void {
		this.destroys(this.peek(path));
		const { ino } = this.files.lstat(path);
		this.files.unlink(path);
		this.#removed.add(ino);
		this.isReset = true;
	}

	/** Removes a directory with all below. */
	removeAll(path: string): void {
		for (const entry of this.files.readdir(path)) {
			const below = `${path}/${entry.toString("latin1")}`;
			if (this.files.lstat(below).isDirectory()) this.removeAll(below);
			else this.remove(below);
		}
		this.files.rmdir(path);
	}

	put(content: Buffer): void {
		this.destroys(this.peek(), content);
		this.hasNewFile ||= this.files.lstatIfThere(file) === null;
		this.files.writeFile(file, content);
		this.isReset = true;
	}

	over(content: Buffer): void {
		this.files.writeFile(`${file}.new`, content);
		this.destroys(this.peek(), content);
		const replaced = this.files.lstatIfThere(file);
		this.files.rename(`${file}.new`, file);
		this.hasNewFile = true;
		if (replaced) this.#removed.add(replaced.ino);
		this.isReset = true;
	}

	/** Writes into an open file; if a program has removed that, what is written is lost by programs. */
	into(descriptor: number, content: Buffer): void {
		const open = this.files.nameOfOpen(descriptor) as string;
		const before = this.files.readUnseen(open);
		this.files.writeAll(descriptor, content);
		this.destroys(before, this.files.readUnseen(open));
		if (this.#removed.has(this.files.stat(open).ino)) this.destroys(content);
	}

	/** The machine has stopped: no program goes on, and what they were about to write is lost. */
	end(): void {
		if (this.next.length > 0) for (const mark of this.needs.keys()) this.needs.set(mark, "free");
		this.next = [];
		this.later.length = 0;
		this.#isEnded = true;
	}

	openedBefore(): number {
		if (this.#old === null || this.#isEnded) throw impossible();
		return this.#old;
	}
}

/** Every act of a program, by a short name. One that is impossible at that time throws the file system's error. */
export const acts: Readonly<Record<string, (programs: Programs) => void>> = {
	append: (programs) => {
		const descriptor = programs.files.open(file, O_WRONLY | O_APPEND);
		programs.into(descriptor, programs.version(Buffer.alloc(0)));
		programs.files.close(descriptor);
	},
	"append-old": (programs) => {
		const descriptor = programs.openedBefore();
		while (programs.files.read(descriptor, Buffer.alloc(4_096)) > 0);
		programs.into(descriptor, programs.version(Buffer.alloc(0)));
	},
	"open-append": (programs) => {
		const descriptor = programs.files.open(file, O_WRONLY | O_APPEND);
		programs.later.push(() => programs.into(descriptor, programs.version(Buffer.alloc(0))));
	},
	// In place, with as many bytes as before.
	patch: (programs) => {
		const descriptor = programs.files.open(file, O_RDWR);
		programs.into(descriptor, Buffer.from(programs.mark()));
		programs.files.close(descriptor);
		programs.isReset = true;
	},
	"patch-old": (programs) => {
		programs.into(programs.openedBefore(), Buffer.from(programs.mark()));
	},
	rewrite: (programs) => programs.put(programs.version(programs.read())),
	"rewrite-stale": (programs) => programs.put(programs.version(programs.base ?? Buffer.alloc(0))),
	rename: (programs) => programs.over(programs.version(programs.read())),
	"rename-stale": (programs) => programs.over(programs.version(programs.base ?? Buffer.alloc(0))),
	"truncate-next": (programs) => {
		const content = programs.version(programs.peek() ?? Buffer.alloc(0));
		programs.destroys(programs.peek(), content);
		programs.hasNewFile ||= programs.files.lstatIfThere(file) === null;
		const descriptor = programs.files.open(file, O_WRONLY | O_CREAT | O_TRUNC);
		programs.isReset = true;
		programs.next.push(() => programs.into(descriptor, content));
	},
	unlink: (programs) => programs.remove(),
	"unlink-create": (programs) => {
		const content = programs.version(programs.read());
		programs.remove();
		programs.put(content);
	},
	"unlink-next": (programs) => {
		const content = programs.version(programs.read());
		programs.remove();
		programs.next.push(() => {
			try {
				programs.put(content);
			} catch {
				programs.destroys(content);
			}
		});
	},
	"link-beside": (programs) => programs.files.link(file, `${file}.other`),
	"rename-away": (programs) => {
		programs.files.rename(file, `${file}.away`);
		programs.isReset = true;
	},
	chmod: (programs) => {
		if (!programs.files.lstat(file).isFile()) throw impossible();
		programs.files.chmod(file, 0o755);
		programs.isExecutable = true;
	},
	symlink: (programs) => {
		programs.remove();
		programs.files.symlink(Buffer.from(programs.mark()), file);
	},
	directory: (programs) => {
		programs.remove();
		programs.files.mkdir(file);
		programs.files.writeFile(`${file}/inside`, programs.version(Buffer.alloc(0)));
	},
	"directory-gone": (programs) => {
		if (!programs.files.lstat(`${root}/${directory}`).isDirectory()) throw impossible();
		programs.removeAll(`${root}/${directory}`);
		programs.files.writeFile(`${root}/${directory}`, programs.version(Buffer.alloc(0)));
	},
	"directory-away": (programs) => {
		programs.files.rename(`${root}/${directory}`, `${root}/away`);
		programs.isReset = true;
	},
	same: (programs) => programs.put(programs.read()),
	"rename-same": (programs) => programs.over(programs.read()),
	read: (programs) => {
		const descriptor = programs.files.open(file, O_RDONLY);
		programs.files.readAll(descriptor);
		programs.files.close(descriptor);
	},
};

/** Carries an act out, as far as it is possible. @returns whether it was */
export function perform(programs: Programs, act: string): boolean {
	const before = [...programs.needs];
	const { isExecutable } = programs;
	if (act !== "read") programs.isExecutable = false;
	try {
		acts[act]?.(programs);
		return true;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === undefined) throw error;
		programs.needs.clear();
		for (const [mark, need] of before) programs.needs.set(mark, need);
		programs.isExecutable = isExecutable;
		return false;
	}
}
