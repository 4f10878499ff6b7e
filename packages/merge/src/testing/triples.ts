// Above 400 lines: one generator, whose parts draw from each other.
/** Generated triples (base, one side, other side) like the files of agents. */
import fc from "fast-check";
import type { Fitness, Triple } from "./invariants.ts";
import { apply, type Edit, hasNameless, hasScalarList, type Layout, type Model, print, repeats, scalar } from "./json-model.ts";

export interface Generated extends Triple {
	readonly fitness: Fitness;
}

const WORDS = [
	"alpha",
	"beta",
	"naïve",
	"日本語",
	"🙂",
	"a b",
	"",
	"<<<<<<< HEAD",
	"=======",
	">>>>>>> main",
	"done",
	"todo",
	"\u2028",
	"tab\there",
];
const KEYS = [
	"name",
	"status",
	"count",
	"tags",
	"meta",
	"ключ",
	"__proto__",
	"constructor",
	"toString",
	"a/b",
	"",
	"0",
	"10",
	"x.y",
	"deadline",
	"é",
];
const NUMBERS = ["0", "-0", "1", "1.0", "1e5", "1E+5", "12345678901234567890", "12345678901234567891", "0.1", "-3.25", "100", "1e400"];
const STRINGS = [
	String.raw`"\u00e9"`,
	String.raw`"\/path"`,
	String.raw`"line\nbreak"`,
	String.raw`"\ud83d\ude42"`,
	String.raw`"quote \" and \\"`,
];

const word = fc.constantFrom(...WORDS);
const fresh = fc.nat(99_999).map((n) => `new ${n}`);
const leaf: fc.Arbitrary<Model> = fc
	.oneof(
		word.map((w) => JSON.stringify(w)),
		fresh.map((w) => JSON.stringify(w)),
		fc.constantFrom(...NUMBERS, ...STRINGS, "true", "false", "null"),
		fc.nat(1000).map(String),
	)
	.map(scalar);
const key = fc.oneof(fc.constantFrom(...KEYS), fresh);

function object(values: fc.Arbitrary<Model>, maxLength: number): fc.Arbitrary<Model> {
	return fc
		.uniqueArray(fc.tuple(key, values), { selector: ([name]) => name, maxLength })
		.map((members) => ({ kind: "object", members: members.map(([name, value]) => [name, value] as [string, Model]) }));
}

const array = (values: fc.Arbitrary<Model>, maxLength: number): fc.Arbitrary<Model> =>
	fc
		.record({ items: fc.array(values, { maxLength }), inline: fc.boolean() })
		.map(({ items, inline }) => ({ kind: "array", items, inline }));

const flat = object(leaf, 4);
const value: fc.Arbitrary<Model> = fc.oneof(
	{ weight: 5, arbitrary: leaf },
	{ weight: 1, arbitrary: flat },
	{ weight: 1, arbitrary: array(leaf, 4) },
);
const message: fc.Arbitrary<Model> = fc
	.record({ id: fc.nat(9999), role: fc.constantFrom("user", "assistant"), content: leaf, extra: object(value, 2) })
	.map(({ id, role, content, extra }) => ({
		kind: "object",
		members: [
			["id", scalar(id % 2 === 0 ? String(id) : `"m-${id}"`)],
			["role", scalar(`"${role}"`)],
			["content", content],
			["extra", extra],
		],
	}));
const turn: fc.Arbitrary<Model> = fc.record({ role: fc.constantFrom("user", "assistant"), content: leaf }).map(({ role, content }) => ({
	kind: "object",
	members: [
		["role", scalar(`"${role}"`)],
		["content", content],
	],
}));
const messages: fc.Arbitrary<Model> = fc
	.uniqueArray(message, { selector: (item) => JSON.stringify(item.kind === "object" ? item.members[0]![1] : ""), maxLength: 8 })
	.map((items) => ({ kind: "array", items, inline: false }));
const turns = array(turn, 8);
const nested: fc.Arbitrary<Model> = fc
	.record({ depth: fc.integer({ min: 5, max: 40 }), inner: value, side: value })
	.map(({ depth, inner, side }) => {
		let model = inner;
		for (let i = 0; i < depth; i++) {
			model =
				i % 3 === 2
					? { kind: "array", items: [model], inline: false }
					: {
							kind: "object",
							members: [
								["in", model],
								[`side ${i}`, side],
							],
						};
		}
		return model;
	});
const document: fc.Arbitrary<Model> = fc.oneof(
	object(fc.oneof(value, messages, turns, object(value, 4)), 8),
	messages,
	turns,
	array(leaf, 8),
	nested,
);

const layout: fc.Arbitrary<Layout> = fc.record({
	indent: fc.constantFrom("" as const, "  " as const, "  " as const, "    " as const, "\t" as const),
	lineEnd: fc.constantFrom("\n" as const, "\n" as const, "\r\n" as const),
	bom: fc.constantFrom(false, false, false, true),
	finalLineEnd: fc.boolean(),
	commentEvery: fc.constant(0),
});

function edits(moves: boolean): fc.Arbitrary<Edit[]> {
	const place = fc.nat(40);
	const what = fc.oneof({ weight: 4, arbitrary: value }, { weight: 2, arbitrary: message }, { weight: 1, arbitrary: turn });
	const op = moves ? fc.constantFrom("set", "add", "remove", "move") : fc.constantFrom("set", "add", "remove");
	return fc.array(
		fc.oneof(
			fc.record({ op: op as fc.Arbitrary<"set" | "add" | "remove" | "move">, place, at: fc.nat(40), value: what, key }),
			fc.record({ op: fc.constant("append" as const), place, value: what, key }),
		),
		{ maxLength: 6 },
	);
}

function isAmbiguous(document: Model, ours: Edit[], theirs: Edit[]): boolean {
	return [document, apply(document, ours), apply(document, theirs)].some((model) => repeats(model) || hasNameless(model));
}

const later = fc.constantFrom("ours" as const, "theirs" as const);
const bytes = (text: string) => Buffer.from(text, "utf8");

/** JSON documents that both sides edited, in the layout of the base. */
export const jsonTriple: fc.Arbitrary<Generated> = fc
	.record({ document, layout, ours: edits(false), theirs: edits(false), later, added: fc.nat(9) })
	.map(({ document, layout, ours, theirs, later, added }) => ({
		path: "state/agent.json",
		base: added === 0 ? null : bytes(print(document, layout)),
		ours: bytes(print(apply(document, ours), layout)),
		theirs: bytes(print(apply(document, theirs), layout)),
		later,
		fitness: { ambiguous: isAmbiguous(document, ours, theirs) },
	}));

/** Conversations whose turns have no identity: turns are added and removed, but none is changed. */
export const turnsTriple: fc.Arbitrary<Generated> = fc
	.record({ document: turns, layout, ours: turnEdits(), theirs: turnEdits(), later })
	.map(({ document, layout, ours, theirs, later }) => ({
		path: "sessions/chat.json",
		base: bytes(print(document, layout)),
		ours: bytes(print(apply(document, ours), layout)),
		theirs: bytes(print(apply(document, theirs), layout)),
		later,
		fitness: {
			// A removed turn and an added one in its place are indistinguishable from a changed turn.
			ambiguous:
				[document, apply(document, ours), apply(document, theirs)].some(repeats) ||
				[ours, theirs].some((edits) => new Set(edits.map(({ op }) => op === "remove")).size > 1),
		},
	}));

function turnEdits(): fc.Arbitrary<Edit[]> {
	const op = fc.constantFrom("add" as const, "remove" as const);
	const edit = fc.record({ op, place: fc.constant(0), at: fc.nat(40), value: turn, key: fc.constant("") });
	const append = fc.record({ op: fc.constant("append" as const), place: fc.constant(0), value: turn, key: fc.constant("") });
	return fc.array(fc.oneof(append, edit), { maxLength: 5 });
}

/** The same with moves, and with a side in another layout. */
export const movedJsonTriple: fc.Arbitrary<Generated> = fc
	.record({ document, layout, relaid: layout, ours: edits(true), theirs: edits(true), later, which: fc.nat(2) })
	.map(({ document, layout, relaid, ours, theirs, later, which }) => ({
		path: "agent.json",
		base: bytes(print(document, layout)),
		ours: bytes(print(apply(document, ours), which === 1 ? relaid : layout)),
		theirs: bytes(print(apply(document, theirs), which === 2 ? relaid : layout)),
		later,
		fitness: {
			moves: true,
			relaid: true,
			ambiguous: isAmbiguous(document, ours, theirs) || [document, apply(document, ours), apply(document, theirs)].some(hasScalarList),
		},
	}));

/** Settings with comments. Comments are numbered by place, so only values are changed. */
export const commentedTriple: fc.Arbitrary<Generated> = fc
	.record({
		document: object(value, 8),
		indent: fc.constantFrom("  " as const, "\t" as const),
		every: fc.integer({ min: 1, max: 3 }),
		ours: leafEdits(),
		theirs: leafEdits(),
		later,
	})
	.map(({ document, indent, every, ours, theirs, later }) => {
		const style: Layout = { indent, lineEnd: "\n", bom: false, finalLineEnd: true, commentEvery: every };
		return {
			path: ".vscode/settings.jsonc",
			base: bytes(print(document, style)),
			ours: bytes(print(apply(document, ours), style)),
			theirs: bytes(print(apply(document, theirs), style)),
			later,
			fitness: {},
		};
	});

function leafEdits(): fc.Arbitrary<Edit[]> {
	const edit = fc.record({ op: fc.constant("set" as const), place: fc.constant(0), at: fc.nat(40), value: leaf, key });
	return fc.array(edit, { maxLength: 3 }).map((all) => all);
}

/** Broken JSON: torn, with a repeated key, too deep, not UTF-8; and lines in files with other names. */
export const awkwardTriple: fc.Arbitrary<Generated> = fc
	.record({
		base: awkward(),
		ours: awkward(),
		theirs: awkward(),
		later,
		path: fc.constantFrom("state.json", "session", "notes.md", "x.yaml", "data.csv"),
	})
	.map(({ base, ours, theirs, later, path }) => ({
		path,
		base,
		ours,
		theirs,
		later,
		fitness: { moves: true, relaid: true, ambiguous: true },
	}));

function awkward(): fc.Arbitrary<Uint8Array> {
	const style: Layout = { indent: "  ", lineEnd: "\n", bom: false, finalLineEnd: true, commentEvery: 0 };
	return fc.oneof(
		object(value, 4).map((model) => bytes(print(model, style))),
		fc.tuple(object(value, 4), fc.nat(60)).map(([model, cut]) => bytes(print(model, style).slice(0, cut))),
		fc
			.tuple(leaf, leaf)
			.map(([one, other]) =>
				bytes(`{\n  "a": ${print(one, style)}  "a": ${print(other, style)}}\n`.replace('\n  "a"', ',\n  "a"').replace("{,", "{")),
			),
		fc.integer({ min: 495, max: 520 }).map((depth) => bytes("[".repeat(depth) + "]".repeat(depth))),
		fc.tuple(fc.nat(9), fc.nat(9)).map(([a, b]) => bytes(`{"id":${a}}\n{"id":${b}}\n`)),
		leaf.map((model) => Buffer.concat([bytes('{"a": "'), Buffer.from([0xe9]), bytes(`", "b": ${print(model, style)}}`)])),
		fc.array(word, { maxLength: 5 }).map((words) => bytes(words.join("\n"))),
		fc.constantFrom("", "\n", "[]", "{}", "null", "<<<<<<< HEAD\nx\n=======\ny\n>>>>>>> z\n").map(bytes),
	);
}

type LineEdit = { readonly op: "insert" | "delete" | "replace" | "append"; readonly at: number; readonly line: string };

function applyLines(base: readonly string[], edits: readonly LineEdit[]): string[] {
	const lines = [...base];
	for (const { op, at, line } of edits) {
		if (op === "append") lines.push(line);
		else if (op === "insert") lines.splice(at % (lines.length + 1), 0, line);
		else if (lines.length > 0 && op === "delete") lines.splice(at % lines.length, 1);
		else if (lines.length > 0) lines[at % lines.length] = line;
	}
	return lines;
}

interface LineFile {
	readonly path: string;
	readonly line: fc.Arbitrary<string>;
	readonly ops: readonly LineEdit["op"][];
	readonly timed?: boolean;
	/** The name of a line: versions with two lines of one name, or names in different orders, have more than one right merge. */
	readonly nameOf?: (line: string) => string;
}

const keyOf = (line: string) => /^(\S+?)(?: =|:)/.exec(line)?.[1] ?? "";

const timeOf = (line: string) => /\d{4}-[^ "]*/.exec(line)?.[0] ?? "";

const time = fc.nat(86_399).map((seconds) => new Date(Date.UTC(2026, 1, 18) + seconds * 1000).toISOString());
const lineFiles: readonly LineFile[] = [
	{
		path: "logs/run.log",
		line: fc.tuple(time, word, fc.nat(999)).map(([t, w, n]) => `${t} ${w.trim()} ${n}`),
		ops: ["append", "append", "append", "delete"],
	},
	{ path: "logs/plain.log", line: fc.tuple(word, fc.nat(30)).map(([w, n]) => `${w} ${n}`), ops: ["append", "append", "delete", "insert"] },
	{
		path: "messages.jsonl",
		line: fc.tuple(time, word, fc.nat(999)).map(([ts, text, id]) => JSON.stringify({ id, ts, text })),
		ops: ["append", "append", "append", "delete", "replace"],
		timed: true,
		nameOf: (line) => /^\{"id":(\d+)/.exec(line)?.[1] ?? "",
	},
	{
		path: "table.csv",
		line: fc.tuple(fc.nat(999), word).map(([n, w]) => `${n},"${w.replaceAll('"', '""')}"`),
		ops: ["append", "insert", "delete", "replace"],
		nameOf: (line) => line.slice(0, line.indexOf(",")),
	},
	{
		path: "memory/notes.md",
		line: fc.oneof(
			fc.tuple(word, fc.nat(500)).map(([w, n]) => `- ${w} ${n}`),
			fc.constantFrom("", "", "# Notes", "---", "```"),
			fc.nat(99).map((n) => `## ${n}`),
			word,
		),
		ops: ["append", "insert", "delete", "replace"],
	},
	{
		path: "memory/today.md",
		line: fc.oneof(
			fc.nat(500).map((n) => `- item ${n}`),
			fc.constant(""),
		),
		ops: ["append"],
	},
	{
		path: "config.toml",
		line: fc.oneof(
			fc.tuple(fc.nat(200), word).map(([n, w]) => `key_${n} = ${JSON.stringify(w)}`),
			fc.constantFrom("", "# note"),
		),
		ops: ["append", "insert", "delete", "replace"],
		nameOf: keyOf,
	},
	{
		path: "tool.py",
		line: fc.oneof(
			fc.tuple(fc.nat(200), fc.nat(2)).map(([n, d]) => `${"    ".repeat(d)}call(${n})`),
			fc.constantFrom("", "    return", "<<<<<<< x"),
		),
		ops: ["insert", "delete", "replace"],
	},
	{
		path: "deploy.yaml",
		line: fc.tuple(fc.nat(60), fc.nat(99)).map(([n, v]) => `key${n}: ${v}`),
		ops: ["append", "insert", "delete", "replace"],
		nameOf: keyOf,
	},
];

/** Does a key repeat, or are keys in different orders? */
function isUnclear(...versions: readonly (readonly string[])[]): boolean {
	return versions.some(hasTwice) || versions.some((one) => versions.some((other) => reordered(one.filter(Boolean), other.filter(Boolean))));
}

function hasTwice(keys: readonly string[]): boolean {
	const found = keys.filter((key) => key !== "");
	return new Set(found).size < found.length;
}

/** Do common lines have another order? */
function reordered(one: readonly string[], other: readonly string[]): boolean {
	const common = one.filter((line) => other.includes(line));
	return common.some((line, i) => i > 0 && other.indexOf(common[i - 1]!) > other.indexOf(line));
}

/** Files of lines: logs, records, notes, configurations, code. */
export const linesTriple: fc.Arbitrary<Generated> = fc.constantFrom(...lineFiles).chain(({ path, line, ops, timed, nameOf }) => {
	const edit: fc.Arbitrary<LineEdit> = fc.record({ op: fc.constantFrom(...ops), at: fc.nat(40), line });
	const changes = fc.array(edit, { maxLength: 6 });
	return fc
		.record({
			base: fc.array(line, { maxLength: 12 }),
			ours: changes,
			theirs: changes,
			later,
			lineEnd: fc.constantFrom("\n", "\n", "\r\n"),
			bom: fc.constantFrom("", "", "", "\uFEFF"),
			ended: fc.constantFrom(true, true, false),
			added: fc.nat(9),
		})
		.map(({ base, ours, theirs, later, lineEnd, bom, ended, added }) => {
			const write = (lines: readonly string[]) => bytes(lines.length === 0 ? "" : bom + lines.join(lineEnd) + (ended ? lineEnd : ""));
			// Logs are written in the order of time.
			const sorted = (lines: string[]) =>
				timed ? lines.sort((x, y) => (timeOf(x) < timeOf(y) ? -1 : timeOf(x) > timeOf(y) ? 1 : 0)) : lines;
			const before = sorted([...base]);
			const [o, t] = [sorted(applyLines(before, ours)), sorted(applyLines(before, theirs))];
			// Repeated lines, and lines that return at another place, have more than one right correspondence.
			const unclear =
				[before, o, t].some((lines) => new Set(lines).size < lines.length) ||
				// A fence without its counterpart that is added or removed changes the meaning of all lines below it.
				[before, o, t].some((lines) => lines.includes("```")) ||
				(nameOf !== undefined && isUnclear(before.map(nameOf), o.map(nameOf), t.map(nameOf))) ||
				reordered(before, o) ||
				reordered(before, t) ||
				reordered(o, t);
			return {
				path,
				base: added === 0 ? null : write(before),
				ours: write(o),
				theirs: write(t),
				later,
				fitness: { moves: unclear, ambiguous: unclear },
			};
		});
});

/** All of them, by kind. */
export const families: Readonly<Record<string, fc.Arbitrary<Generated>>> = {
	"JSON that both sides edited": jsonTriple,
	"JSON with things moved, and printed again": movedJsonTriple,
	"conversations whose turns have no identity": turnsTriple,
	"settings with comments": commentedTriple,
	"logs, records, notes, configurations and code": linesTriple,
	"files that are not what they seem": awkwardTriple,
};
