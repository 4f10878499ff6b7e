import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { FileExchanger, Repository } from "@robust-sync/git";

// Every system call and git command of the product passes here first. The product has no hook for this and
// needs none: its modules call the functions of node:fs by name, and these are replaced while a trap is set.

/** One call, before it is made. */
export interface Call {
	/** The function of node:fs, `exchange`, `copyAttributes`, or `git` with its first argument. */
	readonly name: string;
	/** The last components of its paths, one character a byte. */
	readonly files: readonly string[];
	/** Whether it changes the disk. */
	readonly changes: boolean;
}

/** The process counts as killed: each of its calls throws this from now on, even after a catch. */
export class Killed extends Error {
	override readonly name = "Killed";
}

/** Functions of node:fs → whether they change something. `openSync` changes something by its flags. */
const traps: Readonly<Record<string, boolean>> = {
	lstatSync: false,
	statSync: false,
	readlinkSync: false,
	openSync: false,
	readFileSync: false,
	existsSync: false,
	readdirSync: false,
	writeFileSync: true,
	appendFileSync: true,
	copyFileSync: true,
	linkSync: true,
	symlinkSync: true,
	renameSync: true,
	unlinkSync: true,
	rmSync: true,
	rmdirSync: true,
	mkdirSync: true,
	truncateSync: true,
	utimesSync: true,
	chmodSync: true,
	chownSync: true,
};

/** Those that name two files. */
const twoPaths: ReadonlySet<string> = new Set(["copyFileSync", "linkSync", "symlinkSync", "renameSync"]);

/** Those that change nothing if their result is there already. */
const makesOrRemoves: ReadonlySet<string> = new Set(["mkdirSync", "rmSync", "rmdirSync", "unlinkSync"]);

/** Commands of git that change nothing. */
const reading: ReadonlySet<string> = new Set([
	"cat-file",
	"diff-tree",
	"for-each-ref",
	"log",
	"ls-files",
	"ls-remote",
	"ls-tree",
	"merge-base",
	"rev-list",
	"rev-parse",
]);

const writing = fs.constants.O_WRONLY | fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC;

function isWriting(flags: unknown): boolean {
	return typeof flags === "string" ? /[wa+x]/.test(flags) : typeof flags === "number" && (flags & writing) !== 0;
}

function lastComponent(name: unknown): string | null {
	const text = Buffer.isBuffer(name) ? name.toString("latin1") : typeof name === "string" ? Buffer.from(name).toString("latin1") : null;
	return text === null ? null : text.slice(text.lastIndexOf("/") + 1);
}

type Function = (...args: unknown[]) => unknown;

/** Calls `observe` before each call of the product while it is set and enabled. Only one at a time. */
export class Trap {
	readonly #observe: (call: Call) => void;
	readonly #real = new Map<string, Function>();
	readonly #exchange = FileExchanger.prototype.exchange;
	readonly #copyAttributes = FileExchanger.prototype.copyAttributes;
	readonly #run = Repository.prototype.run;
	#isEnabled = false;
	#isInside = false;
	#isDead = false;

	readonly #canExchange: boolean;

	/** @param canExchange whether files can be exchanged in one step; else they are renamed away and linked */
	constructor(observe: (call: Call) => void, canExchange: boolean) {
		this.#observe = observe;
		this.#canExchange = canExchange;
	}

	/** Replaces the functions. */
	set(): void {
		const trap = this;
		const functions = fs as unknown as Record<string, Function>;
		for (const [name, changes] of Object.entries(traps)) {
			const real = functions[name] as Function;
			this.#real.set(name, real);
			functions[name] = (...args) => trap.#pass(name, args, trap.#isChange(name, args, changes), () => real(...args));
		}
		syncBuiltinESMExports();
		FileExchanger.prototype.exchange = async function (a, b) {
			if (!trap.#canExchange) return false;
			trap.#meet("exchange", [a, b], true);
			const done = await trap.#exchange.call(this, a, b);
			trap.#meet("exchanged", [a, b], true);
			return done;
		};
		FileExchanger.prototype.copyAttributes = async function (from, to) {
			trap.#meet("copyAttributes", [from, to], true);
			return await trap.#copyAttributes.call(this, from, to);
		};
		Repository.prototype.run = async function (args, options) {
			trap.#meet(`git ${args[0]}`, [], !reading.has(args[0] ?? ""));
			const result = await trap.#run.call(this, args, options);
			if (trap.#isDead) throw new Killed();
			return result;
		};
	}

	/** Puts the real functions back. */
	remove(): void {
		for (const [name, real] of this.#real) (fs as unknown as Record<string, Function>)[name] = real;
		syncBuiltinESMExports();
		FileExchanger.prototype.exchange = this.#exchange;
		FileExchanger.prototype.copyAttributes = this.#copyAttributes;
		Repository.prototype.run = this.#run;
	}

	/** Observes the calls of `work` only. */
	async during<T>(work: () => Promise<T>): Promise<T> {
		this.#isEnabled = true;
		try {
			return await work();
		} finally {
			this.#isEnabled = false;
			this.#isDead = false;
		}
	}

	/** For the observer: the process is dead until the observed work has ended. */
	kill(): never {
		this.#isDead = true;
		throw new Killed();
	}

	/** Whether a call changes something at this moment: one that makes what is there, or removes what is not, does not. */
	#isChange(name: string, args: readonly unknown[], changes: boolean): boolean {
		if (!this.#isEnabled || this.#isInside) return false;
		if (name === "openSync") return isWriting(args[1]);
		if (!makesOrRemoves.has(name)) return changes;
		try {
			return (this.#real.get("lstatSync")?.(args[0], { throwIfNoEntry: false }) !== undefined) !== (name === "mkdirSync");
		} catch {
			return true;
		}
	}

	#meet(name: string, paths: readonly unknown[], changes: boolean): void {
		if (!this.#isEnabled || this.#isInside) return;
		if (this.#isDead) throw new Killed();
		this.#isInside = true;
		try {
			this.#observe({ name, files: paths.map(lastComponent).filter((file) => file !== null), changes });
		} finally {
			this.#isInside = false;
		}
	}

	#pass(name: string, args: readonly unknown[], changes: boolean, real: () => unknown): unknown {
		if (!this.#isEnabled || this.#isInside) return real();
		this.#meet(name, args.slice(0, twoPaths.has(name) ? 2 : 1), changes);
		// Calls inside a function of node:fs are one call of the product.
		this.#isInside = true;
		try {
			return real();
		} finally {
			this.#isInside = false;
		}
	}
}
