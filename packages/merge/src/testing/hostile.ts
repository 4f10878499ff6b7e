/** Contents that make a merge slow, of any size. */

export interface Hostile {
	readonly name: string;
	readonly path: string;
	readonly base: string;
	readonly ours: string;
	readonly theirs: string;
	/** The number of times that its steps would use up the budget; infinity: one side stays whole at any size. */
	readonly budgets?: number;
}

const list = (length: number, text: (i: number) => string, between = ",") => Array.from({ length }, (_, i) => text(i)).join(between);

/** @param scale 1: large enough to exceed the budget of a merge. */
export function hostile(scale: number): Hostile[] {
	const n = (size: number) => Math.ceil(size * scale);
	const members = (change: (i: number) => number) => `[{${list(n(60_000), (i) => `"k${i}":${change(i)}`)}}]`;
	const manyObjects = (add: number) => `[${list(45, (k) => `{${list(n(1_500), (i) => `"k${i}":${((i * k) % 7) + add}`)}}`)},{"z":${add}}]`;
	const deep = (depth: number, inner: string) => "[".repeat(depth) + inner + "]".repeat(depth);
	const deepWithSiblings = (inner: string) => {
		const siblings = list(n(100), (i) => `{"n":${i},"q":"${"v".repeat(10)}"}`);
		return `[${siblings},`.repeat(240) + inner + "]".repeat(240);
	};
	const mapping = (more: string) => `${list(n(60_000), (i) => `k${i}: ${i}`, "\n")}\n${more}`;
	const [ours, theirs] = collidingLines(n(32_000));
	return [
		// The cost of a level does not shrink with the size.
		{ name: "490 arrays deep, 200 KB", path: "a.json", ...versions((side) => deep(490, `"${side.repeat(n(200_000))}"`)), budgets: 4 },
		{ name: "240 arrays deep with siblings", path: "a.json", ...versions((side) => deepWithSiblings(`"${side}"`)), budgets: 2 },
		{ name: "100,000 arrays deep", path: "a.json", ...versions((side) => deep(n(100_000), `"${side}"`)) },
		{ name: "100,000 arrays deep in a canvas", path: "a.canvas", ...versions((side) => deep(n(100_000), `"${side}"`)) },
		{ name: "100,000 arrays deep in a record", path: "a.jsonl", ...versions((side) => `{"id":1,"x":${deep(n(100_000), `"${side}"`)}}\n`) },
		{
			name: "200 arrays 400 deep",
			path: "a.json",
			...versions((side) => `[${list(n(200), (i) => deep(400, `"${i}${side}"`))}]`),
			budgets: 6,
		},
		{
			name: "an object of 60,000 members in an array",
			path: "a.json",
			base: members((i) => i),
			ours: members((i) => (i === 10 ? -1 : i)),
			theirs: members((i) => (i === 500 ? -1 : i)),
		},
		{ name: "46 against 45 large objects", path: "a.json", base: manyObjects(0), ours: manyObjects(1), theirs: manyObjects(2) },
		{ name: "a number of 200,000 digits", path: "a.json", ...versions((side) => `{"n":${side.repeat(n(200_000))}}`, ["1", "2", "3"]) },
		{ name: "zeros", path: "a.json", ...versions((side) => `[${side}${"0".repeat(n(200_000))}1]`, ["1", "2", "3"]) },
		{ name: "an exponent of 200,000 digits", path: "a.json", ...versions((side) => `[1e${side.repeat(n(200_000))}]`, ["1", "2", "3"]) },
		{ name: "30,000 comments in one place", path: "a.json", ...versions((side) => `{${`/*${side}*/`.repeat(n(30_000))}"a":"${side}"}`) },
		{
			name: "130,000 numbers against two",
			path: "a.json",
			base: "[1,1]",
			ours: `[1,1,${list(n(130_000), String)}]`,
			theirs: "[1,1,7,8]",
		},
		{
			name: "130,000 elements appended by each",
			path: "a.json",
			base: "[{}]",
			ours: `[{},${list(n(130_000), (i) => `{"x":${i}}`)}]`,
			theirs: `[{},${list(n(130_000), (i) => `{"y":${i}}`)}]`,
		},
		{
			name: "700,000 numbers, another one in each place",
			path: "a.json",
			budgets: 3,
			...numbered((shift) => `[${list(n(700_000), (i) => String(i + shift))}]`),
		},
		{ name: "five million short lines", path: "a.md", budgets: 10, ...versions((side) => `${"a\n".repeat(n(5_000_000))}${side}\n`) },
		{
			name: "200,000 rows, all changed by both",
			path: "a.csv",
			budgets: 2,
			...numbered((shift) => `id,name,v\n${list(n(200_000), (i) => `${i},name ${i},${i + shift}`, "\n")}\n`),
		},
		{
			name: "300,000 members, all changed by both",
			path: "a.json",
			budgets: 4,
			...versions((side) => `{${list(n(300_000), (i) => `"k${i}":"${side}"`)}}`),
		},
		{
			name: "a notebook of 3,000 cells, all changed by both",
			path: "a.ipynb",
			budgets: 4,
			...versions((side) => notebook(n(3_000), side)),
		},
		{ name: "a notebook cell of 40,000 lines split in 2,000", path: "a.ipynb", budgets: 4, ...splitCells(n(2_000)) },
		{
			name: "30,000 elements renamed and edited",
			path: "a.json",
			...versions(
				(side) => `[${list(n(30_000), (i) => `{"name":"${side === "b" ? "m" : "n"}${i}","uses":"${side === "c" ? "new" : "old"} ${i}"}`)}]`,
			),
		},
		{
			name: "60,000 functions that both added",
			path: "a.js",
			base: "run();\n\nend();\n",
			ours: `run();\n${list(n(60_000), (i) => `function f${i}() {}\n`, "")}\nend();\n`,
			theirs: `run();\n\nend();\n${list(n(60_000), (i) => `function f${i}() {}\n`, "")}`,
		},
		{
			name: "20,000 blocks that each side added",
			path: "a.md",
			...versions((side) => (side === "a" ? "" : list(n(20_000), (i) => `t${i}\n\`\`\`${side}${i}\n${side}\n\`\`\`\n`, ""))),
			budgets: 4,
		},
		{ name: "six million empty arrays", path: "a.json", budgets: 20, ...versions((side) => `[${"[],".repeat(n(6_000_000))}"${side}"]`) },
		{
			name: "10,000 tables that both gave another column",
			path: "a.md",
			...versions((side) =>
				list(
					n(10_000),
					(i) => `| a${i} | ${side} |${side === "a" ? "" : " c |"}\n|---|---|${side === "a" ? "" : "---|"}\n| 1 | 2 |\n`,
					"\n",
				),
			),
		},
		{ name: "lines of one FNV-1a hash", path: "a.log", base: "x\n", ours: `x\n${ours.join("\n")}\n`, theirs: `x\n${theirs.join("\n")}\n` },
		{
			name: "a YAML mapping of 60,000 keys",
			path: "a.yaml",
			budgets: 3,
			base: mapping(""),
			ours: mapping("x: 1\n"),
			theirs: mapping("y: 1\n"),
		},
		{ name: "deep YAML", path: "a.yaml", budgets: Number.POSITIVE_INFINITY, ...versions((side) => `${"- ".repeat(n(50_000))}${side}\n`) },
		{ name: "a YAML mapping of 60,000 strings", path: "a.yaml", budgets: 4, ...changed(n(60_000), (i, v) => `k${i}: "v: ${v}"`) },
		{
			name: "a YAML list of 30,000 strings over two lines",
			path: "a.yaml",
			budgets: 2,
			...changed(n(30_000), (i, v) => `k${i}: "${v}\n  x"`),
		},
		{
			name: "brackets that are not closed in YAML",
			path: "a.yaml",
			budgets: Number.POSITIVE_INFINITY,
			...versions((side) => `k: ${"[".repeat(n(1_000_000))}${side}\n`),
		},
		{
			name: "500,000 brackets in YAML",
			path: "a.yaml",
			budgets: Number.POSITIVE_INFINITY,
			...versions((side) => `${deep(n(500_000), side)}\n`),
		},
		{
			name: "dashes in YAML",
			path: "a.yaml",
			budgets: Number.POSITIVE_INFINITY,
			...versions((side) => `${"- ".repeat(n(500_000))}${side}\n`),
		},
		{ name: "quotes in YAML", path: "a.yaml", budgets: 12, ...versions((side) => `k: ${'"'.repeat(n(1_000_000) | 1)}${side}\n`) },
		{ name: "spaces in YAML", path: "a.yaml", budgets: 12, ...versions((side) => `k: a${" ".repeat(n(1_000_000))}${side}: b\n`) },
		{ name: "comment signs in YAML", path: "a.yaml", budgets: 4, ...versions((side) => `k: ${"# ".repeat(n(500_000))}${side}\n`) },
		{ name: "anchors in YAML", path: "a.yaml", budgets: 4, ...versions((side) => `k: ${"&a *a ".repeat(n(100_000))}${side}\n`) },
		{
			name: "aliases of aliases in YAML",
			path: "a.yaml",
			...versions((side) => `a0: &a0 [${side}]\n${list(60, (i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}]`, "\n")}\n`),
		},
		{ name: "100,000 YAML documents", path: "a.yaml", budgets: 4, ...versions((side) => `${"---\n".repeat(n(100_000))}k: ${side}\n`) },
		{ name: "60,000 keys in TOML", path: "a.toml", budgets: 2, ...changed(n(60_000), (i, v) => `k${i} = ${v}`) },
		{ name: "30,000 arrays of tables", path: "a.toml", budgets: 2, ...changed(n(30_000), (i, v) => `[[a${i}]]\nid = ${i}\nv = ${v}`) },
		{ name: "brackets that are not closed in TOML", path: "a.toml", ...versions((side) => `k = ${"[".repeat(n(1_000_000))}${side}\n`) },
		{ name: "quotes that are not closed in .env", path: ".env", ...changed(n(30_000), (i, v) => `K${i}="${v}'`) },
		{
			name: "front matter of 60,000 keys",
			path: "a.md",
			budgets: 4,
			...framed(
				"---\n",
				changed(n(60_000), (i, v) => `k${i}: ${v}`),
				"---\nbody\n",
			),
		},
		{
			name: "front matter that begins with spaces",
			path: "a.md",
			...versions((side) => `---\na${" ".repeat(n(300_000))}\n---\n${side}\n`),
		},
		{ name: "blanks in a task", path: "a.md", ...versions((side) => `- [ ] a${" ".repeat(n(4_000_000))}${side}\n`) },
		...(
			[
				["fields behind a task", "md", () => `- [ ] a${" (cancelled::-".repeat(n(80_000))}`],
				["blanks before a table's rule", "md", () => `a|b\n${" ".repeat(n(1_000_000))}+`],
				["backticks before a carriage return", "md", () => `${"`".repeat(n(500_000))}${" ".repeat(n(500_000))}\rx`],
				["blanks in a heading of Org", "org", () => `* TODO${" ".repeat(n(1_000_000))}\rx\nCLOSED: x`],
				["a tag of Liquid without end", "md", () => `{% highlight ${"a".repeat(n(1_000_000))}`],
			] as const
		).map(([name, extension, line]) => ({ name, path: `a.${extension}`, ...versions((side) => `${line()}\n${side}\n`) })),
		{
			name: "blanks below front matter",
			path: "a.md",
			...versions((side) => `---\na: 1\n---\n${" ".repeat(n(4_000_000))}${side}\n`),
		},
		{ name: "100,000 fences", path: "a.md", ...versions((side) => `${"```\n".repeat(n(100_000))}${side}\n`) },
		{ name: "20,000 fences of YAML", path: "a.md", budgets: 4, ...changed(n(20_000), (_, v) => `\`\`\`yaml\na: ${v}\n\`\`\`\n`) },
		{ name: "fences of many names", path: "a.md", ...versions((side) => `${list(n(50_000), (i) => `~~~${i}`, "\n")}\n${side}\n`) },
		{ name: "Org drawers without end", path: "a.org", ...changed(n(50_000), (i, v) => `:D${i}:\nx ${v}`) },
		{ name: "Org blocks of many names without end", path: "a.org", budgets: 20, ...changed(n(50_000), (i, v) => `#+begin_${i}\nx ${v}`) },
		{ name: "a long name in XML", path: "a.xml", ...versions((side) => `<a ${"x".repeat(n(1_000_000))}>${side}</a>\n`) },
		{ name: "a declaration without end in XML", path: "a.xml", ...versions((side) => `<a/><!${"x".repeat(n(1_000_000))}${side}\n`) },
		{ name: "spaces in a calendar", path: "a.ics", ...versions((side) => `BEGIN:${" ".repeat(n(1_000_000))}${side}\nEND:x\n`) },
		{
			name: "indentation that is taken for steps",
			path: "a.json",
			base: "[]",
			ours: `[\n${" ".repeat(n(20_000))}{"id":1}\n]`,
			theirs: `[\n{"id":2,"x":[${"\n".repeat(n(20_000))}]}\n]`,
		},
	];
}

/** Versions of which each has other numbers. */
function numbered(text: (shift: number) => string) {
	return { base: text(0), ours: text(1), theirs: text(2) };
}

/** A notebook in which each cell has the side's own lines. */
function notebook(cells: number, side: string): string {
	const source = (i: number) => list(20, (k) => `"line ${k} of ${i}, ${side}\\n"`);
	const cell = (i: number) =>
		`{"cell_type":"code","source":[${source(i)}],"outputs":[{"output_type":"stream","text":["${side}${i}\\n"]}],"execution_count":${i}}`;
	return `{"cells":[${list(cells, cell, ",\n")}],"nbformat":4}`;
}

/** A cell that one side cut into pieces of 20 lines, and whose every seventh line the other side changed. */
function splitCells(pieces: number): Pick<Hostile, "base" | "ours" | "theirs"> {
	const lines = Array.from({ length: 20 * pieces }, (_, i) => `line ${i}`);
	const cell = (own: readonly string[]) => `{"cell_type":"code","source":[${own.map((line) => `"${line}\\n"`).join(",")}]}`;
	const text = (cells: readonly string[]) => `{"cells":[${cells.join(",\n")}],"nbformat":4}`;
	const cut = Array.from({ length: pieces }, (_, i) => cell(lines.slice(20 * i, 20 * i + 20)));
	return { base: text([cell(lines)]), ours: text(cut), theirs: text([cell(lines.map((line, i) => (i % 7 === 0 ? `${line}!` : line)))]) };
}

/** The versions of a file that differ in one place. */
function versions(text: (side: string) => string, [base, ours, theirs]: readonly [string, string, string] = ["a", "b", "c"]) {
	return { base: text(base), ours: text(ours), theirs: text(theirs) };
}

/** Lines; one side changes one near the beginning, the other one near the end. */
function changed(length: number, line: (i: number, value: number) => string): Pick<Hostile, "base" | "ours" | "theirs"> {
	const text = (at: number) => `${list(length, (i) => line(i, i === at ? -1 : i), "\n")}\n`;
	return { base: text(-1), ours: text(10), theirs: text(length - 10) };
}

function framed(before: string, { base, ours, theirs }: Pick<Hostile, "base" | "ours" | "theirs">, after: string) {
	return { base: before + base + after, ours: before + ours + after, theirs: before + theirs + after };
}

const fnv1a = (text: string, from: number) => {
	let hash = from;
	for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
	return hash;
};

/** Different lines of one 32-bit FNV-1a hash, in two halves: from one hash on, each block has two forms that lead to one hash. */
function collidingLines(count: number): [string[], string[]] {
	const blocks: [string, string][] = [];
	let hash = 0x811c9dc5 | 0;
	while (2 ** blocks.length < count) {
		const seen = new Map<number, string>();
		for (let i = 0; ; i++) {
			const text = ((i * 2654435761) >>> 0).toString(36).padStart(7, "0");
			const after = fnv1a(text, hash);
			const other = seen.get(after);
			if (other !== undefined && other !== text) {
				blocks.push([other, text]);
				hash = after;
				break;
			}
			seen.set(after, text);
		}
	}
	const lines = Array.from({ length: count }, (_, i) => blocks.map((forms, bit) => forms[(i >> bit) & 1]).join(""));
	return [lines.slice(0, count >> 1), lines.slice(count >> 1)];
}
