// Merging contents: one large JSON file and two long tails of a log, beside the least that any program must do with them; and what git's union merge
// and parse–merge–print (as `jq -s '.[0] * .[1]'` does it) make of the hand-written cases.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { mergeContents } from "@robust-sync/merge";
import { type Case, readCases } from "@robust-sync/merge/testing/cases";
import { libraries } from "@robust-sync/merge/testing/formats";
import { type Invariant, type Merge, violations } from "@robust-sync/merge/testing/invariants";
import { tree } from "@robust-sync/merge/testing/pieces";
import { type BenchRow, type BenchTable, median, timeRow } from "./table.ts";

const objects = 100_000;
const lines = 100_000;
const rounds = 7;
const roundsOfShort = 30;
/** The library for YAML takes seconds for what others take milliseconds for. */
const roundsOfSlow = 2;

/** Files in a directory of their own, and the programs that work on them. */
class Lab {
	readonly directory = mkdtempSync(path.join(tmpdir(), "bench-merge-"));

	write(name: string, content: Uint8Array | string): string {
		const file = path.join(this.directory, name);
		writeFileSync(file, content);
		return file;
	}

	run(program: string, args: readonly string[]): Buffer {
		const { status, stdout, error } = spawnSync(program, args, {
			cwd: this.directory,
			env: { ...process.env, LC_ALL: "C" },
			maxBuffer: 2 ** 30,
		});
		// git merge-file ends with the number of conflicts; a union has none.
		if (status !== 0) throw error ?? new Error(`${program} ended with ${status}`);
		return stdout;
	}

	remove(): void {
		rmSync(this.directory, { recursive: true, force: true });
	}
}

/**
 * Milliseconds of each, in rounds that take turns; the first round only warms up.
 *
 * @param figure what of the rounds counts: of works of a few milliseconds the best, since any other work on the machine is longer than they are.
 */
function taken<Name extends string>(
	work: Record<Name, () => unknown>,
	count = rounds,
	figure: (times: readonly number[]) => number = median,
): Record<Name, number> {
	const names = Object.keys(work) as Name[];
	const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
	for (let round = 0; round <= count; round++) {
		for (const name of names) {
			const before = performance.now();
			work[name]();
			if (round > 0) times[name].push(performance.now() - before);
		}
	}
	return Object.fromEntries(names.map((name) => [name, figure(times[name])])) as Record<Name, number>;
}

/** A conversation, as a program prints it: every hundredth message changed by the side, or none. */
function conversation(side: string, changed: number | null): string {
	const messages = Array.from({ length: objects }, (_, i) => ({
		id: i,
		role: i % 2 === 0 ? "user" : "assistant",
		ts: new Date(1_760_000_000_000 + i * 1000).toISOString(),
		content: i % 100 === changed ? `changed by ${side}` : `message ${i}, of some words as they come`,
		tokens: (i * 7) % 1000,
	}));
	return `${JSON.stringify(messages, null, 2)}\n`;
}

function largeJson(lab: Lab): BenchRow[] {
	const files = { base: conversation("nobody", null), older: conversation("helios", 3), later: conversation("chad", 7) };
	const [base, older, later] = Object.entries(files).map(([name, text]) => lab.write(`${name}.json`, text)) as [string, string, string];
	const merge = () =>
		mergeContents({ path: "chat.json", base: readFileSync(base), a: readFileSync(older), b: readFileSync(later), later: "b" }).content;
	const merged = JSON.parse(Buffer.from(merge()).toString()) as { content: string }[];
	const changes = merged.filter(({ content }) => content.startsWith("changed by")).length;
	if (changes !== objects / 50) throw new Error(`${changes} changes are in the result`);
	const times = taken({
		ours: merge,
		floor: () => {
			const [one] = [older, later].map((file) => JSON.parse(readFileSync(file, "utf8")) as unknown);
			JSON.stringify(one, null, 2);
		},
		union: () => union(lab, [base, older, later]),
		print: () => printed(readFileSync(older), readFileSync(later)),
	});
	return [
		timeRow(
			`one JSON file of ${objects} objects with ids, 1 % changed on each side, beside 2 parses + 1 print`,
			times.ours,
			times.floor,
			"≤ 6 ×",
		),
		timeRow("the same, beside git merge-file --union", times.ours, times.union, "–"),
		timeRow("the same, beside parse–merge–print", times.ours, times.print, "–"),
	];
}

function longTails(lab: Lab): BenchRow[] {
	const log = (name: string, offset: number) =>
		Array.from(
			{ length: lines },
			(_, i) => `${new Date(1_760_000_000_000 + i * 1000 + offset).toISOString()} ${name} did what it does, step ${i}\n`,
		);
	const head = "2025-01-01T00:00:00.000Z started\n";
	const [older, later] = [log("helios", 0), log("chad", 500)];
	const files = [head, head + older.join(""), head + later.join("")].map((text, i) => lab.write(`${i}.log`, text));
	const tails = [older, later].map((tail, i) => lab.write(`tail-${i}.log`, tail.join("")));
	const target = path.join(lab.directory, "merged.log");
	const merge = () => {
		const [base, a, b] = files.map((file) => readFileSync(file)) as [Buffer, Buffer, Buffer];
		writeFileSync(target, mergeContents({ path: "run.log", base, a, b, later: "b" }).content);
	};
	const sort = () => lab.run("sort", ["-m", "-o", "sorted.log", ...tails]);
	merge();
	sort();
	if (readFileSync(target, "utf8") !== head + readFileSync(path.join(lab.directory, "sorted.log"), "utf8"))
		throw new Error("the merge is not what sort -m gives");
	const times = taken({ ours: merge, floor: sort });
	return [timeRow(`two tails of ${lines} log lines, read, merged and written, beside LC_ALL=C sort -m`, times.ours, times.floor, "≤ 3 ×")];
}

/** A file of 10,000 entries: how it is written, and what any program that merges it must do: two parses and a print. */
interface SmallFile {
	readonly path: string;
	readonly entry: (i: number, note: string) => string;
	readonly whole: (entries: string[]) => string;
	readonly parse: (text: string) => unknown;
	readonly print: (parsed: never) => string;
}

const entries = 10_000;
const inLines = {
	whole: (all: string[]) => `${all.join("\n")}\n`,
	parse: (text: string) => text.split("\n"),
	print: (all: string[]) => all.join("\n"),
};
const inJson = { parse: JSON.parse, print: (value: unknown) => JSON.stringify(value, null, 1) };
const smallFiles: readonly SmallFile[] = [
	{ path: "ids.json", entry: (i, note) => `{"id": ${i}, "note": "${note}"}`, whole: (all) => `[\n ${all.join(",\n ")}\n]\n`, ...inJson },
	{ path: "keys.json", entry: (i, note) => `"k${i}": "${note}"`, whole: (all) => `{\n ${all.join(",\n ")}\n}\n`, ...inJson },
	{ path: "turns.json", entry: (i, note) => `{"n": "${i} ${note}"}`, whole: (all) => `[\n ${all.join(",\n ")}\n]\n`, ...inJson },
	{ path: "list.json", entry: (i, note) => `"${i} ${note}"`, whole: (all) => `[\n ${all.join(",\n ")}\n]\n`, ...inJson },
	{
		path: "records.jsonl",
		entry: (i, note) => `{"id": ${i}, "note": "${note}"}`,
		...inLines,
		parse: (text) =>
			text
				.trimEnd()
				.split("\n")
				.map((line) => JSON.parse(line) as unknown),
		print: (all: unknown[]) => all.map((one) => JSON.stringify(one)).join("\n"),
	},
	{ path: "run.log", entry: (i, note) => `${new Date(1_760_000_000_000 + i * 1000).toISOString()} ${note} ${i}`, ...inLines },
	{
		path: "table.csv",
		entry: (i, note) => `${i},${note},x`,
		...inLines,
		parse: (text) => text.split("\n").map((line) => line.split(",")),
		print: (all: string[][]) => all.map((row) => row.join(",")).join("\n"),
	},
	{ path: "notes.md", entry: (i, note) => `- item ${i}: ${note}`, ...inLines },
	{ path: "tool.py", entry: (i, note) => `call(${i}, "${note}")`, ...inLines },
	{ path: "keys.yaml", entry: (i, note) => `k${i}: ${note}`, ...inLines, ...libraries.yaml },
	{ path: "ids.yaml", entry: (i, note) => `- id: ${i}\n  note: ${note}`, ...inLines, ...libraries.yaml },
	{ path: "keys.toml", entry: (i, note) => `k${i} = "${note}"`, ...inLines, ...libraries.toml },
	{ path: "tables.toml", entry: (i, note) => `[t${i}]\nnote = "${note}"`, ...inLines, ...libraries.toml },
];

/** Each kind of file with one entry changed on each side. */
function smallKinds(): BenchRow[] {
	return smallFiles.map(({ path: name, entry, whole, parse, print }) => {
		const text = (changed: number) => whole(Array.from({ length: entries }, (_, i) => entry(i, i === changed ? "changed" : "as it was")));
		const [base, a, b] = [text(-1), text(entries / 4), text(entries / 2)].map((version) => Buffer.from(version)) as [
			Buffer,
			Buffer,
			Buffer,
		];
		const merged = Buffer.from(mergeContents({ path: name, base, a, b, later: "b" }).content).toString();
		if (merged.split("changed").length !== 3) throw new Error(`the merge of ${name} lacks a change`);
		const times = taken(
			{
				ours: () => mergeContents({ path: name, base, a, b, later: "b" }),
				floor: () => {
					parse(a.toString());
					print(parse(b.toString()) as never);
				},
			},
			name.endsWith(".yaml") ? roundsOfSlow : roundsOfShort,
			(times) => Math.min(...times),
		);
		return timeRow(
			`${name} of ${entries} entries, one changed on each side, beside 2 parses + 1 print (best)`,
			times.ours,
			times.floor,
			"≤ 6 ×",
		);
	});
}

/** `git merge-file --union`: its result, without its messages about conflicts. */
function union(lab: Lab, [base, older, later]: readonly [string, string, string]): Buffer {
	return lab.run("git", ["merge-file", "-p", "--union", older, base, later]);
}

/** What `jq -s '.[0] * .[1]'` does with two files, indented as most programs do: objects are merged, of anything else the second stays. */
function printed(older: Uint8Array, later: Uint8Array): Buffer {
	const merge = (one: unknown, other: unknown): unknown => {
		if (!isObject(one) || !isObject(other)) return other;
		const merged = new Map(Object.entries(one));
		for (const [key, value] of Object.entries(other)) merged.set(key, merged.has(key) ? merge(merged.get(key), value) : value);
		return Object.fromEntries(merged);
	};
	const parse = (content: Uint8Array): unknown =>
		JSON.parse(
			Buffer.from(content)
				.toString("utf8")
				.replace(/^\uFEFF/, ""),
		);
	return Buffer.from(`${JSON.stringify(merge(parse(older), parse(later)), null, 2)}\n`);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** What is wrong with a merge's results, in how many of the cases. */
interface Faults {
	readonly invalid: number;
	readonly lost: number;
	readonly back: number;
	readonly rewritten: number;
}

function faults(cases: readonly Case[], merge: Merge): Faults {
	const count = { invalid: 0, lost: 0, back: 0, rewritten: 0 };
	for (const one of cases) {
		const found = new Set<Invariant | "invalid">();
		const checked: Merge = (input) => {
			const output = merge({ ...input, attribute: one.attribute });
			if (output.strategy === "json" && [input.a, input.b].every((side) => tree(side) !== null) && tree(output.content) === null)
				found.add("invalid");
			return output;
		};
		try {
			for (const { invariant } of violations(checked, one)) found.add(invariant);
		} catch (error) {
			if (!found.has("invalid")) throw error;
		}
		if (found.has("invalid")) count.invalid++;
		else {
			if (found.has("nothing-lost")) count.lost++;
			if (found.has("nothing-resurrected") || found.has("nothing-invented")) count.back++;
			if (found.has("faithful") || found.has("identity")) count.rewritten++;
		}
	}
	return count;
}

function comparison(lab: Lab): BenchRow[] {
	// Where a side lays a file out again or moves things, the checks cannot decide what is right: those cases are left to the tests.
	const cases = readCases().filter((one) => violations((input) => mergeContents({ ...input, attribute: one.attribute }), one).length === 0);
	const json = cases.filter((one) => one.name.startsWith("json/") && [one.ours, one.theirs].every((side) => tree(side) !== null));
	const text = cases.filter((one) => /^(?:records|append|prose)\//.test(one.name));
	const others: Record<string, Merge> = {
		"git merge-file --union": (input) => {
			const [older, later] = input.later === "a" ? [input.b, input.a] : [input.a, input.b];
			const files = [input.base ?? "", older, later].map((content, i) => lab.write(`case-${i}`, content)) as [string, string, string];
			return { ...mergeContents(input), content: union(lab, files), lost: { a: false, b: false } };
		},
		"parse–merge–print": (input) => {
			const [older, later] = input.later === "a" ? [input.b, input.a] : [input.a, input.b];
			return { ...mergeContents(input), content: orOlder(() => printed(older, later), older), lost: { a: false, b: false } };
		},
	};
	const rows: BenchRow[] = [];
	for (const [kind, of] of [
		["JSON", json],
		["text", text],
	] as const) {
		const ours = faults(of, mergeContents);
		for (const [name, merge] of Object.entries(others)) {
			if (kind === "text" && name === "parse–merge–print") continue;
			const theirs = faults(of, merge);
			for (const [fault, what] of [
				["invalid", "is not JSON"],
				["lost", "lacks something that a side wrote, without a report"],
				["back", "has something that was removed, or more of it than there was"],
				["rewritten", "is written otherwise where nobody changed it"],
			] as const) {
				if (kind === "text" && (fault === "invalid" || fault === "rewritten")) continue;
				rows.push({
					what: `${of.length} ${kind} cases, beside ${name}: the result ${what}`,
					ours: String(ours[fault]),
					floor: String(theirs[fault]),
					ratio: "–",
					target: "0",
				});
			}
		}
	}
	return rows;
}

/** A program that cannot read comments leaves the file as it was. */
function orOlder(merge: () => Buffer, older: Uint8Array): Uint8Array {
	try {
		return merge();
	} catch {
		return older;
	}
}

/** Runs for about half a minute. */
export async function run(): Promise<BenchTable> {
	const lab = new Lab();
	try {
		return { name: "merge", rows: [...largeJson(lab), ...longTails(lab), ...smallKinds(), ...comparison(lab)] };
	} finally {
		lab.remove();
	}
}
