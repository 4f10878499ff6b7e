import { actNames } from "./acts.ts";
import type { Kind } from "./contents.ts";
import { explore, type Incoming, isWide, type Outcome, parseTrace, type Trace, type Way, widerActs } from "./explorer.ts";
import { failuresFound } from "./found.ts";

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

/** All acts at one step. A kill between two calls that change nothing is equal to one before the next change. */
function actsAt(step: string, wide: boolean): string[] {
	if (isChange(step)) return wide ? ["kill"] : [];
	return [...actNames, ...(wide ? widerActs.filter((act) => act !== "kill") : [])];
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

/** Every trace with one act more than this one, at the step of its last act or after it. */
export function extended({ trace, steps }: Outcome, wide: boolean): Trace[] {
	const last = trace.events.at(-1)?.step;
	const all = [...steps.keys()];
	// The steps in the map are in the order of their calls.
	const from = last === undefined ? 0 : all.indexOf(last);
	if (from < 0) return [];
	return all.slice(from).flatMap((step) => actsAt(step, wide).map((act) => ({ ...trace, events: [...trace.events, { step, act }] })));
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
	let before = found;
	for (let acts = 1; acts <= bound && !stop(); acts++) {
		// Traces that failed, or were impossible, get no further acts. A share is taken of the last acts.
		const base = before.filter(({ trace, problems, done }) => problems.length === 0 && done === trace.events.length);
		const isLast = acts === bound;
		const chosen = isLast || share >= 1 ? part(base, isLast && acts > 1 ? Math.sqrt(share) : 1, next) : part(base, Math.sqrt(share), next);
		const traces = chosen.flatMap((outcome) => part(extended(outcome, wide), acts > 1 ? Math.sqrt(share) : isLast ? share : 1, next));
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

/** Calls of an undisturbed checkout that name the path: `npm run explore -- --only "notes change"` shows them. */
const callsOfCheckout = 13;

/** The traces of `npm test`: every act at each of these calls, and the traces that have failed once. */
export function quickTraces(): Trace[] {
	const steps = Array.from({ length: callsOfCheckout }, (_, index) => `c${index + 1}`);
	return [...steps.flatMap((step) => actNames.map((act) => `notes change ${step}=${act}`)), ...failuresFound].map(parseTrace);
}

/** The number of completed traces. */
export const complete = (outcomes: readonly Outcome[]) =>
	outcomes.filter(({ trace, done }) => done === trace.events.length && (trace.events.length > 0 || !isWide(trace))).length;
