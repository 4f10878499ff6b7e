import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import { SmallDisk } from "../fixture/small-disk.ts";
import type { World } from "../fixture/world.ts";

/** The services of every machine. */
export type Service = "robust-sync" | "heartbeat" | "monitor";
export const services: readonly Service[] = ["robust-sync", "heartbeat", "monitor"];

/** A service that ended although it should run is started again after this long, as a service manager does. */
const restartMs = 500;

export interface MachineOptions {
	readonly hubUrl: string;
	readonly env: Record<string, string>;
	/** The command prefix of its processes: a network namespace of its own. */
	readonly under: readonly string[];
	/** Its workspace is on a disk of its own that can be full. */
	readonly ownDisk: boolean;
	/** How a service is started: the command and its first arguments. */
	readonly command: (service: Service) => readonly string[];
}

/** Below this directory is a process that was started with the machine's environment. */
export function processesOf(directory: string): { pid: number; command: string }[] {
	return fs
		.readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
		.flatMap((name) => {
			try {
				const command = fs.readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").join(" ").trim();
				if (command === "") return [];
				const isThere =
					fs.readlinkSync(`/proc/${name}/cwd`).startsWith(directory) ||
					fs.readFileSync(`/proc/${name}/environ`, "utf8").includes(`SYNC_WORKSPACE=${directory}`);
				return isThere ? [{ pid: Number(name), command }] : [];
			} catch {
				return [];
			}
		});
}

export function signal(pid: number, name: NodeJS.Signals): void {
	try {
		process.kill(pid, name);
	} catch {
		// It has ended by itself.
	}
}

/** One node: a workspace, on a disk and in a network namespace of its own where that can be had, and the services there. */
export class Machine {
	readonly name: string;
	readonly workspace: string;
	readonly disk: SmallDisk | null;
	readonly #world: World;
	readonly #options: MachineOptions;
	readonly #running = new Map<Service, ChildProcess>();
	readonly #wanted = new Set<Service>();
	readonly #clock: string;

	constructor(world: World, name: string, options: MachineOptions) {
		this.name = name;
		this.#world = world;
		this.#options = options;
		this.disk = options.ownDisk ? SmallDisk.mount(world, `disk-${name}`, "size=1g") : null;
		const directory = this.disk ? `disk-${name}/${name}` : name;
		world.init(directory, options.hubUrl);
		this.workspace = world.path(directory);
		this.#clock = world.path(`${name}.clock`);
		fs.writeFileSync(this.#clock, "0");
	}

	/** Milliseconds that this machine's clock is ahead from now on. */
	setClock(aheadMs: number): void {
		fs.writeFileSync(this.#clock, String(aheadMs));
	}

	environment(): NodeJS.ProcessEnv {
		return this.#world.environment({
			NODE_NAME: this.name,
			SYNC_WORKSPACE: this.workspace,
			NODE_OPTIONS: `--import=${this.#world.path("clock-step.mjs")}`,
			CHAOS_CLOCK: this.#clock,
			...this.#options.env,
		});
	}

	spawn(command: readonly string[], output: string): ChildProcess {
		const [file = "", ...args] = [...this.#options.under, ...command];
		const out = fs.openSync(this.#world.path(output), "a");
		const child = spawn(file, args, { cwd: this.workspace, env: this.environment(), stdio: ["ignore", out, out], detached: true });
		fs.closeSync(out);
		return child;
	}

	start(service: Service): void {
		this.#wanted.add(service);
		const child = this.spawn(
			[...this.#options.command(service), ...(service === "monitor" ? ["--daemon"] : [])],
			`${this.name}-${service}.out`,
		);
		this.#running.set(service, child);
		child.once("exit", () => {
			if (this.#running.get(service) === child) this.#running.delete(service);
			setTimeout(() => {
				if (this.#wanted.has(service) && !this.#running.has(service)) this.start(service);
			}, restartMs);
		});
	}

	/** Runs a command to its end there. @returns its exit code; null: it was killed for its time */
	async run(command: readonly string[], limitMs: number): Promise<number | null> {
		const child = this.spawn(command, `${this.name}-commands.out`);
		const timer = setTimeout(() => signal(child.pid ?? 0, "SIGKILL"), limitMs);
		const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
		clearTimeout(timer);
		return code;
	}

	/** One cycle beside the daemon. @returns its exit code */
	async runOnce(limitMs: number): Promise<number | null> {
		return await this.run([...this.#options.command("robust-sync"), "--once"], limitMs);
	}

	/** The pid of the process that does the work: robust-sync's worker, where its supervisor has one. */
	pid(service: Service): number | null {
		const parent = this.#running.get(service)?.pid;
		if (parent === undefined) return null;
		return processesOf(this.workspace).find(({ pid, command }) => parentOf(pid) === parent && command.includes("node"))?.pid ?? parent;
	}

	supervisor(service: Service): number | null {
		return this.#running.get(service)?.pid ?? null;
	}

	/** Stops every service, as a service manager does. @returns the services that did not stop well, in words */
	async stop(graceMs: number): Promise<string[]> {
		this.#wanted.clear();
		const problems: string[] = [];
		await Promise.all(
			[...this.#running].map(async ([service, child]) => {
				const ended = new Promise<string>((resolve) => child.once("exit", (code, name) => resolve(String(name ?? code))));
				child.kill("SIGTERM");
				const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
				const code = await ended;
				clearTimeout(timer);
				if (code !== "0") problems.push(`${this.name}: ${service} ended with ${code} when it was asked to stop`);
			}),
		);
		return problems;
	}
}

function parentOf(pid: number): number {
	try {
		return Number(
			fs
				.readFileSync(`/proc/${pid}/stat`, "latin1")
				.replace(/^.*\) /s, "")
				.split(" ")[1],
		);
	} catch {
		return 0;
	}
}

/** The environment of a machine's processes: Date follows CHAOS_CLOCK, as if the clock had been set. */
export const clockStep = `import fs from "node:fs";
const RealDate = Date, real = Date.now;
let ahead = 0, lookedAt = 0;
function now() {
	const at = real();
	if (at - lookedAt > 100) {
		lookedAt = at;
		try { ahead = Number(fs.readFileSync(process.env.CHAOS_CLOCK, "utf8")) || 0; } catch {}
	}
	return at + ahead;
}
globalThis.Date = class extends RealDate {
	constructor(...args) { if (args.length === 0) super(now()); else super(...args); }
	static now() { return now(); }
};
`;
