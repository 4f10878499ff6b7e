import { describe, expect, test } from "@jest/globals";
import { type MergeInput, type MergeOutput, mergeContents } from "./merge.ts";
import { type Invariant, type Merge, type Triple, violations } from "./testing/invariants.ts";

const text = (content: Uint8Array) => Buffer.from(content).toString("utf8");
const bytes = (content: string) => Buffer.from(content, "utf8");
const triple = (path: string, base: string, ours: string, theirs: string): Triple => ({
	path,
	base: bytes(base),
	ours: bytes(ours),
	theirs: bytes(theirs),
	later: "theirs",
});

const STATE = triple(
	"state.json",
	'{\n  "status": "idle",\n  "old": true,\n  "count": 1.0,\n  "tags": ["x"]\n}\n',
	'{\n  "status": "busy",\n  "count": 1.0,\n  "tags": ["x"],\n  "chad": 1\n}\n',
	'{\n  "status": "idle",\n  "old": true,\n  "count": 1.0,\n  "tags": ["x", "y"],\n  "helios": 2\n}\n',
);
const CONFLICT = triple("state.json", '{"a": 1, "b": 1}\n', '{"a": 2, "b": 1}\n', '{"a": 3, "b": 2}\n');
const MESSAGES = triple(
	"messages.json",
	'[\n  {"id": 1, "text": "one"}\n]\n',
	'[\n  {"id": 1, "text": "one"},\n  {"id": 2, "text": "chad"}\n]\n',
	'[\n  {"id": 1, "text": "one"},\n  {"id": 3, "text": "helios"}\n]\n',
);
const SETTINGS = triple(
	"settings.jsonc",
	'{\n  // who\n  "name": "a", // short\n  "level": 1\n}\n',
	'{\n  // who\n  "name": "b", // short\n  "level": 1\n}\n',
	'{\n  // who\n  "name": "a", // short\n  "level": 2\n}\n',
);
const LOG = triple("run.log", "start\n", "start\nchad 1\nchad 2\n", "start\nhelios 1\n");
const ROTATED = triple("run.log", "one\ntwo\n", "two\nthree\n", "one\ntwo\nfour\n");
const NOTES = triple("notes.md", "# Notes\n\nold\n\nend\n", "# Notes\n\nchad\n\nend\n", "# Notes\n\nhelios\n\nend\n");
const TAILS = triple("today.md", "# Today\n", "# Today\n- chad\n", "# Today\n- helios\n");
const CODE = triple("tool.py", "a = 1\nb = 2\nc = 3\n", "a = 5\nb = 2\nc = 9\n", "a = 6\nb = 2\nc = 3\n");

/** A merge that spoils its right result. */
const spoil =
	(change: (result: string, input: MergeInput) => string, lost?: MergeOutput["lost"]): Merge =>
	(input) => {
		const output = mergeContents(input);
		return { ...output, content: bytes(change(text(output.content), input)), lost: lost ?? output.lost };
	};

/** A merge that spoils its right result, but not if only one side changed something. */
const spoilConflicts =
	(change: (result: string, input: MergeInput) => string, lost?: MergeOutput["lost"]): Merge =>
	(input) => {
		const [base, a, b] = [input.base, input.a, input.b].map((content) => (content === null ? null : text(content)));
		return a === b || a === base || b === base ? mergeContents(input) : spoil(change, lost)(input);
	};

interface Mutant {
	readonly bug: string;
	readonly on: Triple;
	readonly merge: Merge;
	readonly found: Invariant;
}

const MUTANTS: readonly Mutant[] = [
	{
		bug: "drops a key that one side added",
		on: STATE,
		merge: spoilConflicts((r) => r.replace(/,\n {2}"chad": 1/, "")),
		found: "nothing-lost",
	},
	{
		bug: "drops a key that one side added, even alone",
		on: STATE,
		merge: spoil((r) => r.replace(/,\n {2}"chad": 1/, "")),
		found: "identity",
	},
	{
		bug: "brings a removed key back",
		on: STATE,
		merge: spoilConflicts((r) => r.replace("{\n", '{\n  "old": true,\n')),
		found: "nothing-resurrected",
	},
	{ bug: "undoes a change", on: STATE, merge: spoilConflicts((r) => r.replace("busy", "idle")), found: "nothing-lost" },
	{ bug: "makes a value up", on: STATE, merge: spoilConflicts((r) => r.replace("busy", "busy idle")), found: "nothing-invented" },
	{ bug: "sorts the keys", on: STATE, merge: spoilConflicts((r) => sortedKeys(r)), found: "in-order" },
	{
		bug: "prints the file again",
		on: STATE,
		merge: spoilConflicts((r) => `${JSON.stringify(JSON.parse(r), null, 4)}\n`),
		found: "faithful",
	},
	{ bug: "rewrites a number", on: STATE, merge: spoilConflicts((r) => r.replace("1.0", "1")), found: "nothing-invented" },
	{ bug: "leaves a comma too many", on: STATE, merge: spoilConflicts((r) => r.replace(/\n}/, ",\n}")), found: "valid" },
	{ bug: "gives a key twice", on: STATE, merge: spoilConflicts((r) => r.replace("{\n", '{\n  "chad": 1,\n')), found: "nothing-invented" },
	{
		bug: "takes the other side where both changed a value",
		on: CONFLICT,
		merge: (input) => spoilConflicts((r) => r.replace(/"a": \d/, `"a": ${input.later === "a" ? 2 : 3}`))(input),
		found: "symmetric",
	},
	{ bug: "does not say that a side lost", on: CONFLICT, merge: spoilConflicts((r) => r, { a: false, b: false }), found: "nothing-lost" },
	{
		bug: "takes the first side whole",
		on: MESSAGES,
		merge: (input) => ({ ...mergeContents(input), content: input.a }),
		found: "symmetric",
	},
	{
		bug: "takes the later side whole and is silent about it",
		on: MESSAGES,
		merge: spoilConflicts((_, input) => text(input.later === "a" ? input.a : input.b)),
		found: "nothing-lost",
	},
	{
		bug: "has an element twice",
		on: MESSAGES,
		merge: spoilConflicts((r) => r.replace("\n]", ',\n  {"id": 1, "text": "one"}\n]')),
		found: "nothing-invented",
	},
	{
		bug: "puts the elements in reverse",
		on: MESSAGES,
		merge: spoilConflicts(
			(r) =>
				`[\n${r
					.split("\n")
					.slice(1, 4)
					.map((line) => line.replace(/,$/, ""))
					.reverse()
					.join(",\n")}\n]\n`,
		),
		found: "in-order",
	},
	{ bug: "drops a comment", on: SETTINGS, merge: spoilConflicts((r) => r.replace(" // short", "")), found: "faithful" },
	{ bug: "loses the tail of a log", on: LOG, merge: spoilConflicts((r) => r.replace("chad 2\n", "")), found: "nothing-lost" },
	{
		bug: "writes a record twice",
		on: LOG,
		merge: spoilConflicts((r) => r.replace("helios 1\n", "helios 1\nhelios 1\n")),
		found: "nothing-invented",
	},
	{ bug: "glues two lines into one", on: LOG, merge: spoilConflicts((r) => r.replace("chad 2\n", "chad 2")), found: "nothing-invented" },
	{
		bug: "swaps two records of one side",
		on: LOG,
		merge: spoilConflicts((r) => r.replace("chad 1\nchad 2", "chad 2\nchad 1")),
		found: "in-order",
	},
	{ bug: "puts whichever side is called a first", on: LOG, merge: (input) => mergeContents({ ...input, later: "b" }), found: "symmetric" },
	{ bug: "brings rotated records back", on: ROTATED, merge: spoilConflicts((r) => `one\n${r}`), found: "nothing-resurrected" },
	{
		bug: "writes conflict markers",
		on: NOTES,
		merge: spoilConflicts((r) => r.replace("chad\nhelios", "<<<<<<< a\nchad\n=======\nhelios\n>>>>>>> b")),
		found: "valid",
	},
	{ bug: "keeps one version of a paragraph only", on: NOTES, merge: spoilConflicts((r) => r.replace("chad\n", "")), found: "nothing-lost" },
	{
		bug: "keeps the old version as well",
		on: NOTES,
		merge: spoilConflicts((r) => r.replace("chad\n", "old\nchad\n")),
		found: "nothing-invented",
	},
	{
		bug: "adds both tails each time",
		on: TAILS,
		merge: spoilConflicts(
			(_, { base, a, b, later }) => text(base!) + text(later === "a" ? b : a).slice(8) + text(later === "a" ? a : b).slice(8),
		),
		found: "stable",
	},
	{
		bug: "loses a clean change beside a conflict",
		on: CODE,
		merge: spoilConflicts((r) => r.replace("c = 9", "c = 3"), { a: false, b: false }),
		found: "nothing-lost",
	},
];

function sortedKeys(json: string): string {
	const lines = json.trimEnd().split("\n");
	const members = lines.slice(1, -1).map((line) => line.replace(/,$/, ""));
	return `{\n${members.sort().join(",\n")}\n}\n`;
}

describe("the checks of the invariants find a merge that", () => {
	test.each(MUTANTS.map((mutant) => [mutant.bug, mutant] as const))("invariants: a merge that %s → found", (_, { on, merge, found }) => {
		expect(violations(mergeContents, on)).toEqual([]);
		expect(violations(merge, on).map(({ invariant }) => invariant)).toContain(found);
	});
});
