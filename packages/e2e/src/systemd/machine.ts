import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import { attempt, type CommandOptions, type Ended, must, until } from "./command.ts";
import type { Network } from "./network.ts";

export interface MachineOptions {
	name: string;
	network: Network;
	/** Its base image; never written to. */
	rootFileSystem: string;
	/** For its own layer of files and its console. */
	directory: string;
}

const environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb"];
const bootDeadlineMs = 90_000;

/** A host of its own: systemd as PID 1 in a container, with a network namespace and a file system that outlives a power cut. */
export class Machine {
	readonly name: string;
	readonly #options: MachineOptions;
	readonly #console: string;
	#nspawn: ChildProcess | undefined;
	#init: number | undefined;

	private constructor(options: MachineOptions) {
		this.name = options.name;
		this.#options = options;
		this.#console = path.join(options.directory, "console.log");
	}

	/** Makes its network interface and file system; it is off. */
	static async make(options: MachineOptions): Promise<Machine> {
		const machine = new Machine(options);
		await options.network.add(options.name);
		for (const name of ["upper", "work", "root"]) mkdirSync(path.join(options.directory, name), { recursive: true });
		await must([
			...["mount", "-t", "overlay", "overlay", "-o"],
			`lowerdir=${options.rootFileSystem},upperdir=${machine.#at("upper")},workdir=${machine.#at("work")}`,
			machine.root,
		]);
		return machine;
	}

	#at(name: string): string {
		return path.join(this.#options.directory, name);
	}

	/** Where its file system is seen from outside. */
	get root(): string {
		return this.#at("root");
	}

	/** Switches it on. Resolves when systemd has started everything; to the milliseconds that took. */
	async boot(): Promise<number> {
		const { network } = this.#options;
		const out = openSync(this.#console, "a");
		this.#nspawn = spawn(
			"systemd-nspawn",
			[
				...["--quiet", "--directory", this.root, "--machine", network.namespaceOf(this.name), "--hostname", this.name],
				...["--boot", "--register=no", "--keep-unit", "--resolv-conf=off", "--link-journal=no"],
				`--network-namespace-path=/run/netns/${network.namespaceOf(this.name)}`,
				`--bind-ro=${network.hostsFile}:/etc/hosts`,
				`--bind-ro=${process.execPath}:/usr/bin/node`,
				"--capability=CAP_NET_ADMIN",
			],
			{ stdio: ["ignore", out, out], detached: true },
		);
		closeSync(out);
		const { tookMs } = await until(
			`${this.name} has booted (${this.#console})`,
			async () => {
				if (!this.isOn) throw new Error(`${this.name} stopped while booting:\n${readFileSync(this.#console, "utf8").slice(-2000)}`);
				this.#init = this.#firstChild();
				if (!this.#init) return false;
				const { stdout } = await this.attempt("systemctl is-system-running");
				return /^(running|degraded)$/.test(stdout.trim());
			},
			{ deadlineMs: bootDeadlineMs },
		);
		return tookMs;
	}

	#firstChild(): number | undefined {
		try {
			const pid = this.#nspawn?.pid;
			return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ")[0]) || undefined;
		} catch {
			return undefined;
		}
	}

	get isOn(): boolean {
		return this.#nspawn !== undefined && this.#nspawn.exitCode === null && this.#nspawn.signalCode === null;
	}

	#inside(script: string): string[] {
		if (!this.#init || !this.isOn) throw new Error(`${this.name} is off`);
		return ["nsenter", "-t", String(this.#init), "-a", "env", "-i", ...environment, "bash", "-c", script];
	}

	/** Runs a shell script in it, with any exit code. */
	attempt(script: string, options?: CommandOptions): Promise<Ended> {
		return attempt(this.#inside(script), options);
	}

	/** Runs a shell script in it that must succeed. @returns its standard output, trimmed */
	async run(script: string, options?: CommandOptions): Promise<string> {
		return (await must(this.#inside(script), options)).trim();
	}

	/** Whether a script succeeds in it. */
	async is(script: string): Promise<boolean> {
		return (await this.attempt(script)).code === 0;
	}

	/** Shuts it down in an orderly way. */
	async powerOff(): Promise<void> {
		await this.#end("SIGRTMIN+4");
	}

	/** Kills everything in it at once: no goodbyes are sent. */
	async pullPlug(): Promise<void> {
		await this.#end("SIGKILL");
	}

	async #end(signal: string): Promise<void> {
		if (!this.isOn) return;
		const nspawn = this.#nspawn!;
		const gone = new Promise((resolve) => nspawn.once("exit", resolve));
		// Node knows no real-time signals.
		await attempt(["kill", "-s", signal.replace(/^SIG/, ""), String(this.#init ?? nspawn.pid)]);
		const timer = setTimeout(() => {
			if (this.#init) process.kill(this.#init, "SIGKILL");
			nspawn.kill("SIGKILL");
		}, 60_000);
		await gone;
		clearTimeout(timer);
		this.#init = undefined;
	}

	async remove(): Promise<void> {
		await this.pullPlug();
		await attempt(["umount", "--lazy", this.root]);
	}
}
