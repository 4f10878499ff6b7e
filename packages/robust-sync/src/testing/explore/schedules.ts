import { actNames, pairActs } from "./acts.ts";
import type { Kind } from "./contents.ts";
import { explore, type Outcome } from "./explorer.ts";
import { failuresFound } from "./found.ts";
import { type Incoming, isWide, parseTrace, type Trace, type Way, widerActs } from "./traces.ts";

/** The set of disturbances of a trace. */
export interface Bounds {
	readonly way: Way;
	readonly kind: Kind;
	readonly incoming: Incoming;
	/** The most acts of a trace. */
	readonly bound: 1 | 2;
	/** The share of the traces that is run, from 0 to 1; chosen by `seed`. */
	readonly share: number;
	readonly seed: number;
	/** With acts that concern more than one path: each of these traces needs cycles of its own. */
	readonly wide: boolean;
}

const isChange = (step: string) => /m\d+$/.test(step);
const isGit = (step: string) => /g\d+$/.test(step);

/** All acts at one step. A kill between two calls that change nothing is equal to one before the next change. */
function actsAt(step: string, { incoming, isWithWider, isLast }: Extension): string[] {
	if (isChange(step)) return isWithWider ? ["kill"] : [];
	const acts = actNames.filter((name) => (incoming === "pair" || !pairActs.has(name)) && (!isLast || name !== "hold"));
	return [...acts, ...(isWithWider ? widerActs.filter((act) => act !== "kill") : [])];
}

/** mulberry32: the same numbers for the same seed. */
function random(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}

function part<T>(all: readonly T[], share: number, next: () => number): T[] {
	return share >= 1 ? [...all] : all.filter(() => next() < share);
}

/** The acts that a trace is extended by. */
interface Extension {
	readonly incoming: Incoming;
	/** With wider acts. */
	readonly isWithWider: boolean;
	/** No act follows: an act that only prepares another one changes nothing. */
	readonly isLast: boolean;
}

/**
 * Every trace with one act more than this one, at the step of its last act or after it.
 * @param undisturbed the trace without acts: calls that change something are only counted there, and in traces with a wider act
 */
function extended({ trace, steps }: Outcome, extension: Extension, undisturbed: Outcome): Trace[] {
	const last = trace.events.at(-1)?.step;
	// The steps in the maps are in the order of their calls.
	const after = (all: readonly string[]) => (last === undefined ? all : all.slice(all.includes(last) ? all.indexOf(last) : all.length));
	// How many git commands run depends on other paths of the batch, too.
	const own = after([...steps.keys()]).filter((step) => !isGit(step) || undisturbed.steps.has(step));
	const changes = isWide(trace) || last === undefined ? [] : after([...undisturbed.steps.keys()]).filter(isChange);
	return [...own, ...changes].flatMap((step) =>
		actsAt(step, extension).map((act) => ({ ...trace, events: [...trace.events, { step, act }] })),
	);
}

/**
 * Explores all traces within some bounds.
 * @param report called after each batch, with the number of remaining traces
 * @param stop called before each batch: true ends it
 */
export async function exploreWithin(
	{ way, kind, incoming, bound, share, seed, wide }: Bounds,
	report: (outcomes: readonly Outcome[], left: number) => void = () => undefined,
	stop: () => boolean = () => false,
): Promise<Outcome[]> {
	const next = random(seed);
	const found = await explore([{ way, kind, incoming, events: [] }]);
	report(found, 0);
	const [undisturbed] = found as [Outcome];
	let before = found;
	for (let acts = 1; acts <= bound && !stop(); acts++) {
		// Traces that failed, or were impossible, get no further acts.
		const base = before.filter(({ trace, problems, done }) => problems.length === 0 && done === trace.events.length);
		const extension = { incoming, isWithWider: wide, isLast: acts === bound };
		const traces = base.flatMap((outcome) => part(extended(outcome, extension, undisturbed), share ** (1 / bound), next));
		let left = traces.length;
		before = await explore(
			traces,
			(outcomes) => {
				left -= outcomes.length;
				report(outcomes, left);
			},
			stop,
		);
		found.push(...before);
	}
	return found;
}

/** Calls of an undisturbed checkout that name the path, or both paths of a pair: `npm run explore -- --only "notes change"` shows them. */
const callsOfCheckout = 15;
const callsOfPair = 30;

/** Acts of programs that had read, or opened, the file before the first of two incoming versions. */
const oldActs = ["append-old", "rewrite-old", "rewrite-stale", "rename-stale"];

/**
 * The traces of `npm test`: every act at each call of a checkout; acts from before two checkouts, or between them, at each call of either; acts with
 * both paths of a pair; acts a minute later; and the traces that have failed once.
 */
export function quickTraces(): Trace[] {
	const at = (calls: number, acts: Iterable<string>, trace: (event: string) => string) =>
		Array.from({ length: calls }, (_, index) => `c${index + 1}`).flatMap((step) => [...acts].map((act) => trace(`${step}=${act}`)));
	const single = actNames.filter((name) => !pairActs.has(name) && !["hold", "drop", "drop-newest"].includes(name));
	return [
		...at(callsOfCheckout, single, (event) => `notes change ${event}`),
		...at(callsOfCheckout, ["append-old", "rename-stale"], (event) => `notes change-twice f${event}`),
		...at(callsOfCheckout, oldActs, (event) => `notes change-twice ${event}`),
		...at(callsOfCheckout, ["rewrite-old", "rename-stale"], (event) => `notes change-twice fend=hold ${event}`),
		...at(callsOfCheckout, ["drop"], (event) => `json change ${event}`),
		...at(callsOfPair, ["over-other", "swap-other", "into-directory"], (event) => `notes pair ${event}`),
		...["rewrite-stale", "rename-stale", "drop-newest"].map((act) => `json change late=${act}`),
		...failuresFound,
	].map(parseTrace);
}

/** The number of completed traces. */
export const complete = (outcomes: readonly Outcome[]) =>
	outcomes.filter(({ trace, done }) => done === trace.events.length && (trace.events.length > 0 || !isWide(trace))).length;
