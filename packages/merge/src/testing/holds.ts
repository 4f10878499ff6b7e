import fc from "fast-check";
import { mergeContents } from "../merge.ts";
import { violations } from "./invariants.ts";
import type { Generated } from "./triples.ts";

/** Checks every invariant of the merge on generated triples. The seed is printed; MERGE_SEED repeats it. */
export function holds(name: string, triples: fc.Arbitrary<Generated>, numRuns: number): void {
	const seed = Number(process.env.MERGE_SEED ?? Date.now() % 0x7fffffff);
	process.stderr.write(`${name}: ${numRuns} runs, MERGE_SEED=${seed}\n`);
	fc.assert(
		fc.property(triples, (triple) => {
			const found = violations(mergeContents, triple, triple.fitness);
			if (found.length > 0) throw new Error(found.map(({ invariant, what }) => `${invariant}: ${what}`).join("\n"));
		}),
		{ numRuns, seed },
	);
}
