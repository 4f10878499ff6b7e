import path from "node:path";
import { extensions, firstContent, tokenOf, tokensIn, withToken } from "./contents.ts";
import { Subject } from "./subject.ts";
import { changesPlaces, staysInPlace, type Trace, twice } from "./traces.ts";
import type { Call } from "./trap.ts";
import type { Files, World } from "./world.ts";

/** A path of a batch. */
export class Experiment {
	readonly trace: Trace;
	readonly number: number;
	readonly name: string;
	/** Another file that the incoming change touches. */
	readonly other: string | null;
	readonly subject: Subject;
	/** The incoming commit's content at the path. */
	readonly incoming: Buffer | null;
	/** Everything of the first commit, of the one between, and of the incoming one, as far as that does not depend on the hub's content. */
	readonly before: Files;
	readonly between: Files;
	readonly after: Files;
	readonly steps = new Map<string, string>();
	readonly waiting: Map<string, string[]>;
	done = 0;
	/** An act came so long after the first checkout that other evidence counts. */
	isSlow = false;
	#calls = 0;
	#phase: string | null = null;

	constructor(trace: Trace, number: number, world: World) {
		this.trace = trace;
		this.number = number;
		const { kind, incoming } = trace;
		const file = `p${number}.${extensions[kind]}`;
		this.name = `d${number}/${file}`;
		const tokens = ["base", "between", "new", "pbase", "pnew"].map((name) => tokenOf(number, name));
		const [base, between, added, otherBase, otherNew] = tokens as [string, string, string, string, string];
		const original = firstContent(kind, base);
		const isPair = incoming === "pair";
		const isRenamed = incoming === "rename" || incoming === "rename-here";
		const other = isPair ? `d${number}/q${number}.${extensions[kind]}` : `d${number}/other-${file}`;
		this.other = isPair || isRenamed ? other : null;
		const first = incoming === "create" || incoming === "rename-here" ? null : original;
		const renewed = withToken(kind, original, added, "top");
		const isChanged = ["change", "pair", "create"].includes(incoming);
		const changed = incoming === "mode" || incoming === "rename-here" ? original : isChanged ? renewed : null;
		this.incoming = changed;
		const partner = firstContent(kind, otherBase);
		this.before = new Map([
			...(first === null ? [] : ([[this.name, first]] as const)),
			...(incoming === "rename-here" ? ([[other, original]] as const) : []),
			...(isPair ? ([[other, partner]] as const) : []),
		]);
		this.between = new Map(twice.has(incoming) ? [[this.name, withToken(kind, original, between, "top")]] : []);
		this.after = new Map<string, Buffer | string | null>([
			...(incoming === "parent" || twice.has(incoming) ? [] : ([[this.name, incoming === "link" ? added : changed]] as const)),
			...(incoming === "directory" ? ([[`${this.name}/inside`, renewed]] as const) : []),
			...(incoming === "parent" ? ([[`d${number}`, renewed]] as const) : []),
			...(incoming === "rename" ? ([[other, original]] as const) : []),
			...(incoming === "rename-here" ? ([[other, null]] as const) : []),
			...(isPair ? ([[other, withToken(kind, partner, otherNew, "top")]] as const) : []),
		]);
		this.subject = new Subject({
			kind,
			file: world.path("here", this.name),
			other: isPair ? world.path("here", other) : null,
			base: first,
			newToken: (name) => tokenOf(number, name),
			incoming: tokens,
			aheadMs: () => world.aheadMs,
			stopClock: () => world.stopClock(),
		});
		const contents = [this.before, this.between, this.after].flatMap((files) => [...files.values()].map((one) => Buffer.from(one ?? "")));
		const marks = new Set([...tokensIn(Buffer.concat(contents)), ...(twice.has(incoming) ? [added] : [])]);
		for (const token of marks) this.subject.needs.set(token, staysInPlace.has(incoming) ? "tree" : "kept");
		this.waiting = new Map();
		for (const { step, act } of trace.events) this.waiting.set(step, [...(this.waiting.get(step) ?? []), act]);
	}

	/** The last components of the paths whose calls are steps. */
	get watched(): string[] {
		const { name, other, trace } = this;
		return [name, ...(other === null ? [] : [other]), ...(trace.incoming === "parent" ? [path.dirname(name)] : [])].map((file) =>
			path.basename(file),
		);
	}

	/** The incoming commit. @param onHub the hub's present content at the path */
	afterOnHub(onHub: Buffer | null): Files {
		if (!twice.has(this.trace.incoming)) return this.after;
		const token = tokenOf(this.number, "new");
		const { kind } = this.trace;
		return new Map([[this.name, onHub === null ? firstContent(kind, token) : withToken(kind, onHub, token, "top")]]);
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

	/** Later acts of programs that do not read again. */
	flush(later: boolean): void {
		const { subject } = this;
		while (subject.next.length + (later ? subject.later.length : 0) > 0)
			for (const then of [...subject.next.splice(0), ...(later ? subject.later.splice(0) : [])]) then();
	}

	/**
	 * The faults in the end, one line each.
	 * @param bytes everything on disk at its paths @param executable the executable files among them
	 * @param kept the marks in history and saved versions @param deleted the paths that a commit in history deletes
	 */
	problems(
		{ bytes, executable }: { bytes: Buffer; executable: readonly string[] },
		kept: ReadonlySet<string>,
		deleted: ReadonlySet<string>,
	): string[] {
		const { subject, trace } = this;
		const counts = new Map<string, number>();
		for (const token of tokensIn(bytes)) counts.set(token, (counts.get(token) ?? 0) + 1);
		const isMerged = subject.kind === "json" || subject.kind === "notes" || (subject.kind === "code" && subject.marks <= 1);
		const isElsewhere = changesPlaces.has(trace.incoming);
		// After 10 s a write that follows another program's read or write may be deliberate.
		const isOld = this.isSlow || trace.incoming === "change-apart" || trace.events.some(({ step }) => step === "late");
		const isUnclear = isOld && trace.events.length > 1;
		const isRelaxed = subject.isRelaxed || !isMerged || isElsewhere || isUnclear;
		const problems: string[] = [];
		for (const [token, need] of subject.needs) {
			const count = counts.get(token) ?? 0;
			if (count > 1 && !subject.isRelaxed && (!isElsewhere || trace.incoming === "create"))
				problems.push(`${token} is there ${count} times`);
			if (need === "out" && count > 0 && !isRelaxed && trace.events.length === 1)
				problems.push(`${token} was removed by a program that had read it, and is back`);
			if (count > 0 || need === "free") continue;
			if (!kept.has(token)) problems.push(`${token} is lost`);
			else if (need === "tree" && !isRelaxed) problems.push(`${token} is not in the tree`);
		}
		const isSaved = subject.hasSaved && trace.events.length === 1 && staysInPlace.has(trace.incoming);
		if (isSaved && deleted.has(this.name)) problems.push("a save by removing and writing is a deletion in history");
		const wantsMode = subject.isExecutable || (trace.incoming === "mode" && trace.events.length === 0);
		if (wantsMode && counts.size > 0 && executable.length === 0 && !subject.isRelaxed && (!isElsewhere || trace.incoming === "create"))
			problems.push("it is not executable");
		return problems.map((problem) => `${problem}; in the tree: ${[...counts.keys()].join(" ") || "nothing"}`);
	}
}
