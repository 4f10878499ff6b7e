import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { sizedPlaceholder } from "./binary-value.ts";
import { isOfPlaceholder } from "./own-text.ts";
import { formsOf, withoutValue } from "./value.ts";
import { markKinds, nameOf } from "./value-kinds.ts";

const hexId = fc.string({ minLength: 12, maxLength: 12, unit: fc.constantFrom(..."0123456789abcdef") });

describe("forget", () => {
	test.each([
		"forgotten",
		"orgotten-",
		"forgotten-",
		"forgotten-a",
		"forgotten-a12",
		"my forgotten-",
		"otten-a1",
		"12ab-40---",
		"secretforg",
		"x forgotten",
	])("placeholder: the value %s → is of one, whatever the id", (value) => {
		expect(isOfPlaceholder(Buffer.from(value), null)).toBe(true);
		expect(isOfPlaceholder(Buffer.from(value, "utf16le"), null)).toBe(true);
	});

	test.each([
		"my-forgotten-password",
		"deadbeef",
		"a1234567",
		"12345678",
		"sk-ABCDEFGH",
		"-----BEGIN KEY-----",
		"forgotten!pass",
		"1f2e-3d4c",
	])("placeholder: the value %s → of none", (value) => expect(isOfPlaceholder(Buffer.from(value), null)).toBe(false));

	test("placeholder: any part of one → refused, or cleaned at once", () => {
		const part = fc.tuple(hexId, fc.constantFrom(...markKinds), fc.nat({ max: 200 }), fc.nat(), fc.integer({ min: 8, max: 60 }));
		fc.assert(
			fc.property(part, hexId, ([id, kind, length, from, count], other) => {
				const name = nameOf(id, kind);
				const whole = length === 0 ? name : sizedPlaceholder(name, length);
				const start = from % Math.max(1, whole.length - 8);
				const value = Buffer.from(whole.slice(start, start + count));
				if (value.length < 8 || new Set(value).size < 3) return;
				expect(isOfPlaceholder(value, id)).toBe(true);
				if (isOfPlaceholder(value, other)) return;
				const after = withoutValue(Buffer.concat([value, Buffer.from(" "), value]), formsOf(value, other));
				expect(withoutValue(after, formsOf(value, other))).toEqual(after);
			}),
			{ numRuns: 3_000 },
		);
	});
});
