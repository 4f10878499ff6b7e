import { explore, incomings, type Outcome, oneMore, type Trace, withCut, withFault } from "./explore-model.ts";

type Report = (outcome: Outcome) => void;

const never = () => false;

/** The traces without an event. */
const plain = (ways: readonly Trace["way"][]): Trace[] =>
	ways.flatMap((way) => incomings.map((incoming) => ({ way, incoming, events: [] })));

/** Every trace with one act, or one kill, at each call; and those without any. */
export async function eachSingle(ways: readonly Trace["way"][], report: Report, isOver: () => boolean = never): Promise<void> {
	for (const trace of plain(ways)) {
		const outcome = await explore(trace);
		report(outcome);
		for (const next of oneMore(outcome)) {
			if (isOver()) return;
			report(await explore(next));
		}
	}
}

/** The number of second acts that are tried after one first act, whose own run is needed for their calls. */
const triesOfOne = 5;

/** Traces with two acts, or with an act and a kill, of both ways, chosen by a seed. @param second what is added to one act: `withFault` for a fault */
export async function eachPair(
	count: number,
	seed: number,
	report: Report,
	isOver: () => boolean = never,
	second: typeof oneMore = oneMore,
): Promise<void> {
	let state = seed;
	const choose = <T>(from: readonly T[]): T => {
		// A linear congruential generator (glibc's constants): the choice must not depend on the machine.
		state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
		return from[Math.floor((state / 2_147_483_648) * from.length)] as T;
	};
	const firsts: Trace[] = [];
	for (const trace of plain(["exchange", "link"])) firsts.push(...oneMore(await explore(trace)));
	for (let done = 0; done < count; ) {
		const seconds = second(await explore(choose(firsts)));
		for (let tried = 0; tried < triesOfOne && seconds.length > 0 && done < count; tried++) {
			if (isOver()) return;
			report(await explore(choose(seconds)));
			done++;
		}
	}
}

/** Every trace with one fault at each call of a checkout, once or until it ends. */
export async function eachFault(ways: readonly Trace["way"][], report: Report): Promise<void> {
	for (const trace of plain(ways)) for (const next of withFault(await explore(trace))) report(await explore(next));
}

/** Every power cut at each call of a checkout, with each possibility of what it leaves. */
export async function eachCut(ways: readonly Trace["way"][], report: Report): Promise<void> {
	for (const trace of plain(ways))
		for (const next of withCut(await explore(trace))) {
			const outcome = await explore(next);
			if (outcome.done > 0) report(outcome);
		}
}
