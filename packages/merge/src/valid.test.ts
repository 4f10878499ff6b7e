import { describe, expect, test } from "@jest/globals";
import { Interner } from "./interner.ts";
import { parseJson } from "./json/parse.ts";
import type { JsonTree } from "./json/tree.ts";
import { checked } from "./json.ts";
import type { Kind } from "./kind.ts";
import { mergeContents, validated } from "./merge.ts";

const bytes = (text: string) => Buffer.from(text);
const merged = (content: string) => ({ content: bytes(content), olderLost: false, laterLost: false });

/** Two sides that are valid for their kind, and a merge of them that is not. */
const ROWS: readonly (readonly [name: string, path: string, strategy: Kind, older: string, later: string, spoilt: string])[] = [
	["JSON Lines", "a.jsonl", "records", '{"id":1}\n', '{"id":2}\n', '{"id":1}{"id":2}\n'],
	["YAML", "a.yml", "keyed", "a: 1\n", "b: 1\n", "a: 1\n b: 1\n"],
	["YAML with a key twice", "a.yml", "keyed", "a: 1\n", "a: 2\n", "a: 1\na: 2\n"],
	["YAML merged line by line", "a.yml", "code", "a: 1\n", "b: 1\n", "a: [\n"],
	["TOML", "a.toml", "keyed", "a = 1\n", "b = 1\n", "a = 1 b = 1\n"],
	["TOML with a table twice", "a.toml", "keyed", "[t]\na = 1\n", "[t]\nb = 1\n", "[t]\na = 1\n[t]\nb = 1\n"],
	["front matter in YAML", "a.md", "prose", "---\na: 1\n---\nx\n", "---\na: 2\n---\nx\n", "---\na: 1\na: 2\n---\nx\n"],
	["front matter in TOML", "a.md", "prose", "+++\na = 1\n+++\n", "+++\na = 2\n+++\n", "+++\na = 1\na = 2\n+++\n"],
	["front matter in JSON", "a.md", "prose", '{\n"a": 1\n}\nx\n', '{\n"a": 2\n}\nx\n', '{\n"a": 1\n"a": 2\n}\nx\n'],
	["front matter without its end", "a.md", "append", "---\na: 1\n---\nx\n", "---\na: 2\n---\nx\n", "---\na: 1\nx\n"],
	["front matter twice", "a.md", "prose", "---\na: 1\n---\n", "---\na: 2\n---\n", "---\na: 1\n---\n---\na: 2\n---\n"],
	["front matter of nobody", "a.md", "prose", "x\n---\n", "y\n---\n", "---\ny: 1\n---\n"],
	["front matter of a page", "a.mdx", "code", "---\na: 1\n---\nx\n", "---\na: 2\n---\nx\n", "---\na: 1\na: 2\n---\nx\n"],
	["a fenced block of JSON", "a.md", "prose", "```json\n[1]\n```\n", "```json\n[2]\n```\n", "```json\n[1]\n[2]\n```\n"],
	["a fenced block of YAML", "a.md", "prose", "```yaml\na: 1\n```\n", "```yaml\na: 2\n```\n", "```yaml\na: 1\na: 2\n```\n"],
	["a fenced block of TOML", "a.md", "prose", "```toml\na = 1\n```\n", "```toml\na = 2\n```\n", "```toml\na = 1\na = 2\n```\n"],
	["a fenced block without its end", "a.md", "append", "```\na\n```\n", "```\nb\n```\n", "```\na\nb\n"],
	["JSON in another encoding", "a.json", "append", '{"a":"\u00e9"}\n', '{"b":"\u00e9"}\n', '{"a":"\u00e9"}\n{"b":"\u00e9"}\n'],
	["XML", "a.drawio", "code", "<a><b/></a>\n", "<a><c/></a>\n", "<a><b></a>\n"],
	["a calendar", "a.ics", "code", "BEGIN:A\nX:1\nEND:A\n", "BEGIN:A\nX:2\nEND:A\n", "BEGIN:A\nX:1\n"],
	["braces", "Caddyfile", "code", "a {\n}\n", "b {\n}\n", "a {\nb {\n}\n"],
];

describe("valid in, valid out:", () => {
	test.each(ROWS)("%s spoilt by the merge → one side whole", (_, path, strategy, older, later, spoilt) => {
		const sides = { base: null, older: bytes(older), later: bytes(later) };
		const whole = (content: string) => validated(path, undefined, sides, { strategy, merged: merged(content) }).merged;
		expect(whole(spoilt)).toEqual({ content: sides.later, olderLost: true, laterLost: false });
		expect(whole(older).content).toEqual(sides.older);
		// A note that a person left half written is no worse after a merge.
		if (/\.mdx?$/.test(path)) return;
		// If the later side is broken itself, and the older one is not, the older one stays.
		const torn = { base: null, older: bytes(older), later: bytes(spoilt) };
		const { merged: kept } = validated(path, undefined, torn, { strategy, merged: merged(`${spoilt}${spoilt}`) });
		expect([Buffer.from(kept.content).toString(), kept.laterLost]).toEqual([older, true]);
	});

	test.each(['{"a":1"b":1}', '{"a":1,"a":2}', '{"a":1', ""])("JSON spoilt by the merge (%s) → one side whole", (spoilt) => {
		const [older, later] = ['{"a":1}', '{"b":1}'] as const;
		const sides = { base: null, older: bytes(older), later: bytes(later) };
		const tree = (text: string) => parseJson(text, new Interner()) as JsonTree;
		expect(checked(merged(spoilt), sides, tree(older), tree(later), false).content).toEqual(sides.later);
	});

	test.each(["package-lock.json", "pnpm-lock.yaml", "Cargo.lock", "poetry.lock"])("%s changed by both → one side whole", (path) => {
		const [base, a, b] = ["a\nb\nc\nd\n", "A\nb\nc\nd\n", "a\nb\nc\nD\n"].map(bytes) as [Buffer, Buffer, Buffer];
		expect(mergeContents({ path, base, a, b, later: "b" })).toMatchObject({ winner: "b", lost: { a: true, b: false } });
	});
});
