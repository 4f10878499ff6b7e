import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import type { Repository } from "@robust-sync/git";
import { personEnvironment, Scratch } from "@robust-sync/git/fixtures/scratch";
import { type MonotonicClock, monotonicClock } from "@robust-sync/system/monotonic-clock";
import { ensureExcluded, parseConfig, WorkspacePaths } from "@robust-sync/workspace";
import { type CycleResult, runCycle } from "../../cycle/cycle.ts";
import { newMemory } from "../../daemon/new-memory.ts";
import { cycleContext } from "../cycle-context.ts";
import { tokensIn } from "./contents.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** In memory, if possible: nothing here depends on a disk. */
const memoryDirectory = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir();

/** The entries of one commit at some paths: a file's content, a link's target, or null: none. */
export type Files = ReadonlyMap<string, Buffer | string | null>;

/** Two nodes and their hub, with cycles in this process. The clock is ours. */
export class World extends Scratch {
	/** How far our clocks are ahead of the kernel's, milliseconds. */
	aheadMs = 0;
	/** The same for the clock that a person can set, on top. */
	stepMs = 0;
	#stops = 0;
	#stoppedAt: number | null = null;
	readonly #clock: MonotonicClock = {
		bootId: monotonicClock.bootId,
		now: () => monotonicClock.now() + this.aheadMs - this.#stoppedForMs(),
	};
	readonly #memories = new Map<string, ReturnType<typeof newMemory>>();
	readonly #repositories = new Map<string, Repository>();
	/** The first node's top directory, after its last cycle. */
	#top: fs.Dirent[] | null = null;

	constructor() {
		super("explore", memoryDirectory);
		this.hub();
		for (const name of ["here", "there"]) ensureExcluded(this.init(name, this.path("hub.git")));
	}

	/** A commit on the hub by a third node. One process. */
	commitOnHub(files: Files, executable: ReadonlySet<string> = new Set()): void {
		const parts: (string | Buffer)[] = [
			"commit refs/heads/main\ncommitter Third <third@example.org> ",
			`${Math.floor((Date.now() + this.aheadMs) / 1000)} +0000\ndata 6\nthird\n\n`,
		];
		if (fs.existsSync(this.path("hub.git/refs/heads/main"))) parts.push("from refs/heads/main^0\n");
		for (const [name, content] of files) {
			const mode = typeof content === "string" ? "120000" : executable.has(name) ? "100755" : "100644";
			if (content === null) parts.push(`D ${name}\n`);
			else parts.push(`M ${mode} inline ${name}\ndata ${content.length}\n`, content, "\n");
		}
		const input = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
		const env = personEnvironment(this.directory);
		const { status, stderr } = spawnSync("git", ["--git-dir", this.path("hub.git"), "fast-import", "--quiet"], { input, env });
		if (status !== 0) throw new Error(stderr.toString("utf8"));
	}

	/** The executable files on the hub. */
	hubExecutables(): Set<string> {
		const entries = this.git("hub.git", "ls-tree", "-r", "-z", "main").split("\0");
		return new Set(entries.filter((entry) => entry.startsWith("100755 ")).map((entry) => entry.slice(entry.indexOf("\t") + 1)));
	}

	/** The contents of files on the hub; no entry if there is none at that path. */
	hubFiles(names: readonly string[]): Map<string, Buffer> {
		const options = { input: names.map((name) => `main:${name}\n`).join(""), env: personEnvironment(this.directory), maxBuffer: 1 << 30 };
		const { stdout } = spawnSync("git", ["--git-dir", this.path("hub.git"), "cat-file", "--batch"], options);
		const found = new Map<string, Buffer>();
		let at = 0;
		for (const name of names) {
			const end = stdout.indexOf(0x0a, at);
			const [, type, size] = /^[0-9a-f]+ (\w+) (\d+)$/.exec(stdout.subarray(at, end).toString("latin1")) ?? [];
			at = end + 1;
			if (size === undefined) continue;
			if (type === "blob") found.set(name, stdout.subarray(at, at + Number(size)));
			at += Number(size) + 1;
		}
		return found;
	}

	/** One cycle of a node, as in its daemon. @param process another process of the node, which has its own memory: `once` for one that ends after it */
	async cycle(name: "here" | "there", process: "daemon" | "other" | "once" = "daemon"): Promise<CycleResult> {
		this.#top = null;
		const key = process === "daemon" ? name : `${name} ${process}`;
		const isOnce = process === "once";
		const known = isOnce ? undefined : this.#memories.get(key);
		const memory = known ?? newMemory(new WorkspacePaths(this.path(name)), !isOnce, this.#clock);
		const repository = (isOnce ? undefined : this.#repositories.get(key)) ?? (await this.open(name));
		this.#memories.set(key, memory);
		this.#repositories.set(key, repository);
		const config = parseConfig({ NODE_NAME: name, GUARD: "0", SYNC_SECRETS: "off", SYNC_PUSH_INTERVAL: "0" });
		const now = () => Date.now() + this.aheadMs + this.stepMs - this.#stoppedForMs();
		return await runCycle(await cycleContext(this, name, { memory, repository, config, log: silent, now }));
	}

	/** How long our clocks have been stopped, milliseconds. */
	#stoppedForMs(): number {
		return this.#stoppedAt === null ? 0 : performance.now() - this.#stoppedAt;
	}

	/** Stops our clocks, until all that have stopped them let them go on. They catch up then. @returns `isNow`: they show the present time */
	stopClock(): { isNow: boolean; goOn: () => void } {
		const isNow = this.#stoppedForMs() < 200;
		this.#stoppedAt ??= performance.now();
		this.#stops++;
		const goOn = () => {
			this.#stops--;
			if (this.#stops === 0) this.#stoppedAt = null;
		};
		return { isNow, goOn };
	}

	/** The daemon of a node was killed, and a new one begins. */
	restart(name: "here" | "there"): void {
		const memory = newMemory(new WorkspacePaths(this.path(name)), true, this.#clock);
		this.#memories.set(name, { ...memory, branch: "main", lastBranch: "main", resumed: true });
		this.#repositories.delete(name);
	}

	/** Cycles until nothing more happens. @returns the faults: the nodes must converge */
	async settle(): Promise<string[]> {
		for (let round = 0; round < 12; round++) {
			let isBusy = false;
			for (const name of ["here", "there"] as const) {
				this.aheadMs += 700;
				const { busy, committed, pulled, pushed, rescued } = await this.cycle(name);
				isBusy ||= busy + committed + pulled + pushed + rescued > 0;
			}
			if (!isBusy) return [];
		}
		return ["the nodes do not come to rest"];
	}

	/** The faults of the repositories and leftovers, one line each. */
	problems(): string[] {
		const problems: string[] = [];
		const [here, there, hub] = ["here", "there", "hub.git"].map((name) => this.git(name, "rev-parse", "main").trim());
		if (here !== there || here !== hub) problems.push(`the nodes and the hub differ: ${here} ${there} ${hub}`);
		for (const name of ["here", "there"]) {
			const status = this.git(name, "status", "--porcelain", "--untracked-files=all");
			if (status !== "") problems.push(`${name}: git status is not clean: ${status}`);
			const differs = this.#differsFromCommit(name);
			if (differs !== "") problems.push(`${name}: the files are not those of the commit, and the index hides it: ${differs}`);
			const paths = new WorkspacePaths(this.path(name));
			const staged = fs.existsSync(paths.staging) ? fs.readdirSync(paths.staging).map((left) => `${paths.staging}/${left}`) : [];
			for (const left of [paths.journal, ...staged]) if (fs.existsSync(left)) problems.push(`${name}: ${left} is left behind`);
			const held = fs.existsSync(`${paths.sync}/held.json`) ? fs.readFileSync(`${paths.sync}/held.json`, "utf8") : "";
			if (/"reason"/.test(held)) problems.push(`${name}: a path is held: ${held}`);
			for (const lock of this.#filesBelow(`${name}/.git`)) if (lock.endsWith(".lock")) problems.push(`${name}: ${lock} is left behind`);
		}
		return problems;
	}

	/** An index without stat data: git reads all files. */
	#differsFromCommit(name: string): string {
		const options = {
			cwd: this.path(name),
			env: { ...personEnvironment(this.directory), GIT_INDEX_FILE: this.path("fresh-index") },
			encoding: "utf8",
		} as const;
		fs.rmSync(this.path("fresh-index"), { force: true });
		const read = spawnSync("git", ["read-tree", "main"], options);
		return read.stderr + spawnSync("git", ["status", "--porcelain", "--untracked-files=all"], options).stdout;
	}

	*#filesBelow(directory: string): Generator<string> {
		const entries = fs.existsSync(this.path(directory)) ? fs.readdirSync(this.path(directory), { withFileTypes: true }) : [];
		for (const entry of entries) {
			if (entry.isDirectory()) yield* this.#filesBelow(`${directory}/${entry.name}`);
			else yield `${directory}/${entry.name}`;
		}
	}

	/** The entries of the first node's top directory with this name, or with a name for a file beside it. */
	#entriesOf(name: string): readonly fs.Dirent[] {
		this.#top ??= fs.readdirSync(this.path("here"), { withFileTypes: true });
		return this.#top.filter((entry) => entry.name === name || entry.name.startsWith(`${name}~`));
	}

	/** The files on disk below a directory of the first node, or beside it: contents, targets of links; and the executable ones. */
	tree(directory: string): { bytes: Buffer; executable: string[] } {
		const parts: Buffer[] = [];
		const executable: string[] = [];
		const own = this.#entriesOf(directory);
		for (const file of own.flatMap((entry) =>
			entry.isDirectory() ? [...this.#filesBelow(`here/${entry.name}`)] : [`here/${entry.name}`],
		)) {
			const stats = fs.lstatSync(this.path(file));
			if (stats.isSymbolicLink()) parts.push(fs.readlinkSync(this.path(file), { encoding: "buffer" }));
			else {
				if ((stats.mode & 0o100) !== 0) executable.push(file);
				parts.push(fs.readFileSync(this.path(file)));
			}
			parts.push(Buffer.from("\n"));
		}
		return { bytes: Buffer.concat(parts), executable };
	}

	/** The paths that a commit of a node deletes. */
	deletedPaths(): Set<string> {
		const log = this.git("here", "log", "-z", "--no-merges", "--no-renames", "--diff-filter=D", "--name-only", "--format=", "main");
		return new Set(log.split("\0"));
	}

	/** Every mark in history and in saved versions. */
	keptTokens(): Set<string> {
		const kept = new Set<string>();
		const take = (bytes: Buffer) => {
			for (const token of tokensIn(bytes)) kept.add(token);
		};
		for (const name of ["here", "there"])
			for (const file of this.#filesBelow(`${name}/sync/conflicts`)) take(fs.readFileSync(this.path(file)));
		const options = { cwd: this.path("here"), env: personEnvironment(this.directory), maxBuffer: 1 << 30 };
		const objects = spawnSync("git", ["rev-list", "--objects", "--no-object-names", "main"], options).stdout;
		take(spawnSync("git", ["cat-file", "--batch"], { ...options, input: objects }).stdout);
		return kept;
	}
}
