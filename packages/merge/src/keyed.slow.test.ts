import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { mergeContents } from "./merge.ts";
import { keyedFaults, keyedTriples, syntaxes } from "./testing/formats.ts";

describe("merge of many generated keys and values:", () => {
	test.each(Object.entries(syntaxes))("%s → each edit there or lost, valid, either order", (_, syntax) => {
		const property = fc.property(keyedTriples(syntax), (triple) => {
			expect(keyedFaults(mergeContents, triple)).toEqual([]);
		});
		fc.assert(property, { numRuns: 1_500, seed: 20_261_130 });
	});
});
