import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { scanChanges, scanTree } from "./tree-entries.ts";

const entry = fc.record({
	mode: fc.constantFrom("40000", "040000", "100644", "120000", "160000"),
	name: fc.constantFrom("a", "b", "cc", "dd", "4 4", "40000 x"),
	id: fc.constantFrom(..."abcdefgh").map((letter) => letter.repeat(20)),
});
type Entry = { mode: string; name: string; id: string };
const treeOf = (entries: readonly Entry[]) => Buffer.from(entries.map(({ mode, name, id }) => `${mode} ${name}\0${id}`).join(""), "latin1");
const wanted = new Set(["a".repeat(20), "b".repeat(20)]);

test("changes of a tree: any other one, damaged too → as a scan of all of it has them", () => {
	const damage = fc.option(fc.tuple(fc.nat({ max: 200 }), fc.nat({ max: 255 })), { nil: null });
	let partial = 0;
	fc.assert(
		fc.property(
			fc.array(entry, { minLength: 1, maxLength: 9 }),
			fc.array(fc.tuple(fc.nat({ max: 8 }), entry), { maxLength: 2 }),
			damage,
			(old, edits, bad) => {
				const changed = [...old];
				for (const [at, other] of edits) changed[at % changed.length] = other;
				const [before, after] = [treeOf(old), treeOf(changed)];
				if (bad !== null) after[bad[0] % after.length] = bad[1];
				if (before.equals(after)) return;
				const base = scanTree(before, 20, wanted);
				const whole = scanTree(after, 20, wanted);
				const changes = scanChanges(after, base, 20, wanted);
				if (changes === null) return;
				partial++;
				expect(changes.starts).toEqual(whole.starts);
				const isIn = (offset: number) => offset >= changes.from && offset < changes.to;
				for (const kind of ["directories", "files"] as const) {
					const inside = whole[kind].offsets.flatMap((offset, index) => (isIn(offset) ? [[offset, whole[kind].ids[index]]] : []));
					expect(changes[kind].offsets.map((offset, index) => [offset, changes[kind].ids[index]])).toEqual(inside);
				}
				expect(after.subarray(0, changes.from).equals(before.subarray(0, changes.from))).toBe(true);
				expect(after.subarray(changes.to).equals(before.subarray(changes.to))).toBe(true);
			},
		),
		{ numRuns: 2_000 },
	);
	expect(partial).toBeGreaterThan(200);
});
