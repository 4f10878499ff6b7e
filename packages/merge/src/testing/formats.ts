/**
 * Generated files of keys and values, and the requirements for their merge. Each file is a list of keys with values, written in one format; edits are
 * made to the list, so that the requirements are known without the merge's code. The formats' own parsers read the results.
 */
import fc from "fast-check";
import { parse as parseToml, stringify as printToml } from "smol-toml";
import { parse as parseYaml, stringify as printYaml } from "yaml";
import type { Merge } from "./invariants.ts";

/** A file: keys in order, each with its value (a list, or text of one or more lines) and perhaps a comment above it. */
export interface KeyedEntry {
	readonly key: string;
	readonly value: KeyedValue;
	readonly comment: string | null;
}

export type KeyedValue = string | number | readonly string[] | { readonly [key: string]: string };
export type KeyedFile = readonly KeyedEntry[];

export interface KeyedSyntax {
	readonly path: string;
	readonly write: (file: KeyedFile) => string;
	/** Values by key, as the format's own parser reads them. @throws if the text is not of the format, or has a key twice. */
	readonly read: (text: string) => Map<string, string>;
}

export interface KeyedTriple {
	readonly syntax: KeyedSyntax;
	readonly base: KeyedFile;
	readonly ours: KeyedFile;
	readonly theirs: KeyedFile;
}

/** The formats' own libraries, for comparison. */
export const libraries = {
	yaml: { parse: (text: string): unknown => parseYaml(text), print: (value: unknown): string => printYaml(value) },
	toml: { parse: (text: string): unknown => parseToml(text), print: (value: unknown): string => printToml(value) },
};

const json = JSON.stringify;
const commented = (file: KeyedFile, line: (entry: KeyedEntry) => string) =>
	file.map((entry) => (entry.comment === null ? "" : `# ${entry.comment}\n`) + line(entry)).join("");
const isMap = (value: KeyedValue): value is { readonly [key: string]: string } => typeof value === "object" && !Array.isArray(value);
const isList = (value: KeyedValue): value is readonly string[] => Array.isArray(value);

function yaml(file: KeyedFile): string {
	return commented(file, ({ key, value }) => {
		if (isList(value)) return value.length === 0 ? `${key}: []\n` : `${key}:\n${value.map((one) => `  - ${one}\n`).join("")}`;
		if (isMap(value))
			return `${key}: &of-${key}\n${Object.entries(value)
				.map(([name, one]) => `  ${name}: ${json(one)}\n`)
				.join("")}`;
		if (typeof value === "string" && value.includes("\n")) return `${key}: |\n${value.replace(/^(?=.)/gm, "  ")}`;
		return `${key}: ${typeof value === "string" ? json(value) : value}\n`;
	});
}

function toml(file: KeyedFile): string {
	const pairs = file.filter(({ value }) => !isMap(value));
	const tables = file.filter(({ value }) => isMap(value));
	return (
		commented(pairs, ({ key, value }) => `${key} = ${isList(value) ? `[${value.map((one) => json(one)).join(", ")}]` : json(value)}\n`) +
		commented(tables, ({ key, value }) => {
			const members = Object.entries(value).map(([name, one]) => `${name} = ${json(one)}\n`);
			return `\n[${key}]\n${members.join("")}`;
		})
	);
}

const line = (value: KeyedValue) => json(value).replaceAll(/["\\{}[\]:]/g, "");
const members = (parsed: object) => new Map(Object.entries(parsed ?? {}).map(([key, value]) => [key, json(value)]));

function readLines(text: string): Map<string, string> {
	const found = new Map<string, string>();
	for (const [, key, value] of text.matchAll(/^([^#\n=[]+?) ?= ?(.*)$/gm)) {
		if (found.has(key!)) throw new Error(`${key} is there twice`);
		found.set(key!, value!);
	}
	return found;
}

const frontMatter = (text: string) => /^---\n([\s\S]*?)^---\n/m.exec(text)![1]!;
const blockOf = (text: string) => /^```yaml\n([\s\S]*?)^```\n/m.exec(text)![1]!;

interface Cell {
	readonly id: string;
	readonly source: readonly string[];
}

function readCells(text: string): Map<string, string> {
	const { cells } = JSON.parse(text) as { cells: readonly Cell[] };
	if (new Set(cells.map(({ id }) => id)).size < cells.length) throw new Error("a cell is there twice");
	return new Map(cells.map(({ id, source }) => [id, source.join("")]));
}

function notebook(file: KeyedFile): string {
	const cells = file.map(({ key, value, comment }) => {
		const source = [...(comment === null ? [] : [`# ${comment}\n`]), `x = ${line(value)}`];
		return { cell_type: "code", execution_count: null, id: key, metadata: {}, outputs: [], source };
	});
	return `${JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 }, null, 1)}\n`;
}

export const syntaxes: Readonly<Record<string, KeyedSyntax>> = {
	YAML: { path: "a.yaml", write: yaml, read: (text) => members(parseYaml(text)) },
	TOML: { path: "a.toml", write: toml, read: (text) => members(parseToml(text)) },
	INI: { path: "a.ini", write: (file) => `[all]\n${commented(file, ({ key, value }) => `${key} = ${line(value)}\n`)}`, read: readLines },
	".env": { path: ".env", write: (file) => commented(file, ({ key, value }) => `${key}='${line(value)}'\n`), read: readLines },
	"front matter": {
		path: "a.md",
		write: (file) => `---\n${yaml(file)}---\n# Title\n\nSome words.\n`,
		read: (text) => members(parseYaml(frontMatter(text))),
	},
	"a fenced block": {
		path: "b.md",
		write: (file) => `# Title\n\n\`\`\`yaml\n${yaml(file)}\`\`\`\n\nSome words.\n`,
		read: (text) => members(parseYaml(blockOf(text))),
	},
	notebooks: { path: "a.ipynb", write: notebook, read: readCells },
};

const word = fc.constantFrom("alpha", "beta", "gamma", "it's", "a: b", "x # y", "[z", "- q", "é", "no", "{", "");
const plain = fc.constantFrom("alpha", "beta", "gamma", "delta", "eps", "zeta");
const value: fc.Arbitrary<KeyedValue> = fc.oneof(
	word,
	fc.nat(99),
	fc.uniqueArray(plain, { maxLength: 4 }),
	fc.uniqueArray(plain, { minLength: 1, maxLength: 3 }).map((names) => Object.fromEntries(names.map((name) => [name, `of ${name}`]))),
	fc.array(plain, { minLength: 2, maxLength: 4 }).map((lines) => `${lines.join("\n")}\n`),
);
const entry = fc.record({ key: fc.nat(19).map((n) => `k${n}`), value, comment: fc.option(fc.nat(99).map((n) => `note ${n}`)) });
const file = fc.uniqueArray(entry, { selector: ({ key }) => key, minLength: 1, maxLength: 8 });

type Edit =
	| { readonly op: "set"; readonly at: number; readonly value: KeyedValue }
	| { readonly op: "remove"; readonly at: number }
	| { readonly op: "add"; readonly entry: KeyedEntry };

const edits: fc.Arbitrary<readonly Edit[]> = fc.array(
	fc.oneof(
		fc.record({ op: fc.constant("set" as const), at: fc.nat(9), value }),
		fc.record({ op: fc.constant("remove" as const), at: fc.nat(9) }),
		fc.record({ op: fc.constant("add" as const), entry }),
	),
	{ minLength: 1, maxLength: 4 },
);

function edited(before: KeyedFile, changes: readonly Edit[]): KeyedFile {
	let now = [...before];
	for (const change of changes) {
		if (change.op === "add") {
			if (!now.some(({ key }) => key === change.entry.key)) now.push(change.entry);
			continue;
		}
		const at = change.at % now.length;
		if (change.op === "set") now = now.map((one, i) => (i === at ? { ...one, value: change.value } : one));
		else if (now.length > 1) now = now.filter((_, i) => i !== at);
	}
	return now;
}

/** A file that both sides edited. */
export function keyedTriples(syntax: KeyedSyntax): fc.Arbitrary<KeyedTriple> {
	return fc
		.record({ base: file, ours: edits, theirs: edits })
		.map(({ base, ours, theirs }) => ({ syntax, base, ours: edited(base, ours), theirs: edited(base, theirs) }));
}

/** The faults of a merge of a file of keys and values. */
export function keyedFaults(merge: Merge, { syntax, base, ours, theirs }: KeyedTriple): string[] {
	const bytes = (of: KeyedFile) => Buffer.from(syntax.write(of));
	const input = { path: syntax.path, base: bytes(base), a: bytes(ours), b: bytes(theirs) };
	const output = merge({ ...input, later: "b" });
	const swapped = merge({ ...input, a: input.b, b: input.a, later: "a" });
	const faults: string[] = [];
	if (!Buffer.from(swapped.content).equals(output.content)) faults.push("symmetric");
	if (swapped.lost.a !== output.lost.b || swapped.lost.b !== output.lost.a) faults.push("symmetric: what is lost");
	const text = Buffer.from(output.content).toString();
	let result: Map<string, string>;
	try {
		result = syntax.read(text);
	} catch (error) {
		return [...faults, `valid: ${String(error)}: ${json(text)}`];
	}
	const [inBase, inOurs, inTheirs] = [input.base, input.a, input.b].map((content) => syntax.read(content.toString())) as [
		Map<string, string>,
		Map<string, string>,
		Map<string, string>,
	];
	const lost = output.lost;
	for (const key of new Set([...inBase.keys(), ...inOurs.keys(), ...inTheirs.keys()])) {
		const [before, mine, yours, now] = [inBase, inOurs, inTheirs, result].map((of) => of.get(key));
		const [wanted, isLost] = mine === before ? [yours, lost.b] : yours === before || yours === mine ? [mine, lost.a] : [null, false];
		if (wanted !== null && now !== wanted && !isLost) faults.push(`kept: ${key} is ${now}, not ${wanted}`);
		// Both changed it: anything missing from the result must be reported as lost.
		if (wanted !== null || before === undefined) continue;
		if (mine !== undefined && !/^[[{]|\\n/.test(mine) && now !== mine && !lost.a) faults.push(`lost: ${mine} of ${key}`);
		if (yours !== undefined && !/^[[{]|\\n/.test(yours) && now !== yours && !lost.b) faults.push(`lost: ${yours} of ${key}`);
	}
	for (const key of result.keys()) if (!inOurs.has(key) && !inTheirs.has(key)) faults.push(`invented: ${key}`);
	return faults;
}
