import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { spreadJson } from "./json-lines.ts";

test("JSON versions: one of them a single line → a key a line, tokens unchanged", () => {
	expect(spreadJson({ ours: '{"v": 111, "big": 12345678901234567890, "e": {}, "l": [1, []]}\n', theirs: null })).toEqual({
		ours: '{\n  "v": 111,\n  "big": 12345678901234567890,\n  "e": {},\n  "l": [\n    1,\n    []\n  ]\n}\n',
		theirs: null,
	});
});

test.each([
	[{ ours: '{"a": 1}', theirs: "{not json" }],
	[{ ours: '{\n"a": 1\n}', theirs: '{\n"a": 2\n}' }],
	[{ ours: "one line of text", theirs: "another" }],
	[{ ours: "1", theirs: "2" }],
	[{ ours: "", theirs: '{"a":1}' }],
])("versions: %j → left as they are", (texts) => {
	expect(spreadJson(texts)).toBe(texts);
});

test("any JSON: spread over lines → the same document", () => {
	fc.assert(
		fc.property(fc.jsonValue(), (value) => {
			const document = { x: value, "}:,[": '"{' };
			expect(JSON.parse(spreadJson({ a: JSON.stringify(document) }).a)).toEqual(JSON.parse(JSON.stringify(document)));
		}),
		{ numRuns: 100 },
	);
});
