import fc from "fast-check";
import { mergeContents } from "../merge.ts";
import { violations } from "./invariants.ts";
import type { Generated } from "./triples.ts";

/** The default: a change is judged by the same files as the one before it, and a failure is the change's own. */
const usualSeed = 20_261_126;

/** The seed from the environment: a number, or "random" for new cases. */
export function chooseSeed(usual: number): number {
	const named = process.env.MERGE_SEED;
	if (named === "random") return Date.now() % 0x7fffffff;
	return named === undefined ? usual : Number(named);
}

/** Checks every invariant of the merge on generated triples. The seed is printed; MERGE_SEED=<seed> repeats it. */
export function holds(name: string, triples: fc.Arbitrary<Generated>, numRuns: number): void {
	const seed = chooseSeed(usualSeed);
	process.stderr.write(`${name}: ${numRuns} runs, MERGE_SEED=${seed}\n`);
	fc.assert(
		fc.property(triples, (triple) => {
			const found = violations(mergeContents, triple, triple.fitness);
			if (found.length > 0) throw new Error(found.map(({ invariant, what }) => `${invariant}: ${what}`).join("\n"));
		}),
		{ numRuns, seed },
	);
}
