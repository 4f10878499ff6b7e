import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { GitError } from "@robust-sync/git";
import { personEnvironment } from "@robust-sync/git/fixtures/scratch";
import { act, actNames, Subject } from "./acts.ts";
import { extensions, firstContent, type Kind, tokenOf, tokensIn, withToken } from "./contents.ts";
import { type Call, Killed, Trap } from "./trap.ts";
import { type Files, World } from "./world.ts";

/** The way in which the product replaces a file: by an exchange in one step, or, on file systems without it, by a rename and a link. */
export const ways = ["exchange", "link"] as const;
export type Way = (typeof ways)[number];

/** The incoming commit's change of the path; change-twice: an undisturbed cycle has checked an earlier change out before. */
export const incomings = [
	"change",
	"change-twice",
	"delete",
	"create",
	"mode",
	"link",
	"directory",
	"parent",
	"rename",
	"rename-here",
] as const;
export type Incoming = (typeof incomings)[number];

/** Acts that change the type of the path: a mark of either side need not be at that path. */
const changesPlaces: ReadonlySet<Incoming> = new Set(["create", "link", "directory", "parent", "rename", "rename-here"]);

/** Acts that concern more than one path: a kill, a person's git command, another commit, a set clock. */
export const widerActs = ["kill", "second", "git-add", "git-commit", "clock"] as const;

/** One act at one step. */
export interface Event {
	/**
	 * Before which call: `17` the 17th that names the path, `g5` the 5th git command, `m9` the 9th that changes something; `c17` and `cg5` count
	 * from the journal of the checkout on; `1:c17` is in the life of the process after the first kill; `end` is after the cycle.
	 */
	readonly step: string;
	readonly act: string;
}

/** One experiment with one path. */
export interface Trace {
	readonly kind: Kind;
	/** Default: by an exchange. */
	readonly way?: Way;
	readonly incoming: Incoming;
	readonly events: readonly Event[];
}

/** A person's commit in the middle of a checkout ends the cycle with an error, and the next one continues. */
const usesGit = (trace: Trace) => trace.events.some(({ act }) => act.startsWith("git-"));

export const isWide = (trace: Trace) => trace.events.some(({ act }) => (widerActs as readonly string[]).includes(act));

/** In the syntax of `--only`: `notes change 17=append m9=kill`, `link json change c5=rename`. */
export const traceText = ({ kind, incoming, events, way = "exchange" }: Trace) =>
	[...(way === "exchange" ? [] : [way]), kind, incoming, ...events.map(({ step, act }) => `${step}=${act}`)].join(" ");

/** @throws Error with the expected syntax */
export function parseTrace(text: string): Trace {
	const words = text.trim().split(/\s+/);
	const isLinking = words[0] === "link";
	const [kind, incoming, ...events] = isLinking ? words.slice(1) : words;
	const trace: Trace = {
		...(isLinking ? { way: "link" } : {}),
		kind: kind as Kind,
		incoming: incoming as Incoming,
		events: events.map((event) => {
			const [step = "", act = ""] = event.split("=");
			return { step, act };
		}),
	};
	const isKnown = (name: string) => actNames.includes(name) || (widerActs as readonly string[]).includes(name);
	if (!Object.hasOwn(extensions, trace.kind) || !incomings.includes(trace.incoming) || !trace.events.every((event) => isKnown(event.act)))
		throw new Error(
			`invalid trace "${text}": expected [link] <kind> <incoming> <step>=<act>…; kinds ${Object.keys(extensions).join(" ")}; incoming ${incomings.join(" ")}; acts ${[...actNames, ...widerActs].join(" ")}`,
		);
	return trace;
}

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

/** A path of a batch. */
class Experiment {
	readonly trace: Trace;
	readonly number: number;
	readonly name: string;
	readonly subject: Subject;
	/** The incoming commit's content at the path. */
	readonly incoming: Buffer | null;
	/** Everything of the first commit, of the one between, and of the incoming one. */
	readonly before: Files;
	readonly between: Files;
	readonly after: Files;
	readonly steps = new Map<string, string>();
	readonly waiting: Map<string, string[]>;
	done = 0;
	#calls = 0;
	#phase = "";

	constructor(trace: Trace, number: number, world: World) {
		this.trace = trace;
		this.number = number;
		const file = `p${number}.${extensions[trace.kind]}`;
		this.name = `d${number}/${file}`;
		const [base, between, added] = [tokenOf(number, "base"), tokenOf(number, "between"), tokenOf(number, "new")];
		const { incoming } = trace;
		const original = firstContent(trace.kind, base);
		const other = `d${number}/other-${file}`;
		const first = incoming === "create" || incoming === "rename-here" ? null : original;
		const earlier = incoming === "change-twice" ? withToken(trace.kind, original, between, "top") : null;
		const renewed = withToken(trace.kind, earlier ?? original, added, "top");
		const isChanged = ["change", "change-twice", "create"].includes(incoming);
		const changed = incoming === "mode" || incoming === "rename-here" ? original : isChanged ? renewed : null;
		this.incoming = changed;
		this.before = new Map(incoming === "rename-here" ? [[other, original]] : first === null ? [] : [[this.name, first]]);
		this.between = new Map(earlier === null ? [] : [[this.name, earlier]]);
		this.after = new Map<string, Buffer | string | null>([
			...(incoming === "parent" ? [] : ([[this.name, incoming === "link" ? added : changed]] as const)),
			...(incoming === "directory" ? ([[`${this.name}/inside`, renewed]] as const) : []),
			...(incoming === "parent" ? ([[`d${number}`, renewed]] as const) : []),
			...(incoming === "rename" ? ([[other, original]] as const) : []),
			...(incoming === "rename-here" ? ([[other, null]] as const) : []),
		]);
		this.subject = new Subject(trace.kind, world.path("here", this.name), first, (name) => tokenOf(number, name), [base, between, added]);
		const isThere = ["change", "change-twice", "mode"].includes(incoming);
		const contents = [...this.before.values(), ...this.after.values()].map((content) => Buffer.from(content ?? ""));
		for (const token of new Set(tokensIn(Buffer.concat(contents)))) this.subject.needs.set(token, isThere ? "tree" : "kept");
		this.waiting = new Map();
		for (const { step, act } of trace.events) this.waiting.set(step, [...(this.waiting.get(step) ?? []), act]);
	}

	/** The next call that names the path. @returns the acts before it */
	nextCall(phase: string, call: Call): string[] {
		if (phase !== this.#phase) this.#calls = 0;
		this.#phase = phase;
		return this.meet(`${phase}${++this.#calls}`, call.name);
	}

	meet(step: string, call: string): string[] {
		this.steps.set(step, call);
		const acts = this.waiting.get(step) ?? [];
		this.waiting.delete(step);
		return acts;
	}
}

/** Explores many paths in one checkout, or one after the other if an act concerns more than its path. */
export class Batch {
	readonly #world = new World();
	readonly #experiments: readonly Experiment[];
	readonly #byFile: ReadonlyMap<string, Experiment>;
	readonly #trap: Trap;
	/** The paths whose acts may happen now. */
	#active: ReadonlySet<Experiment> = new Set();
	#life = 0;
	#isCheckout = false;
	#gits = 0;
	#changes = 0;

	/** @param canExchange as in Trap */
	constructor(traces: readonly Trace[], canExchange: boolean) {
		this.#experiments = traces.map((trace, number) => new Experiment(trace, number, this.#world));
		this.#byFile = new Map(
			this.#experiments.flatMap((experiment) =>
				[path.basename(experiment.name), ...(experiment.trace.incoming === "parent" ? [path.dirname(experiment.name)] : [])].map(
					(file) => [file, experiment] as const,
				),
			),
		);
		this.#trap = new Trap((call) => this.#observe(call), canExchange);
	}

	#observe(call: Call): void {
		const life = this.#life > 0 ? `${this.#life}:` : "";
		const phase = `${life}${this.#isCheckout ? "c" : ""}`;
		const isGit = call.name.startsWith("git ");
		if (isGit) this.#gits++;
		if (call.changes) this.#changes++;
		const named = new Set<Experiment>();
		for (const file of call.files) {
			const experiment = this.#byFile.get(file);
			if (experiment && this.#active.has(experiment)) named.add(experiment);
		}
		for (const experiment of named) {
			for (const next of experiment.subject.next.splice(0)) next();
			this.#perform(experiment, experiment.nextCall(phase, call));
		}
		if (isGit) {
			const step = `${phase}g${this.#gits}`;
			for (const experiment of this.#active) this.#perform(experiment, experiment.meet(step, call.name));
		}
		if (call.changes && this.#active.size === 1) {
			const [experiment] = [...this.#active] as [Experiment];
			this.#perform(experiment, experiment.meet(`${life}m${this.#changes}`, `${call.name} ${call.files.join(" ")}`));
		}
		// The checkout begins, whose steps do not depend on earlier acts at other paths.
		if (call.name === "renameSync" && call.files[1] === "journal.json" && !this.#isCheckout) {
			this.#isCheckout = true;
			this.#gits = 0;
		}
	}

	#perform(experiment: Experiment, names: readonly string[]): void {
		const { subject } = experiment;
		for (const name of names) {
			if (name === "kill") {
				experiment.done++;
				this.#trap.kill();
			} else if (name === "clock") {
				this.#world.stepMs += 86_400_000;
				experiment.done++;
			} else if (name === "second") {
				const token = tokenOf(experiment.number, "second");
				const { incoming } = experiment;
				// `firstContent` includes the token; `withToken` adds it to content that exists.
				const content = incoming === null ? firstContent(subject.kind, token) : withToken(subject.kind, incoming, token, "top");
				subject.needs.set(token, "tree");
				this.#world.commitOnHub(new Map([[experiment.name, content]]));
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

	/** A cycle of the first node in which acts happen, and those after it if it was killed. */
	async #disturbed(experiments: readonly Experiment[]): Promise<void> {
		this.#life = 0;
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
		for (const experiment of experiments) {
			const { subject } = experiment;
			for (const next of subject.next.splice(0)) next();
			for (const later of subject.later.splice(0)) later();
			this.#perform(experiment, experiment.meet("end", "the cycle is over"));
			for (const then of [...subject.next.splice(0), ...subject.later.splice(0)]) then();
			if (subject.oldAppend !== null) fs.closeSync(subject.oldAppend);
		}
	}

	/** @returns the findings, in the order of the traces */
	async run(): Promise<Outcome[]> {
		const world = this.#world;
		this.#trap.set();
		try {
			world.commitOnHub(
				new Map<string, Buffer | string | null>([["README", Buffer.from("here\n")], ...this.#filesOf(this.#experiments, "before")]),
			);
			await world.cycle("here");
			await world.cycle("there");
			for (const { subject } of this.#experiments) if (subject.base !== null) subject.oldAppend = fs.openSync(subject.file, "a");
			const between = this.#filesOf(this.#experiments, "between");
			if (between.length > 0) {
				world.commitOnHub(new Map(between));
				await world.cycle("here");
			}
			const alone = this.#experiments.filter(({ trace }) => isWide(trace));
			const together = this.#experiments.filter(({ trace }) => !isWide(trace));
			const failures = new Map<Experiment, string>();
			for (const group of [...(together.length > 0 ? [together] : []), ...alone.map((experiment) => [experiment])]) {
				world.commitOnHub(
					new Map(this.#filesOf(group, "after")),
					new Set(group.filter(({ trace }) => trace.incoming === "mode").map((experiment) => experiment.name)),
				);
				try {
					await this.#disturbed(group);
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

	#filesOf(experiments: readonly Experiment[], commit: "before" | "between" | "after"): [string, Buffer | string | null][] {
		return experiments.flatMap((experiment) => [...experiment[commit]]);
	}

	async #outcomes(failures: ReadonlyMap<Experiment, string>): Promise<Outcome[]> {
		let general: string[];
		try {
			general = [...(await this.#world.settle()), ...this.#world.problems()];
		} catch (error) {
			general = [`a later cycle failed: ${(error as Error).stack}`];
		}
		const kept = this.#world.keptTokens();
		return this.#experiments.map((experiment) => {
			const failure = failures.get(experiment);
			const problems = [...(failure === undefined ? [] : [failure]), ...general, ...this.#problemsOf(experiment, kept)];
			return { trace: experiment.trace, problems, steps: experiment.steps, done: experiment.done };
		});
	}

	#problemsOf({ name, subject, trace }: Experiment, kept: ReadonlySet<string>): string[] {
		const { bytes, executable } = this.#world.tree(path.dirname(name));
		const counts = new Map<string, number>();
		for (const token of tokensIn(bytes)) counts.set(token, (counts.get(token) ?? 0) + 1);
		const isMerged = subject.kind === "json" || subject.kind === "notes" || (subject.kind === "code" && subject.marks <= 1);
		const isElsewhere = changesPlaces.has(trace.incoming);
		const isRelaxed = subject.isRelaxed || !isMerged || isElsewhere;
		const problems: string[] = [];
		for (const [token, need] of subject.needs) {
			const count = counts.get(token) ?? 0;
			if (count > 1 && !subject.isRelaxed && (!isElsewhere || trace.incoming === "create"))
				problems.push(`${token} is there ${count} times`);
			if (count > 0 || need === "free") continue;
			if (!kept.has(token)) problems.push(`${token} is lost`);
			else if (need === "tree" && !isRelaxed) problems.push(`${token} is not in the tree`);
		}
		const wantsMode = subject.isExecutable || (trace.incoming === "mode" && trace.events.length === 0);
		if (wantsMode && counts.size > 0 && executable.length === 0 && !subject.isRelaxed && (!isElsewhere || trace.incoming === "create"))
			problems.push("it is not executable");
		return problems.map((problem) => `${problem}; in the tree: ${[...counts.keys()].join(" ") || "nothing"}`);
	}
}

/** The number of paths in one checkout, and of traces with wider acts one after the other in one workspace. */
const pathsAtOnce = 400;
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
			const size = wide ? wideInARow : pathsAtOnce;
			for (let start = 0; start < chosen.length && !stop(); start += size) {
				const found = await new Batch(chosen.slice(start, start + size), way === "exchange").run();
				outcomes.push(...found);
				report(found);
			}
		}
	}
	return outcomes;
}
