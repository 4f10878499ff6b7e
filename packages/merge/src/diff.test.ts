import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { align, UNMATCHED } from "./diff.ts";

/** Length of a longest common subsequence, by the textbook. */
function common(a: Int32Array, b: Int32Array): number {
	let row = new Int32Array(b.length + 1);
	for (const element of a) {
		const next = new Int32Array(b.length + 1);
		for (let j = 0; j < b.length; j++) next[j + 1] = element === b[j] ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!);
		row = next;
	}
	return row[b.length]!;
}

function checked(a: Int32Array, b: Int32Array): number {
	const match = align(a, b);
	let [last, matched] = [-1, 0];
	for (let i = 0; i < a.length; i++) {
		if (match[i] === UNMATCHED) continue;
		expect(match[i]).toBeGreaterThan(last);
		expect(a[i]).toBe(b[match[i]!]);
		last = match[i]!;
		matched++;
	}
	return matched;
}

describe("sequences are aligned as far as they can be", () => {
	test("alignment: a few elements come again and again → as far as can be", () => {
		const elements = fc.array(fc.nat(2), { minLength: 250, maxLength: 400 });
		const edits = fc.array(fc.tuple(fc.nat(400), fc.nat(2), fc.boolean()), { minLength: 1, maxLength: 30 });
		fc.assert(
			fc.property(elements, edits, (before, changes) => {
				const after = [...before];
				for (const [at, element, isAdded] of changes) after.splice(at % after.length, isAdded ? 0 : 1, ...(isAdded ? [element] : []));
				const [a, b] = [Int32Array.from(before), Int32Array.from(after)];
				expect(checked(a, b)).toBe(common(a, b));
			}),
			{ numRuns: 15 },
		);
	});

	test("alignment: many of them and few edits → as far as can be", () => {
		const base = Int32Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 50);
		expect(
			checked(
				base,
				base.filter((_, i) => i % 97 !== 50),
			),
		).toBe(base.length - 206);
	});
});
