import fs from "node:fs";
import { Scratch, until } from "@robust-sync/git/fixtures/scratch";
import { type MonotonicClock, monotonicClock } from "@robust-sync/system/monotonic-clock";
import { type Config, parseConfig, WorkspacePaths } from "@robust-sync/workspace";
import fc from "fast-check";
import type { CycleResult } from "../cycle/cycle.ts";
import { runCycle } from "../cycle/cycle.ts";
import { newMemory } from "../daemon/new-memory.ts";
import { cycleContext } from "./cycle-context.ts";

/** A file that an agent on helios and one on chad change. */
export interface Round {
	readonly kind: "json" | "records" | "notes" | "code";
	/** Time between chad's read and write, seconds. */
	readonly waits: number;
	readonly way: "in place" | "truncate" | "rename" | "unlink";
	/** chad's agent reads again before it writes, and removes helios' change on purpose. */
	readonly isDeliberate: boolean;
}

/** Waits in seconds: around the 10 s within which any such write counts as a lost update, and up to 10 minutes. */
const waits = [1, 9, 11, 60, 600] as const;

/** Within 10 s a deletion is indistinguishable from a lost update. */
export const anyRound = fc
	.record({
		kind: fc.constantFrom<Round["kind"]>("json", "records", "notes", "code"),
		waits: fc.constantFrom<number>(...waits),
		way: fc.constantFrom<Round["way"]>("in place", "truncate", "rename", "unlink"),
		isDeliberate: fc.boolean(),
	})
	.map((each) => ({ ...each, isDeliberate: each.isDeliberate && each.waits > 10 }));

const extension = { json: "json", records: "jsonl", notes: "md", code: "py" } as const;

/** The name of a round's file. */
export const fileOf = (round: Round, number: number) => `d${number % 7}/${number}.${extension[round.kind]}`;

/**
 * Saves a file as programs do it.
 * @param aheadMs how far ahead of the kernel's clock the agent's clock is
 */
export function save(full: string, content: string, way: Round["way"], aheadMs = 0): void {
	if (way === "in place") {
		const fd = fs.openSync(full, "r+");
		fs.writeSync(fd, content);
		fs.ftruncateSync(fd, Buffer.byteLength(content));
		fs.closeSync(fd);
	} else if (way === "truncate") fs.writeFileSync(full, content);
	else if (way === "rename") {
		fs.writeFileSync(`${full}.new`, content);
		fs.renameSync(`${full}.new`, full);
	} else {
		fs.unlinkSync(full);
		fs.writeFileSync(full, content);
	}
	fs.utimesSync(full, fs.lstatSync(full).atimeMs / 1000, (Date.now() + aheadMs) / 1000);
}

/** The faults in the final state of both nodes, one line each. */
export function problemsOf(round: Round, number: number, [here, there]: readonly [string, string]): string[] {
	const isTakenAway = round.isDeliberate;
	const problems = [
		here === there ? "" : "differs",
		here.includes(`done by chad ${number}`) ? "" : "chad's change is lost",
		here.includes(`done by helios ${number}`) === isTakenAway ? (isTakenAway ? "the deletion was undone" : "helios' change is lost") : "",
	].filter((problem) => problem !== "");
	return problems.map((problem) => `${problem}: ${JSON.stringify(round)} ${JSON.stringify(here)}`);
}

/** A file with the changes of some agents. */
export function contentOf(kind: Round["kind"], number: number, agents: readonly string[]): string {
	const has = (agent: string) => agents.includes(agent);
	switch (kind) {
		case "json":
			return `${JSON.stringify({ number, helios: has("helios") ? `done by helios ${number}` : "open", list: [1, 2], chad: has("chad") ? `done by chad ${number}` : "open" }, null, 2)}\n`;
		case "records":
			return [`{"id":${number},"by":"nobody"}`, ...agents.map((agent) => `{"id":"${agent}","by":"done by ${agent} ${number}"}`)]
				.map((line) => `${line}\n`)
				.join("");
		case "notes":
			return `# Notes ${number}\n\n## helios\n\nFirst ${number}.${has("helios") ? ` Now done by helios ${number}.` : ""}\n\n## chad\n\nSecond ${number}.${has("chad") ? ` Now done by chad ${number}.` : ""}\n`;
		case "code":
			return `number = ${number}\n\n\ndef helios():\n    return "${has("helios") ? `done by helios ${number}` : ""}"\n\n\ndef between():\n    return number\n\n\ndef chad():\n    return "${has("chad") ? `done by chad ${number}` : ""}"\n`;
	}
}

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Two nodes with agents that read a file, wait, and write it back whole. The clock is ours; the access times are the kernel's. */
export class Agents extends Scratch {
	#offsetMs = 0;
	readonly #clock: MonotonicClock = { bootId: monotonicClock.bootId, now: () => monotonicClock.now() + this.#offsetMs };
	readonly #memories = new Map<string, ReturnType<typeof newMemory>>();
	readonly log: string[] = [];
	config: Config = parseConfig({ NODE_NAME: "chad" });

	/** @param below a directory for both; default: the system's */
	constructor(below?: string) {
		super("agents", below);
		this.hub();
		for (const name of ["helios", "chad"]) this.init(name, this.path("hub.git"));
	}

	/** A cycle of one node, as in its daemon. */
	async cycle(name: "helios" | "chad"): Promise<CycleResult> {
		const memory = this.#memories.get(name) ?? newMemory(new WorkspacePaths(this.path(name)), false, this.#clock);
		this.#memories.set(name, memory);
		const log = { ...silent, info: (line: string) => void this.log.push(line) };
		const config = { ...this.config, nodeName: name };
		return await runCycle(await cycleContext(this, name, { memory, config, log, now: () => Date.now() + this.#offsetMs }));
	}

	/** The kernel's second ends: git does not trust an index entry that is as young as the index. */
	async nextSecond(): Promise<void> {
		const second = Math.floor(Date.now() / 1000);
		await until(() => Math.floor(Date.now() / 1000) > second, "the next second");
	}

	/**
	 * Each round's file is read on both nodes, changed on helios, and brought to chad, whose agent then writes it back.
	 * @returns the faults in the end, one line each
	 */
	async play(rounds: readonly Round[]): Promise<string[]> {
		const numbers = [...rounds.keys()];
		const nameOf = (number: number) => fileOf(rounds[number] as Round, number);
		for (const number of numbers) this.write(`helios/${nameOf(number)}`, contentOf((rounds[number] as Round).kind, number, []));
		await this.cycle("helios");
		await this.cycle("chad");
		for (const number of numbers) fs.readFileSync(this.path(`chad/${nameOf(number)}`));
		for (const number of numbers) this.write(`helios/${nameOf(number)}`, contentOf((rounds[number] as Round).kind, number, ["helios"]));
		await this.cycle("helios");
		await this.cycle("chad");
		await this.nextSecond();
		for (const seconds of waits) {
			this.#offsetMs = seconds * 1000;
			for (const number of numbers) {
				const round = rounds[number] as Round;
				if (round.waits !== seconds) continue;
				const file = `chad/${nameOf(number)}`;
				if (round.isDeliberate) fs.readFileSync(this.path(file));
				save(this.path(file), contentOf(round.kind, number, ["chad"]), round.way, seconds * 1000);
			}
			await this.cycle("chad");
		}
		for (const name of ["chad", "helios", "chad"] as const) await this.cycle(name);
		return numbers.flatMap((number) => {
			const round = rounds[number] as Round;
			const [here, there] = ["chad", "helios"].map((name) => this.read(`${name}/${nameOf(number)}`)) as [string, string];
			return problemsOf(round, number, [here, there]);
		});
	}
}
