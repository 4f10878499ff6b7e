/** Contents that are made to make a merge slow, as large as their maker likes. */

export interface Hostile {
	readonly name: string;
	readonly path: string;
	readonly base: string;
	readonly ours: string;
	readonly theirs: string;
}

const list = (length: number, text: (i: number) => string, between = ",") => Array.from({ length }, (_, i) => text(i)).join(between);

/** @param scale 1: as large as it takes to stop a merge that is not bounded. */
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
		{ name: "490 arrays deep, 200 KB", path: "a.json", ...versions((side) => deep(490, `"${side.repeat(n(200_000))}"`)) },
		{ name: "240 arrays deep with siblings", path: "a.json", ...versions((side) => deepWithSiblings(`"${side}"`)) },
		{ name: "100,000 arrays deep", path: "a.json", ...versions((side) => deep(n(100_000), `"${side}"`)) },
		{ name: "100,000 arrays deep in a canvas", path: "a.canvas", ...versions((side) => deep(n(100_000), `"${side}"`)) },
		{ name: "100,000 arrays deep in a record", path: "a.jsonl", ...versions((side) => `{"id":1,"x":${deep(n(100_000), `"${side}"`)}}\n`) },
		{ name: "200 arrays 400 deep", path: "a.json", ...versions((side) => `[${list(n(200), (i) => deep(400, `"${i}${side}"`))}]`) },
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
		{ name: "lines of one FNV-1a hash", path: "a.log", base: "x\n", ours: `x\n${ours.join("\n")}\n`, theirs: `x\n${theirs.join("\n")}\n` },
		{ name: "a YAML mapping of 60,000 keys", path: "a.yaml", base: mapping(""), ours: mapping("x: 1\n"), theirs: mapping("y: 1\n") },
		{ name: "deep YAML", path: "a.yaml", ...versions((side) => `${"- ".repeat(n(50_000))}${side}\n`) },
		{
			name: "indentation that is taken for steps",
			path: "a.json",
			base: "[]",
			ours: `[\n${" ".repeat(n(20_000))}{"id":1}\n]`,
			theirs: `[\n{"id":2,"x":[${"\n".repeat(n(20_000))}]}\n]`,
		},
	];
}

/** The versions of a file that differ in one place. */
function versions(text: (side: string) => string, [base, ours, theirs]: readonly [string, string, string] = ["a", "b", "c"]) {
	return { base: text(base), ours: text(ours), theirs: text(theirs) };
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
