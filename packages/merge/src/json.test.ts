import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { mergeContents } from "./merge.ts";
import { isStrictJson } from "./testing/pieces.ts";

const bytes = (text: string) => Buffer.from(text);

/** Merges with "theirs" as the later side, in both orders. @returns the content and who lost: `o`urs, `t`heirs */
function merged(path: string, base: string | null, ours: string, theirs: string): { text: string; lost: string } {
	const [b, o, t] = [base === null ? null : bytes(base), bytes(ours), bytes(theirs)];
	const one = mergeContents({ path, base: b, a: o, b: t, later: "b" });
	const other = mergeContents({ path, base: b, a: t, b: o, later: "a" });
	expect(Buffer.from(other.content).toString()).toBe(Buffer.from(one.content).toString());
	expect(other.lost).toEqual({ a: one.lost.b, b: one.lost.a });
	return { text: Buffer.from(one.content).toString(), lost: (one.lost.a ? "o" : "") + (one.lost.b ? "t" : "") };
}

describe("json list:", () => {
	test.each([
		["a coordinate replaced by both", "[13.1,52.5]", "[13.2,52.5]", "[13.3,52.5]", "[13.3,52.5]", "o"],
		["both coordinates replaced by both", "[13.1,52.5]", "[13.2,52.6]", "[13.3,52.7]", "[13.3,52.7]", "o"],
		["each coordinate replaced by one side", "[13.1,52.5]", "[13.2,52.5]", "[13.1,52.6]", "[13.2,52.6]", ""],
		["a value that comes to another place", "[255,0,10]", "[20,0,10]", "[255,20,10]", "[20,20,10]", ""],
		["a box that moved by its own step", "[10,20,30,40]", "[20,30,40,50]", "[12,20,30,40]", "[12,30,40,50]", "o"],
		["an argument replaced by both", '["-y","--root","/srv"]', '["-y","--root","/a"]', '["-y","--root","/b"]', '["-y","--root","/b"]', "o"],
		[
			"an argument replaced by both, one added",
			'["--root","/srv"]',
			'["--root","/a"]',
			'["--root","/b","-v"]',
			'["--root","/b","-v"]',
			"o",
		],
		[
			"points replaced by both",
			"[[0,0],[10,20],[50,60]]",
			"[[0,0],[11,20],[50,60]]",
			"[[0,0],[12,20],[50,60]]",
			"[[0,0],[12,20],[50,60]]",
			"o",
		],
		["values of several types", '["v",1,true]', '["w",1,true]', '["x",1,false]', '["x",1,false]', "o"],
		["a nested value replaced by both", '[[["x"]]]', '[[["y"]]]', '[[["z"]]]', '[[["z"]]]', "o"],
		["coordinates that both added", "null", "[1.5,2]", "[1.5,3]", "[1.5,3]", "o"],
		["equal elements", "[1,1]", "[2,2]", "[3,3]", "[3,3]", "o"],
		["tags added by both", '["a"]', '["a","b"]', '["a","c"]', '["a","b","c"]', ""],
		["a tag replaced, another added", '["a","b"]', '["x","b"]', '["a","b","x"]', '["b","x"]', ""],
		["one tag added by both at other places", '["a","b"]', '["a","x","b"]', '["a","b","x"]', '["a","b","x"]', ""],
		["numbers added by both", "[1,2,3]", "[1,2,3,4]", "[1,2,3,5]", "[1,2,3,4,5]", ""],
		["a recent file put first by each", '["a","b"]', '["x","a","b"]', '["y","a","b"]', '["x","y","a","b"]', ""],
	])("%s → one merge", (_, base, ours, theirs, wanted, lost) => {
		expect(merged("a.json", `{"v":${base}}`, `{"v":${ours}}`, `{"v":${theirs}}`)).toEqual({ text: `{"v":${wanted}}`, lost });
	});

	test("sides that only replace elements → the length stays", () => {
		const scalar = fc.oneof(fc.nat(4).map(String), fc.constantFrom('"a"', '"b"', "true", "null", "1.0"));
		const pick = fc.array(fc.option(scalar), { minLength: 6, maxLength: 6 });
		fc.assert(
			fc.property(fc.array(scalar, { minLength: 1, maxLength: 6 }), pick, pick, (elements, ofOurs, ofTheirs) => {
				const list = ["0", ...elements];
				const changed = (by: (string | null)[]) => `[${list.map((element, i) => by[i] ?? element)}]`;
				const { text } = merged("a.json", `[${list}]`, changed(ofOurs), changed(ofTheirs));
				return JSON.parse(text).length === list.length;
			}),
			{ numRuns: 1_000 },
		);
	});
});

describe("json element:", () => {
	test.each([
		[
			"two new ones with one id",
			'[{"id":1}]',
			'[{"id":1},{"id":2,"t":"a"}]',
			'[{"id":1},{"id":2,"d":"b"}]',
			'[{"id":1},{"id":2,"d":"b"}]',
			"o",
		],
		["a new one with all of the other", "[]", '[{"id":2,"t":"a","d":"b"}]', '[{"id":2,"d":"b"}]', '[{"id":2,"t":"a","d":"b"}]', ""],
		["one that both changed", '[{"id":2,"t":1,"d":1}]', '[{"id":2,"t":2,"d":1}]', '[{"id":2,"t":1,"d":2}]', '[{"id":2,"t":2,"d":2}]', ""],
		["two new members with one key", "{}", '{"s":{"a":1}}', '{"s":{"b":2}}', '{"s":{"a":1,"b":2}}', ""],
	])("%s → whole if new, by key if changed", (_, base, ours, theirs, wanted, lost) => {
		expect(merged("a.json", base, ours, theirs)).toEqual({ text: wanted, lost });
	});
});

describe("json by content:", () => {
	const board = (...nodes: string[]) => JSON.stringify({ nodes: nodes.map((id) => ({ id, x: 1 })), edges: [] }, null, "\t");
	test.each(["v.canvas", "e.excalidraw", "w.code-workspace", "noname", "x.unknown"])("%s: an empty base → one document", (path) => {
		expect(merged(path, "", board("a", "b"), board("a", "c")).text).toBe(board("a", "b", "c"));
		expect(merged(path, null, board("a", "b"), board("a", "c")).text).toBe(board("a", "b", "c"));
	});

	test.each(["v.canvas", "noname", "x.unknown", "a.json"])("%s: a torn side → the whole side, the other saved", (path) => {
		const base = board("a", "b", "c");
		const moved = base.replace('"x": 1', '"x": 5');
		for (const torn of [base.slice(0, 70), base.slice(0, -1), "", base.slice(0, 20) + "\0".repeat(50), "\0".repeat(base.length), "\n"]) {
			expect(merged(path, base, torn, moved)).toEqual({ text: moved, lost: "o" });
			expect(merged(path, base, moved, torn)).toEqual({ text: moved, lost: "t" });
			expect(merged(path, base.slice(0, 9), moved, torn)).toEqual({ text: moved, lost: "t" });
		}
	});

	test("lines of JSON and prose → not JSON", () => {
		expect(merged("events", "", '{"a":1}\n', '{"a":2}\n').text).toBe('{"a":1}\n{"a":2}\n');
		expect(merged("events", '{"a":1}\n', '{"a":1}\n{"a":2}\n', '{"a":1}\n{"a":3}\n').text).toBe('{"a":1}\n{"a":2}\n{"a":3}\n');
		expect(merged("events", '{"a":1}\n{"b":1}\n', '{"a":1}\n', '{"a":1}\n{"b":1}\n{"c":1}\n').text).toBe('{"a":1}\n{"c":1}\n');
		expect(merged("todo", "[a] one\n", "[a] one\n[b] two\n", "[a] one\n[c] three\n").text).toBe("[a] one\n[b] two\n[c] three\n");
	});
});

describe("json key twice:", () => {
	const twice = '{"id":1,"d":1,"d":2}';
	test.each([
		[
			"in the base and both sides",
			`[${twice},{"id":2,"x":1}]`,
			`[${twice},{"id":2,"x":2}]`,
			`[${twice},{"id":2,"x":1},{"id":3}]`,
			'[{"id":1,"d":2},{"id":2,"x":2},{"id":3}]',
			"ot",
		],
		["in an element that one side added", '[{"id":2}]', '[{"id":2,"x":1}]', `[{"id":2},${twice}]`, '[{"id":2,"x":1},{"id":1,"d":2}]', "t"],
		["inside of a value that goes", '{"a":1}', '{"a":{"d":1,"d":2},"a":3,"b":1}', '{"a":1,"c":1}', '{"a":3,"b":1,"c":1}', "o"],
		["over lines", "{}", '{\n "k": 1\n}', '{\n "d": 1,\n "d": 2\n}', '{\n "k": 1,\n "d": 2\n}', "t"],
	])("%s → there once, the last of them; all else is merged", (_, base, ours, theirs, expected, lost) => {
		expect(merged("a.json", base, ours, theirs)).toEqual({ text: expected, lost });
	});
});

describe("json strictness:", () => {
	test.each([
		["a trailing comma", '{\n "a":1,\n "b":1\n}', '{\n "a":2,\n "b":1,\n}', '{\n "a":1,\n "b":2\n}', '{\n "a":2,\n "b":2\n}', ""],
		["a comment", '{\n "a":1,\n "b":1\n}', '{\n "a":2, // why\n "b":1\n}', '{\n "a":1,\n "b":2\n}', '{\n "a":2,\n "b":2\n}', "o"],
		["a comment in a value", '{"a":[1],"b":1}', '{"a":[1,2/*x*/,],"b":1}', '{"a":[1],"b":"//"}', '{"a":[1,2],"b":"//"}', "o"],
	])("%s on one side → strict JSON", (_, base, ours, theirs, wanted, lost) => {
		expect(merged("a.json", base, ours, theirs)).toEqual({ text: wanted, lost });
	});

	test.each(["tsconfig.json", ".vscode/settings.json", "a.code-workspace", "a.jsonc"])("%s → keeps its comments", (path) => {
		const { text } = merged(path, '{\n "a":1,\n "b":1\n}', '{\n "a":2, // why\n "b":1\n}', '{\n "a":1,\n "b":2\n}');
		expect(text).toBe('{\n "a":2, // why\n "b":2\n}');
	});

	test("strict and lenient sides → JSON, strict if one side is, no key twice", () => {
		const scalar = fc.constantFrom("1", '"x"', "[1, 2]", '{"k": 1}', "[]", "-0", "1e400", '"\\ud800"', "12345678901234567890");
		const key = fc.constantFrom("a", "b", "c", "__proto__", "d");
		const between = fc.constantFrom("", " ", "/*c*/", "// c\n", "\n");
		const version = fc
			.record({ members: fc.array(fc.tuple(key, scalar, between, between), { maxLength: 5 }), comma: fc.boolean(), lenient: fc.boolean() })
			.map(({ members, comma, lenient }) => {
				const space = (text: string) => (lenient ? text : text.replace(/\/.*/s, ""));
				const all = members.map(([k, value, before, after]) => `${space(before)}"${k}": ${value}${space(after)}`).join(",");
				return `{${all}${comma && lenient && members.length > 0 ? "," : ""}}`;
			});
		fc.assert(
			fc.property(version, version, version, (base, ours, theirs) => {
				if (ours === base || theirs === base || ours === theirs) return;
				const { text } = merged("a.json", base, ours, theirs);
				if (isStrictJson(bytes(ours)) || isStrictJson(bytes(theirs))) expect(isStrictJson(bytes(text))).toBe(true);
				const isWhole = text === ours || text === theirs;
				for (const name of ["a", "b", "c", "d", "__proto__"]) if (!isWhole) expect(text.split(`"${name}":`).length).toBeLessThanOrEqual(2);
			}),
			{ numRuns: 2_000 },
		);
	});
});
