import fs from "node:fs";
import { diskFiles } from "@robust-sync/system/disk-files";
import { type Files, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from "@robust-sync/system/files";
import { ModelFiles } from "@robust-sync/system/testing/model-files";
import fc from "fast-check";
import type { FileExchanger } from "../files/exchange-files.ts";

// The same calls on the model of a file system and on a real one: results, errors and files must be equal.

const names = ["a", "b", "l", "d", "d/a", "d/b", "d/e", "d/e/a", "l/a", "d/../b", "d/.", "d/e/..", `${"n".repeat(256)}`, "m", "m/a", "m/b"];
const targets = ["a", "d", "../a", "l", "d/e", "missing", "", "n".repeat(4_096)];
const flags: readonly number[] = [
	O_RDONLY,
	O_RDWR,
	O_WRONLY | O_CREAT | O_TRUNC,
	O_WRONLY | O_CREAT | O_EXCL,
	O_WRONLY | fs.constants.O_APPEND,
	O_RDONLY | O_NOFOLLOW,
	O_DIRECTORY,
	O_DIRECTORY | O_NOFOLLOW,
	O_RDWR | O_CREAT | O_NOFOLLOW,
];

/** Seconds since the epoch. */
const oldSeconds = 1_000_000_000;
const isOld = (ms: number) => ms < 1.5e12;

/** Calls by name: those with one path, with two, and with a descriptor. */
const calls: Readonly<Record<string, (files: Files, a: string, b: string, number: number) => unknown>> = {
	mkdir: (files, a) => files.mkdir(a),
	rmdir: (files, a) => files.rmdir(a),
	unlink: (files, a) => files.unlink(a),
	rename: (files, a, b) => files.rename(a, b),
	link: (files, a, b) => files.link(a, b),
	readdir: (files, a) => files.readdir(a).map(String).sort(),
	readlink: (files, a) => files.readlink(a).toString(),
	lstat: (files, a) => kindOf(files.lstat(a)),
	stat: (files, a) => kindOf(files.stat(a)),
	exists: (files, a) => files.exists(a),
	checkReadable: (files, a) => files.checkReadable(a),
	writeFile: (files, a, _b, number) => files.writeFile(a, Buffer.from(`${number}\n`), { isNew: number % 5 === 0 }),
	readUnseen: (files, a) => files.readUnseen(a).toString(),
	readFile: (files, a) => files.readFile(a).toString(),
	chmod: (files, a, _b, number) => files.chmod(a, number % 2 === 0 ? 0o755 : 0o700),
	utimes: (files, a) => files.utimes(a, oldSeconds, oldSeconds),
	markUnread: (files, a) => files.markUnread(a),
	copy: (files, a, b, number) => (files.lstatIfThere(a)?.isFile() ? files.copy(a, b, number % 2 === 0) : null),
	removeTree: (files, a) => (/\/(\.+|m)$/.test(a) || files.lstatIfThere(a) === null ? null : files.removeTree(a)),
};

const onDescriptors = ["open", "read", "write", "fsync", "close", "below", "into", "directory"] as const;

interface Step {
	readonly call: string;
	readonly a: string;
	readonly b: string;
	readonly number: number;
}

/** Before each sequence: most calls find something. */
const first: readonly Step[] = [
	{ call: "writeFile", a: "a", b: "", number: 1 },
	{ call: "mkdir", a: "d", b: "", number: 0 },
	{ call: "writeFile", a: "d/a", b: "", number: 1 },
	{ call: "open", a: "a", b: "", number: 1 },
];

/** Sequences of calls. */
export const steps = fc.array(
	fc.record({
		call: fc.constantFrom(...Object.keys(calls), ...onDescriptors, ...onDescriptors, "symlink", "exchange"),
		a: fc.constantFrom(...names),
		b: fc.constantFrom(...names),
		number: fc.nat(40),
	}),
	{ minLength: 1, maxLength: 60, size: "max" },
);

function kindOf(stats: fs.Stats): string {
	const kind = stats.isDirectory() ? "directory" : stats.isSymbolicLink() ? "link" : stats.isFile() ? "file" : "other";
	const size = kind === "directory" ? "" : ` ${stats.size} bytes ${stats.nlink} names`;
	const times = kind === "file" ? ` ${isOld(stats.mtimeMs) ? "old" : "new"} ${isOld(stats.atimeMs) ? "unread" : "read"}` : "";
	return `${kind} ${kind === "link" ? "" : (stats.mode & 0o777).toString(8)}${size}${times}`;
}

/** One of the two file systems, with its open descriptors. */
class Side {
	readonly files: Files;
	readonly root: string;
	readonly exchange: (a: Buffer, b: Buffer) => boolean | Promise<boolean>;
	readonly #open: number[] = [];

	constructor(files: Files, root: string, exchange: (a: Buffer, b: Buffer) => boolean | Promise<boolean>) {
		this.files = files;
		this.root = root;
		this.exchange = exchange;
	}

	async run({ call, a, b, number }: Step): Promise<unknown> {
		const [one, two] = [`${this.root}/r/${a}`, `${this.root}/r/${b}`];
		try {
			if (call === "exchange") return await this.exchange(Buffer.from(one), Buffer.from(two));
			if (call === "symlink") return this.files.symlink(Buffer.from(targets[number % targets.length] as string), one) ?? "done";
			return (onDescriptors as readonly string[]).includes(call)
				? this.#onDescriptor(call, one, number)
				: (calls[call]?.(this.files, one, two, number) ?? "done");
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			if (code === undefined) throw error;
			return code;
		}
	}

	#onDescriptor(call: string, file: string, number: number): unknown {
		const { files } = this;
		if (call === "open" || call === "directory") {
			const open = call === "open" ? files.open(file, flags[number % flags.length] as number) : files.openDirectory(file, number % 2 === 0);
			this.#open.push(open);
			return "open";
		}
		const at = number % Math.max(1, this.#open.length);
		const descriptor = this.#open[at];
		if (descriptor === undefined) return "none";
		const into = Buffer.alloc(3);
		if (call === "read") return into.toString("latin1", 0, files.read(descriptor, into));
		if (call === "write") return files.write(descriptor, Buffer.from(`w${number}`));
		if (call === "fsync") return files.fsync(descriptor) ?? "done";
		// Below an open directory, whatever its name is by now.
		if (call === "below") {
			const name = files.nameOfOpen(descriptor);
			return name === null ? "none" : (files.writeFile(`${name}/a`, Buffer.from(`${number}`)) ?? "done");
		}
		if (call === "into") {
			const name = files.nameOfOpen(descriptor);
			return name === null ? "none" : (files.rename(file, `${name}/b`) ?? "done");
		}
		this.#open.splice(at, 1);
		return files.close(descriptor) ?? "closed";
	}

	end(): void {
		for (const descriptor of this.#open.splice(0)) this.files.close(descriptor);
	}

	/** All files below the directory of the calls and the one above it, with their contents and which of them are one. */
	all(): string[] {
		const inodes = new Map<string, number>();
		const list = (directory: string): string[] =>
			this.files
				.readdir(directory)
				.map(String)
				.sort()
				.flatMap((name) => {
					const file = `${directory}/${name}`;
					const stats = this.files.lstat(file);
					const key = `${stats.dev} ${stats.ino}`;
					inodes.set(key, inodes.get(key) ?? inodes.size);
					const text = stats.isDirectory() ? "" : stats.isFile() ? this.files.readUnseen(file) : this.files.readlink(file);
					const line = `${file.slice(this.root.length)} ${kindOf(stats)} #${inodes.get(key)} ${text}`;
					return [line, ...(stats.isDirectory() ? list(file) : [])];
				});
		return list(this.root);
	}
}

/**
 * Runs calls on the model and in a directory.
 * @param directory emptied afterwards @param hasMount whether another file system is mounted at `r/m` in it @returns the first difference; null: none
 */
export async function compareFiles(
	sequence: readonly Step[],
	directory: string,
	exchanger: FileExchanger,
	hasMount = false,
): Promise<string | null> {
	const model = new ModelFiles();
	model.makeTree("/work/r");
	if (hasMount) {
		model.mkdir("/work/r/m");
		model.mount("/work/r/m");
	}
	fs.mkdirSync(`${directory}/r`, { recursive: true });
	const exchanged = (a: Buffer, b: Buffer) => {
		try {
			model.exchange(a, b);
			return true;
		} catch {
			return false;
		}
	};
	const sides = [new Side(model, "/work", exchanged), new Side(diskFiles, directory, (a, b) => exchanger.exchange(a, b))] as const;
	try {
		for (const [at, step] of [...first, ...sequence].entries()) {
			const [expected, found] = [await sides[1].run(step), await sides[0].run(step)];
			if (JSON.stringify(expected) !== JSON.stringify(found))
				return `call ${at}: ${JSON.stringify(step)}: disk ${JSON.stringify(expected)}, model ${JSON.stringify(found)}`;
			const [onDisk, inModel] = [sides[1].all(), sides[0].all()].map((lines) => lines.join("\n"));
			if (onDisk !== inModel) return `after call ${at}: ${JSON.stringify(step)}:\ndisk\n${onDisk}\nmodel\n${inModel}`;
		}
		return null;
	} finally {
		for (const side of sides) side.end();
		// A mounted file system stays, with its mode.
		if (hasMount) fs.chmodSync(`${directory}/r/m`, 0o755);
		for (const above of hasMount ? [directory, `${directory}/r`, `${directory}/r/m`] : [directory])
			for (const name of fs.readdirSync(above))
				if (!hasMount || !["r", "m"].includes(name)) fs.rmSync(`${above}/${name}`, { recursive: true, force: true });
	}
}
