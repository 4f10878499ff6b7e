import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { hasFixedPlaces, sizedPlaceholder } from "./binary-value.ts";
import { formsOf, holds, withoutValues } from "./value.ts";
import { valuesBetween } from "./values-between.ts";

const id = "0123456789ab";
const other = "ba9876543210";
const secret = "sk-ABCDEFGH12345678/xyz";

/** A tar header and its content: sizes are text, the rest of each block is zero. */
const tar = Buffer.concat([
	Buffer.from(`${"note.txt".padEnd(100, "\0")}0000644\0`),
	Buffer.alloc(404),
	Buffer.from(`key ${secret}`),
	Buffer.alloc(500),
]);

describe("forget", () => {
	test.each([
		["a tar", tar],
		["PNG", Buffer.from(`\x89PNG\r\n\x1a\n\0\0\0\x1btEXtkey\0${secret}\x12\x34\x56\x78`, "latin1")],
		["a stored entry of a zip", Buffer.from(`PK\x03\x04\x0a\0\0\0\0\0 ${secret} PK\x01\x02\0\0`, "latin1")],
		["pickle", Buffer.from(`\x80\x04\x95\x1b\0\0\0\0\0\0\0\x8c\x17${secret}\x94.`, "latin1")],
		["a short protobuf", Buffer.from(`\x0a\x17${secret}`, "latin1")],
		["a PDF of text only", Buffer.from(`%PDF-1.4\n1 0 obj\n(${secret})\nendobj\nxref\n0 1\nstartxref\n40\n`)],
		["Latin-1", Buffer.from(`caf\xe9 ${secret}\n`, "latin1")],
		["UTF-16 within a program", Buffer.concat([Buffer.from("\x7fELF\0\0\0\0"), Buffer.from(secret, "utf16le"), Buffer.from([0, 0])])],
		["broken over lines", Buffer.from(`\0${secret.slice(0, 10)}\r\n  ${secret.slice(10)}\0`)],
		["as JSON quotes it", Buffer.from(`\0${secret.replace("/", "\\/")}\0`)],
	])("value: in %s → length and all other bytes kept, derived from the pair", (_what, before) => {
		const value = Buffer.from(secret);
		const after = withoutValues(before, new Map([[id, value]]));
		expect([after.length, holds(after, formsOf(value, id)), hasFixedPlaces(before)]).toEqual([before.length, false, true]);
		const changed = [...before.keys()].filter((at) => before[at] !== after[at]);
		expect((changed.at(-1) ?? 0) - (changed[0] ?? 0)).toBeLessThan(2 * secret.length);
		expect(valuesBetween(before, after, [id])).toEqual(new Map([[id, value]]));
	});

	test.each([
		["UTF-8", Buffer.from(`schlüssel = ${secret}\n\x1b[0m`)],
		["UTF-16 with a byte order mark", Buffer.from(`\ufeffkey = ${secret}\n`, "utf16le")],
		["nothing else", Buffer.from(secret)],
	])("value: in text, %s → a placeholder of the usual length", (_what, before) => {
		expect(hasFixedPlaces(before)).toBe(false);
		const after = withoutValues(before, new Map([[id, Buffer.from(secret)]]));
		expect(after.toString("latin1").replaceAll("\0", "")).toMatch(/forgotten-[ade]0123456789ab/);
	});

	test("value: binary, any bytes around it → derived, also two of them", () => {
		const value = fc.string({ minLength: 8, maxLength: 90, unit: fc.constantFrom(...'abcdefXYZ0123456789_/+=-"ü') });
		const around = fc.uint8Array({ maxLength: 40 });
		const contents = fc.tuple(value, value, fc.array(fc.tuple(around, fc.nat({ max: 1 })), { minLength: 1, maxLength: 5 }), around);
		fc.assert(
			fc.property(contents, ([one, two, parts, end]) => {
				const values = new Map([
					[id, Buffer.from(one)],
					[other, Buffer.from(two)],
				]);
				const before = Buffer.concat([
					Buffer.from([0]),
					...parts.flatMap(([bytes, which]) => [bytes, Buffer.from(which ? one : two)]),
					end,
				]);
				const after = withoutValues(before, values);
				expect(after.length).toBe(before.length);
				const found = valuesBetween(before, after, [id, other]);
				expect(found).not.toBeNull();
				expect(withoutValues(before, found ?? new Map())).toEqual(after);
			}),
			{ numRuns: 300 },
		);
	});

	test("value: the placeholders of all lengths → as long as asked, none within another", () => {
		const name = `forgotten-a${id}`;
		const all = Array.from({ length: 200 }, (_, index) => sizedPlaceholder(name, index + 1));
		expect(all.map((one) => one.length)).toEqual(all.map((_, index) => index + 1));
		for (const [index, one] of all.entries()) if (index >= 8) expect(all.filter((two) => two.includes(one))).toEqual([one]);
	});

	test("value: a binary version with another byte changed → refused", () => {
		const before = Buffer.from(`\0\0\0${secret}\0\0tail`);
		const after = withoutValues(before, new Map([[id, Buffer.from(secret)]]));
		for (const at of [1, after.length - 1]) {
			const forged = Buffer.from(after);
			forged[at] = 0x41;
			expect(valuesBetween(before, forged, [id])).toBeNull();
		}
	});
});
