import { spawnSync } from "node:child_process";
import path from "node:path";
import { GitError } from "@robust-sync/git";
import { personEnvironment } from "@robust-sync/git/fixtures/scratch";
import { act } from "./acts.ts";
import { firstContent, tokenOf, withToken } from "./contents.ts";
import { Experiment } from "./experiment.ts";
import { isWide, type Trace, twice, usesGit, ways } from "./traces.ts";
import { type Call, Killed, Trap } from "./trap.ts";
import { World } from "./world.ts";

/** The findings of one trace. */
export interface Outcome {
	readonly trace: Trace;
	/** One line each; none: no fault. */
	readonly problems: readonly string[];
	/** Its steps, with the call after each. */
	readonly steps: ReadonlyMap<string, string>;
	/** The acts that were carried out; the others were impossible, or their step did not come. */
	readonly done: number;
}

/** The most cycles that are needed after interrupted ones. */
const mostLives = 5;

/** Longer than the time in which a write counts as made from what was read before a checkout, without further evidence. */
const minuteMs = 60_000;

/** A write this long after the first cycle is recent, also if a machine under load took a moment more. */
const surelyRecentMs = 8_000;

/** Explores many paths in one checkout, or one after the other if an act concerns more than its path. */
export class Batch {
	readonly #world = new World();
	readonly #experiments: readonly Experiment[];
	readonly #byFile: ReadonlyMap<string, Experiment>;
	readonly #trap: Trap;
	/** The paths whose acts may happen now. */
	#active: ReadonlySet<Experiment> = new Set();
	/** The start of the present group of paths, by performance.now(). */
	#begunAt = 0;
	/** `f` during the cycle of the first of two incoming commits. */
	#turn = "";
	#life = 0;
	#isCheckout = false;
	#gits = 0;
	#changes = 0;

	/** @param canExchange as in Trap */
	constructor(traces: readonly Trace[], canExchange: boolean) {
		this.#experiments = traces.map((trace, number) => new Experiment(trace, number, this.#world));
		this.#byFile = new Map(this.#experiments.flatMap((experiment) => experiment.watched.map((file) => [file, experiment] as const)));
		this.#trap = new Trap((call) => this.#observe(call), canExchange);
	}

	#observe(call: Call): void {
		const life = this.#life > 0 ? `${this.#life}:` : "";
		const phase = `${this.#turn}${life}${this.#isCheckout ? "c" : ""}`;
		const isGit = call.name.startsWith("git ");
		if (isGit) this.#gits++;
		if (call.changes) this.#changes++;
		const named = new Set<Experiment>();
		for (const file of call.files) {
			const experiment = this.#byFile.get(file);
			if (experiment && this.#active.has(experiment)) named.add(experiment);
		}
		for (const experiment of named) {
			this.#noteTime(experiment);
			for (const next of experiment.subject.next.splice(0)) next();
			this.#perform(experiment, experiment.nextCall(phase, call));
		}
		if (isGit) {
			const step = `${phase}g${this.#gits}`;
			for (const experiment of this.#active) this.#perform(experiment, experiment.meet(step, call.name));
		}
		if (call.changes && this.#active.size === 1) {
			const [experiment] = [...this.#active] as [Experiment];
			this.#perform(experiment, experiment.meet(`${phase}m${this.#changes}`, `${call.name} ${call.files.join(" ")}`));
		}
		// The checkout begins, whose steps do not depend on earlier acts at other paths.
		if (call.name === "renameSync" && call.files[1] === "journal.json" && !this.#isCheckout) {
			this.#isCheckout = true;
			[this.#gits, this.#changes] = [0, 0];
		}
	}

	/** Programs are about to go on with what they have begun. */
	#noteTime(experiment: Experiment): void {
		const { next, later } = experiment.subject;
		if (next.length + later.length > 0 && performance.now() - this.#begunAt > surelyRecentMs) experiment.isSlow = true;
	}

	#perform(experiment: Experiment, names: readonly string[]): void {
		const { subject } = experiment;
		if (names.length > 0 && performance.now() - this.#begunAt > surelyRecentMs) experiment.isSlow = true;
		for (const name of names) {
			if (name === "kill") {
				experiment.done++;
				this.#trap.kill();
			} else if (name === "clock") {
				this.#world.stepMs += 86_400_000;
				experiment.done++;
			} else if (name === "second") {
				const token = tokenOf(experiment.number, "second");
				const onHub = this.#world.hubFiles([experiment.name]).get(experiment.name) ?? null;
				// `firstContent` includes the token; `withToken` adds it to content that exists.
				const content = onHub === null ? firstContent(subject.kind, token) : withToken(subject.kind, onHub, token, "top");
				subject.needs.set(token, "tree");
				this.#world.commitOnHub(new Map([[experiment.name, content]]), this.#world.hubExecutables());
				experiment.done++;
			} else if (name === "git-add" || name === "git-commit") {
				const add = this.#person("add", "--all", "--", experiment.name);
				if (add && (name === "git-add" || this.#person("commit", "--quiet", "-m", "by hand"))) experiment.done++;
			} else if (act(subject, name)) experiment.done++;
		}
	}

	/** A person's git command; a refused or locked one has no effect. */
	#person(...args: string[]): boolean {
		return spawnSync("git", args, { cwd: this.#world.path("here"), env: personEnvironment(this.#world.directory) }).status === 0;
	}

	/** A cycle of the first node in which acts happen, and those after it if it was killed. @param turn as in the steps */
	async #disturbed(experiments: readonly Experiment[], turn: "f" | ""): Promise<void> {
		[this.#life, this.#turn] = [0, turn];
		this.#active = new Set(experiments);
		for (;;) {
			[this.#gits, this.#changes, this.#isCheckout] = [0, 0, false];
			try {
				await this.#trap.during(() => this.#world.cycle("here"));
				break;
			} catch (error) {
				const isOvertaken = error instanceof GitError && experiments.some(({ trace }) => usesGit(trace));
				if ((!(error instanceof Killed) && !isOvertaken) || this.#life === mostLives) throw error;
				this.#life++;
				// The daemon continues after a failure, with its memory.
				if (error instanceof Killed) this.#world.restart("here");
			}
		}
		this.#active = new Set();
		this.#afterCycle(experiments, `${turn}end`, "the cycle is over");
	}

	#afterCycle(experiments: readonly Experiment[], step: string, what: string): void {
		const isLast = !step.startsWith("f");
		for (const experiment of experiments) {
			this.#noteTime(experiment);
			experiment.flush(isLast);
			this.#perform(experiment, experiment.meet(step, what));
			experiment.flush(isLast);
		}
	}

	/** Everything that happens to some paths, in cycles of their own. */
	async #runGroup(group: readonly Experiment[]): Promise<void> {
		const world = this.#world;
		const incoming = group[0]?.trace.incoming ?? "change";
		this.#begunAt = performance.now();
		if (twice.has(incoming)) {
			world.commitOnHub(new Map(group.flatMap((experiment) => [...experiment.between])));
			await this.#disturbed(group, "f");
			if (incoming === "change-restart") world.restart("here");
			if (incoming === "change-apart") world.aheadMs += minuteMs;
		}
		const onHub = twice.has(incoming) ? world.hubFiles(group.map(({ name }) => name)) : new Map<string, Buffer>();
		const newModes = group.filter(({ trace }) => trace.incoming === "mode").map((experiment) => experiment.name);
		world.commitOnHub(
			new Map(group.flatMap((experiment) => [...experiment.afterOnHub(onHub.get(experiment.name) ?? null)])),
			new Set([...newModes, ...(twice.has(incoming) ? world.hubExecutables() : [])]),
		);
		await this.#disturbed(group, "");
		if (group.some(({ waiting }) => waiting.has("late"))) {
			await world.cycle("here");
			world.aheadMs += minuteMs;
		}
		for (const { subject } of group) subject.isLate = true;
		this.#afterCycle(group, "late", "a minute after the cycle");
		for (const { subject } of group) subject.close();
	}

	/** Paths whose incoming change needs cycles of its own are apart; so is each with a wider act. */
	#groups(): (readonly Experiment[])[] {
		const groups = new Map<string, Experiment[]>();
		for (const experiment of this.#experiments) {
			const { trace, number } = experiment;
			const key = isWide(trace) ? String(number) : twice.has(trace.incoming) ? trace.incoming : "";
			groups.set(key, [...(groups.get(key) ?? []), experiment]);
		}
		return [...groups.values()];
	}

	/** @returns the findings, in the order of the traces */
	async run(): Promise<Outcome[]> {
		const world = this.#world;
		this.#trap.set();
		try {
			world.commitOnHub(
				new Map<string, Buffer | string | null>([
					["README", Buffer.from("here\n")],
					...this.#experiments.flatMap((experiment) => [...experiment.before]),
				]),
			);
			await world.cycle("here");
			await world.cycle("there");
			for (const { subject } of this.#experiments) if (subject.base !== null) subject.openOld();
			const failures = new Map<Experiment, string>();
			for (const group of this.#groups()) {
				try {
					await this.#runGroup(group);
				} catch (error) {
					for (const experiment of group) failures.set(experiment, `the cycle failed: ${(error as Error).stack}`);
				}
			}
			return await this.#outcomes(failures);
		} finally {
			this.#trap.remove();
			await world.remove();
		}
	}

	async #outcomes(failures: ReadonlyMap<Experiment, string>): Promise<Outcome[]> {
		let general: string[];
		try {
			general = [...(await this.#world.settle()), ...this.#world.problems()];
		} catch (error) {
			general = [`a later cycle failed: ${(error as Error).stack}`];
		}
		const kept = this.#world.keptTokens();
		const deleted = this.#world.deletedPaths();
		return this.#experiments.map((experiment) => {
			const failure = failures.get(experiment);
			const problems = [
				...(failure === undefined ? [] : [failure]),
				...general,
				...experiment.problems(this.#world.tree(path.dirname(experiment.name)), kept, deleted),
			];
			return { trace: experiment.trace, problems, steps: experiment.steps, done: experiment.done };
		});
	}
}

/**
 * The number of traces in one checkout, each with one path or two, and of traces with wider acts one after the other in one workspace. Of
 * more than 500 files that a checkout has just placed, git reads all: the calls of one path would depend on how many others there are.
 */
const tracesAtOnce = 240;
const wideInARow = 20;

/**
 * Runs traces, in batches.
 * @param report called after each batch @param stop called before each batch: true ends it
 */
export async function explore(
	traces: readonly Trace[],
	report: (outcomes: readonly Outcome[]) => void = () => undefined,
	stop: () => boolean = () => false,
): Promise<Outcome[]> {
	const outcomes: Outcome[] = [];
	for (const way of ways) {
		for (const wide of [false, true]) {
			const chosen = traces.filter((trace) => isWide(trace) === wide && (trace.way ?? "exchange") === way);
			const size = wide ? wideInARow : tracesAtOnce;
			for (let start = 0; start < chosen.length && !stop(); start += size) {
				const found = await new Batch(chosen.slice(start, start + size), way === "exchange").run();
				outcomes.push(...found);
				report(found);
			}
		}
	}
	return outcomes;
}
