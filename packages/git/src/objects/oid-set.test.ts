import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { OidSet } from "./oid-set.ts";

test.each([20, 32])("set of ids of %i bytes: any ids, many with one beginning → as a set of texts", (idLength) => {
	const digits = fc.stringMatching(new RegExp(`^[0-9a-f]{${2 * idLength}}$`));
	const oids = fc.array(
		fc.oneof(
			digits,
			fc.nat({ max: 300 }).map((number) => `00000000${number}`.padEnd(2 * idLength, "a")),
		),
		{ maxLength: 400 },
	);
	fc.assert(
		fc.property(oids, oids, (added, asked) => {
			const set = new OidSet(idLength, added);
			const texts = new Set(added);
			expect([...set]).toEqual([...texts]);
			expect(set.lines.toString()).toBe([...texts].map((text) => `${text}\n`).join(""));
			expect(set.size).toBe(texts.size);
			const all = [...added, ...asked];
			const block = Buffer.from(`ff${all.join("")}`, "hex");
			expect(all.map((oid) => set.has(oid))).toEqual(all.map((oid) => texts.has(oid)));
			expect(all.map((_oid, index) => set.hasAt(block, 1 + index * idLength))).toEqual(all.map((oid) => texts.has(oid)));
		}),
		{ numRuns: 50 },
	);
});
