import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { mergeContents } from "./merge.ts";
import { type KeyedEntry, type KeyedTriple, type KeyedValue, keyedFaults, keyedTriples, syntaxes } from "./testing/formats.ts";
import type { Merge } from "./testing/invariants.ts";

describe("merge of generated keys and values:", () => {
	test.each(Object.entries(syntaxes))("%s → each edit there or lost, valid, either order", (_, syntax) => {
		fc.assert(
			fc.property(keyedTriples(syntax), (triple) => {
				expect(keyedFaults(mergeContents, triple)).toEqual([]);
			}),
			{ numRuns: 80, seed: 20_261_129 },
		);
	});
});

const entries = (values: Readonly<Record<string, KeyedValue>>): KeyedEntry[] =>
	Object.entries(values).map(([key, value]) => ({ key, value, comment: null }));

/** One side changes `a` and adds `mine`, the other changes `b` and removes `d`; both change `c`. */
const triple = (name: string): KeyedTriple => ({
	syntax: syntaxes[name]!,
	base: entries({ a: "a0", b: "b0", c: "c0", d: "d0", e: "e0" }),
	ours: entries({ a: "a1", b: "b0", c: "c1", d: "d0", e: "e0", mine: "m1" }),
	theirs: entries({ a: "a0", b: "b2", c: "c2", e: "e0" }),
});

/** A merge that spoils its right result. */
const spoil =
	(change: (result: string) => string, lost?: { a: boolean; b: boolean }): Merge =>
	(input) => {
		const output = mergeContents(input);
		return { ...output, content: Buffer.from(change(Buffer.from(output.content).toString())), lost: lost ?? output.lost };
	};

const calm = { a: false, b: false };
const MUTANTS: readonly { readonly bug: string; readonly merge: Merge; readonly found: RegExp }[] = [
	{ bug: "undoes one side's change", merge: spoil((r) => r.replace("a1", "a0"), calm), found: /^kept: a / },
	{ bug: "undoes the other side's change", merge: spoil((r) => r.replace("b2", "b0"), calm), found: /^kept: b / },
	{ bug: "mixes two values", merge: spoil((r) => r.replace("b2", "b2b0"), calm), found: /^kept: b / },
	{ bug: "drops a key that one side added", merge: spoil((r) => r.replace(/^.*m1.*\n/m, ""), calm), found: /^kept: mine / },
	{ bug: "drops a key that nobody touched", merge: spoil((r) => r.replace(/^.*e0.*\n/m, ""), calm), found: /^kept: e / },
	{
		bug: "brings a removed key back",
		merge: spoil((r) => r.replace(/^(.*)e0(.*\n)/m, (all, before, after) => `${all}${before.replace("e", "d")}d0${after}`), calm),
		found: /^kept: d /,
	},
	{ bug: "makes a key up", merge: spoil((r) => r.replace(/^.*e0.*\n/m, (all) => all + all.replace("e", "f"))), found: /^invented: f/ },
	{ bug: "has a key twice", merge: spoil((r) => r.replace(/^.*e0.*\n/m, (all) => all + all)), found: /^valid: / },
	{ bug: "is silent about what is lost", merge: spoil((r) => r, calm), found: /^lost: .*c1/ },
	{
		bug: "takes the older side's value, and says the later one's is there",
		merge: spoil((r) => r.replace("c2", "c1")),
		found: /^lost: .*c2/,
	},
	{ bug: "takes the first side", merge: (input) => ({ ...mergeContents(input), content: input.a }), found: /^symmetric/ },
	{
		bug: "says of the first side that it lost",
		merge: (input) => ({ ...mergeContents(input), lost: { a: true, b: false } }),
		found: /^symmetric/,
	},
];

const FORMATS = ["YAML", "TOML", "INI", ".env", "front matter", "a fenced block"];

describe("the checks of keys and values find a merge that", () => {
	test.each(MUTANTS.map((mutant) => [mutant.bug, mutant] as const))("keyed checks: a merge that %s → found", (_, { merge, found }) => {
		for (const name of FORMATS) {
			expect(keyedFaults(mergeContents, triple(name))).toEqual([]);
			expect(keyedFaults(merge, triple(name))).toContainEqual(expect.stringMatching(found));
		}
	});

	test.each([
		["breaks YAML", "YAML", (r: string) => r.replace('"', "")],
		["breaks TOML", "TOML", (r: string) => r.replace('"', "")],
		["loses the end of front matter", "front matter", (r: string) => r.replace(/^---\n#/m, "#")],
		["loses the end of a fence", "a fenced block", (r: string) => r.replace("```\n", "")],
		["leaves a comma out of a notebook", "notebooks", (r: string) => r.replace("},", "}")],
		["has a cell twice", "notebooks", (r: string) => r.replace('"id": "b"', '"id": "a"')],
		["gives a line of a cell up", "notebooks", (r: string) => r.replace("x = a1", "")],
	])("keyed checks: made to spoil, a merge that %s → found", (_, name, change) => {
		expect(keyedFaults(mergeContents, triple(name))).toEqual([]);
		expect(keyedFaults(spoil(change, calm), triple(name))).not.toEqual([]);
	});
});
