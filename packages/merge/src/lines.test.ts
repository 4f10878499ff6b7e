import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { splitLines } from "./lines.ts";

test("split lines: beside another version of the text → the same as alone", () => {
	const line = fc.constantFrom("", "a", "b", "a longer line of text", "c\r", "\xef\xbb\xbf");
	const piece = fc.array(line, { maxLength: 4 });
	const filler = Array.from({ length: 400 }, (_, i) => `line ${i} of those that stay`);
	fc.assert(
		fc.property(
			fc.array(piece, { minLength: 6, maxLength: 6 }),
			fc.boolean(),
			fc.boolean(),
			([b1, b2, b3, s1, s2, s3], baseEnds, sideEnds) => {
				const text = (first: string[], second: string[], third: string[], ends: boolean) =>
					[...first, ...filler.slice(0, 200), ...second, ...filler.slice(200), ...third].join("\n") + (ends ? "\n" : "");
				const [base, side] = [text(b1!, b2!, b3!, baseEnds), text(s1!, s2!, s3!, sideEnds)];
				expect(splitLines(side, { text: base, lines: splitLines(base) })).toEqual(splitLines(side));
			},
		),
		{ numRuns: 150 },
	);
});
