import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { formsOf, holds, withoutValues } from "./value.ts";
import { valuesBetween } from "./values-between.ts";

const id = "0123456789ab";
const secret = "k3y&<tök>+4711/x=😀";
const hex = (code: number, digits: number) => code.toString(16).padStart(digits, "0");
const units = (one: string) => [...Array(one.length).keys()].map((at) => one.charCodeAt(at));
const bytes = (one: string) => [...Buffer.from(one)];

/** How writers of files escape one character. */
const writers: Record<string, readonly ((one: string) => string)[]> = {
	backslashes: [
		(one) =>
			units(one)
				.map((code) => `\\u${hex(code, 4)}`)
				.join(""),
		(one) =>
			units(one)
				.map((code) => `\\u${hex(code, 4).toUpperCase()}`)
				.join(""),
		(one) => `\\u{${hex(one.codePointAt(0) ?? 0, 1)}}`,
		(one) => `\\U${hex(one.codePointAt(0) ?? 0, 8)}`,
		(one) =>
			bytes(one)
				.map((code) => `\\x${hex(code, 2)}`)
				.join(""),
		(one) =>
			bytes(one)
				.map((code) => `\\${code.toString(8).padStart(3, "0")}`)
				.join(""),
		(one) => ((one.codePointAt(0) ?? 0) < 256 ? `\\x${hex(one.codePointAt(0) ?? 0, 2)}` : one),
		(one) => (/[!-/:-@[\]^_`{-~]/.test(one) ? `\\${one}` : one),
		(one) =>
			`\\\\u${units(one)
				.map((code) => hex(code, 4))
				.join("\\\\u")}`,
	],
	percent: [
		(one) =>
			bytes(one)
				.map((code) => `%${hex(code, 2)}`)
				.join(""),
		(one) =>
			bytes(one)
				.map((code) => `%${hex(code, 2).toUpperCase()}`)
				.join(""),
	],
	entities: [
		(one) => `&#${one.codePointAt(0)};`,
		(one) => `&#x${hex(one.codePointAt(0) ?? 0, 1)};`,
		(one) => `&#X${hex(one.codePointAt(0) ?? 0, 6).toUpperCase()};`,
		(one) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[one] ?? one,
	],
};
/** Characters that are not there as they are where a family of escapes is used. */
const always: Record<string, RegExp> = { backslashes: /\\/, percent: /%/, entities: /&/ };

describe("forget", () => {
	test.each(Object.keys(writers))("value: %s, any mix of escapes → replaced, derived from the pair", (family) => {
		const some = writers[family] ?? [];
		const token = fc.string({ minLength: 12, maxLength: 40, unit: fc.constantFrom(..."abcXYZ019&<>+/=_-$;ä€😀") });
		const choices = fc.array(fc.nat({ max: 2 * some.length }), { minLength: 40, maxLength: 40 });
		fc.assert(
			fc.property(token, fc.array(choices, { minLength: 1, maxLength: 3 }), fc.boolean(), (value, places, isFixed) => {
				const written = places.map((choice) =>
					[...value].map((one, at) => (some[choice[at] ?? 0] ?? (always[family]?.test(one) ? some[0] : null))?.(one) ?? one).join(""),
				);
				const before = Buffer.from(`${isFixed ? "\0" : ""}${written.map((one) => `key = "${one}"\n`).join("")}`);
				const forms = formsOf(Buffer.from(value), id);
				const after = withoutValues(before, new Map([[id, Buffer.from(value)]]));
				expect([holds(before, forms), holds(after, forms)]).toEqual([true, false]);
				expect(
					after
						.toString()
						.match(/"[^"]*"/g)
						?.every((one) => isFixed || /^"forgotten-[a-n]0123456789ab"$/.test(one)),
				).toBe(true);
				if (isFixed) expect(after.length).toBe(before.length);
				expect(valuesBetween(before, after, [id])).toEqual(new Map([[id, Buffer.from(value)]]));
			}),
			{ numRuns: 100 },
		);
	});

	test.each([
		["Python's JSON", String.raw`k3y&<t\u00f6k>+4711/x=\ud83d\ude00`],
		["Go's JSON", String.raw`k3y\u0026\u003ctök\u003e+4711/x=😀`],
		[".NET's JSON", String.raw`k3y\u0026\u003Ct\u00F6k\u003E\u002B4711/x=\uD83D\uDE00`],
		["PHP's JSON", String.raw`k3y&<t\u00f6k>+4711\/x=\ud83d\ude00`],
		["a shell", String.raw`k3y\&\<tök\>+4711/x=😀`],
		["JSON in JSON", String.raw`k3y\\u0026\\u003ctök\\u003e+4711/x=😀`],
		["an address", "k3y%26%3Ct%C3%B6k>%2b4711/x=%F0%9F%98%80"],
		["XML", "k3y&#38;&lt;t&#xF6;k&gt;+4711/x=&#128512;"],
	])("value: as in %s → found and replaced", (_what, written) => {
		const before = Buffer.from(`a\\b 100% {"k": "${written}"}\n`);
		const after = withoutValues(before, new Map([[id, Buffer.from(secret)]]));
		expect(after.toString()).toMatch(/^a\\b 100% \{"k": "forgotten-[a-n]0123456789ab"\}\n$/);
		expect(valuesBetween(before, after, [id])).toEqual(new Map([[id, Buffer.from(secret)]]));
	});

	test.each([
		["Latin-1", Buffer.from("pässwörter-4711"), Buffer.from("key = pässwörter-4711\n", "latin1")],
		["a form, spaces as +", Buffer.from("pass word & more"), Buffer.from("k=pass+word+%26+more\n")],
	])("value: in %s → found, and derived from the pair", (_what, value, before) => {
		const after = withoutValues(before, new Map([[id, value]]));
		expect([holds(before, formsOf(value, id)), holds(after, formsOf(value, id))]).toEqual([true, false]);
		expect(valuesBetween(before, after, [id])).toEqual(new Map([[id, value]]));
	});

	test.each([
		["all alike", [String.raw`\u0026`]],
		["not alike", [String.raw`\u0026`, String.raw`\x26`, String.raw`\&`]],
	])("value: 5,000 places with escapes, %s → derived from the pair", (_what, escapes) => {
		const lines = Array.from({ length: 5_000 }, (_, at) => `{"k": "sk-4711${escapes[at % escapes.length]}abcdef"}\n`);
		const before = Buffer.from(lines.join(""));
		const value = Buffer.from("sk-4711&abcdef");
		const after = withoutValues(before, new Map([[id, value]]));
		expect(after.toString()).toBe(`{"k": "forgotten-k${id}"}\n`.repeat(5_000));
		expect(valuesBetween(before, after, [id])).toEqual(new Map([[id, value]]));
	});

	test("value: 64 KiB with escapes in 1 MiB of them → linear time", () => {
		const value = Buffer.from("ab&<".repeat(16_384));
		const escaped = Buffer.from(String.raw`\u0061b\u0026\u003c`.repeat(16_384));
		const noise = Buffer.from(String.raw`\u0061b\u0026\u003e`.repeat(50_000));
		const started = process.cpuUsage();
		const after = withoutValues(Buffer.concat([noise, escaped]), new Map([[id, value]]));
		expect(after.length - noise.length).toBe(`forgotten-k${id}`.length);
		expect(process.cpuUsage(started).user / 1e6).toBeLessThan(10);
	});
});
