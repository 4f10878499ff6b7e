import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { contentChange, isBlank } from "./content-loss.ts";

const text = fc.array(fc.stringMatching(/^[a-z]{3,9}$/), { minLength: 8, maxLength: 60 }).map((list) => list.join(" "));

test("content: the same words reformatted → kept", () => {
	fc.assert(
		fc.property(text, fc.constantFrom("\n", "\t", "  ", ";\r\n", ",\n\n"), (before, separator) => {
			expect(contentChange(Buffer.from(before), Buffer.from(before.replaceAll(" ", separator)))).toBe("kept");
		}),
	);
});

test("content: half of the words kept → kept", () => {
	fc.assert(
		fc.property(text, text, (before, added) => {
			const list = before.split(" ");
			const after = `${added} ${list.slice(0, Math.ceil(list.length / 2)).join(" ")}`;
			const distinct = new Set(list);
			const left = new Set(after.split(" "));
			fc.pre([...distinct].filter((word) => left.has(word)).length >= distinct.size / 4);
			expect(contentChange(Buffer.from(before), Buffer.from(after))).toBe("kept");
		}),
	);
});

test("content: nothing but blanks and zeros left → emptied", () => {
	const blank = fc.array(fc.constantFrom(0, 9, 10, 13, 32), { maxLength: 100 }).map((bytes) => Buffer.from(bytes));
	fc.assert(
		fc.property(text, blank, (before, after) => {
			expect(contentChange(Buffer.from(before), after)).toBe("emptied");
			expect(contentChange(after, Buffer.from(before))).toBe("kept");
			expect(isBlank(after)).toBe(true);
		}),
	);
});
