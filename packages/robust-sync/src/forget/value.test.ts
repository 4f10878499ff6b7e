import { describe, expect, test } from "@jest/globals";
import { ScanThread } from "@robust-sync/secrets";
import fc from "fast-check";
import { base64Parts, formsOf, holds, withoutValue, withoutValues } from "./value.ts";
import { valuesBetween } from "./values-between.ts";

const id = "0123456789ab";
const other = "ba9876543210";
/** Values in usual and unusual forms. */
const value = fc.oneof(
	fc.string({ minLength: 8, maxLength: 40, unit: "grapheme" }).map((text) => Buffer.from(text)),
	fc.uint8Array({ minLength: 8, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
	fc
		.constantFrom("aaaaaaab", 'quote"and\\slash', "-----BEGIN KEY-----\nabc\ndef\n-----END KEY-----", 'it\'s \\ 5 "%41" & <b>\r\n')
		.map((text) => Buffer.from(text)),
);
const text = fc.string({ maxLength: 30, unit: "grapheme" }).map((one) => Buffer.from(one));

const allForms = (secret: Buffer) => {
	const { written, nested } = formsOf(secret, id);
	return [...written.values(), ...nested.values()];
};

/** A content with a value in some of its forms, between texts. */
const content = fc.tuple(value, fc.array(fc.tuple(text, fc.nat({ max: 20 })), { maxLength: 6 }), text).map(([secret, parts, end]) => {
	const forms = allForms(secret);
	return {
		secret,
		content: Buffer.concat([...parts.flatMap(([before, kind]) => [before, forms[kind % forms.length]?.value ?? secret]), end]),
	};
});

describe("forget", () => {
	test("value: any content → clean of all its forms, again the same", () => {
		fc.assert(
			fc.property(content, ({ secret, content: before }) => {
				const forms = formsOf(secret, id);
				const after = withoutValue(before, forms);
				expect(withoutValue(after, forms)).toEqual(after);
				expect(holds(after, forms)).toBe(false);
				if (!holds(before, forms)) expect(after).toBe(before);
			}),
			{ numRuns: 200 },
		);
	});

	test("value: one form in a content → derived from the pair", () => {
		fc.assert(
			fc.property(value, fc.array(text, { minLength: 2, maxLength: 6 }), fc.nat({ max: 20 }), (secret, parts, kind) => {
				const forms = allForms(secret);
				const written = forms[kind % forms.length]?.value ?? secret;
				const before = Buffer.concat(parts.flatMap((part, index) => (index === 0 ? [part] : [written, part])));
				const after = withoutValue(before, formsOf(secret, id));
				const found = valuesBetween(before, after, [id]);
				// Texts around it may become part of it: even then it is clean of the found value.
				expect(found).not.toBeNull();
				expect(withoutValues(before, found ?? new Map())).toEqual(after);
			}),
			{ numRuns: 200 },
		);
	});

	const inJson = (one: string, times: number): string => (times === 0 ? one : inJson(JSON.stringify(one).slice(1, -1), times - 1));
	const inMarkup = (one: string) => one.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
	test.each<[string, (one: string) => string]>([
		["JSON in JSON", (one) => inJson(one, 2)],
		["JSON in JSON in JSON", (one) => inJson(one, 3)],
		["JSON in HTML", (one) => inMarkup(inJson(one, 1))],
		["HTML in JSON", (one) => inJson(inMarkup(one), 1)],
		["HTML in HTML", (one) => inMarkup(inMarkup(one))],
		["JSON in an address", (one) => encodeURIComponent(inJson(one, 1))],
		["an address in an address", (one) => encodeURIComponent(encodeURIComponent(one))],
		["quotes doubled", (one) => one.replaceAll("'", "''")],
		["double quotes doubled", (one) => one.replaceAll('"', '""')],
		["quotes of a shell", (one) => one.replaceAll("'", "'\\''")],
		["CR LF for LF", (one) => one.replaceAll("\n", "\r\n")],
	])("value: %s → replaced, derived from the pair", (_name, write) => {
		for (const secret of [
			"ab\\cd\\ef12345",
			'ab\\cd"ef12345',
			"it's \"5'6\" & <b>",
			"-----BEGIN KEY-----\nab/+c\n-----END KEY-----",
			"pa%41ss=w/o+rd",
		]) {
			const written = write(secret);
			const before = Buffer.from(`{"x": "${written}", "y": 1}\n${written}\n`);
			const after = withoutValues(before, new Map([[id, Buffer.from(secret)]]));
			expect(after.toString()).toMatch(new RegExp(`^\\{"x": "forgotten-[a-z]${id}", "y": 1\\}\\nforgotten-[a-z]${id}\\n$`));
			expect(valuesBetween(before, after, [id])).toEqual(new Map([[id, Buffer.from(secret)]]));
		}
	});

	test.each([
		["a byte more", "key = forgotten-a0123456789ab!\n"],
		["two values", "key = forgotten-a0123456789ab\nforgotten-a0123456789ab"],
		["nothing", ""],
		["another id", "key = forgotten-aba9876543210\n"],
		["another text", "kex = forgotten-a0123456789ab\n"],
	])("value: a cleaned version with %s → refused", (_what, cleaned) => {
		const before = Buffer.from("key = sk-ABCDEFGH12345678\n");
		expect(valuesBetween(before, Buffer.from("key = forgotten-a0123456789ab\n"), [id])).not.toBeNull();
		expect(valuesBetween(before, Buffer.from(cleaned), [id])).toBeNull();
	});

	test("value: some left in the file, or another one taken → refused", () => {
		const before = Buffer.from("sk-ABCDEFGH12345678 and sk-ABCDEFGH12345678 and pk-ABCDEFGH12345678");
		const half = Buffer.from("forgotten-a0123456789ab and sk-ABCDEFGH12345678 and pk-ABCDEFGH12345678");
		const both = Buffer.from("forgotten-a0123456789ab and sk-ABCDEFGH12345678 and forgotten-a0123456789ab");
		expect([half, both].map((cleaned) => valuesBetween(before, cleaned, [id]))).toEqual([null, null]);
	});

	test("value: a second forgetting in a cleaned file → only its own value derived", () => {
		const [first, second] = [Buffer.from("sk-ABCDEFGH12345678"), Buffer.from("another-value-1234")];
		const between = withoutValues(Buffer.from("a sk-ABCDEFGH12345678 another-value-1234 sk-ABCDEFGH12345678\n"), new Map([[id, first]]));
		const after = withoutValues(between, new Map([[other, second]]));
		expect(valuesBetween(between, after, [id, other])).toEqual(new Map([[other, second]]));
	});

	test("value: base64 of any text around it → found by its parts", () => {
		fc.assert(
			fc.property(value, fc.uint8Array({ maxLength: 9 }), fc.uint8Array({ maxLength: 9 }), (secret, before, after) => {
				for (const alphabet of ["base64", "base64url"] as const) {
					const encoded = Buffer.from(Buffer.concat([before, secret, after]).toString(alphabet));
					expect(base64Parts(secret).some((part) => encoded.includes(part))).toBe(true);
				}
			}),
		);
	});

	test("value: two forgettings in one file → both derived", () => {
		const values = new Map([
			[id, Buffer.from("sk-ABCDEFGH12345678")],
			[other, Buffer.from("another-value-1234")],
		]);
		const before = Buffer.from("a sk-ABCDEFGH12345678\nb another-value-1234\nc sk-ABCDEFGH12345678\n");
		expect(valuesBetween(before, withoutValues(before, values), [id, other])).toEqual(values);
	});

	test.each([
		["wrapped", "\n"],
		["wrapped, CRLF, indented", "\r\n    "],
		["continued with a backslash", " \\\n\t"],
		["quoted in a mail", "\n> > "],
		["in a comment", "\n // "],
		["in strings of code", '" +\n  "'],
		["in strings that follow each other", "'\n  '"],
		["in JSON", "\\n"],
		["in the lines of a notebook", '\\n",\n    "'],
	])("value: broken over lines, %s → replaced, and derived from the pair", (_what, lineBreak) => {
		const token = fc.string({ minLength: 10, maxLength: 150, unit: fc.constantFrom(..."abcdefXYZ0123456789_/+=-") });
		const broken = fc.tuple(token, fc.array(fc.integer({ min: 6, max: 80 }), { minLength: 1, maxLength: 3 }));
		fc.assert(
			fc.property(broken, ([secret, columns]) => {
				const places = columns.map(
					(column) => secret.match(new RegExp(`.{1,${Math.max(column, Math.ceil(secret.length / 3))}}`, "g")) ?? [],
				);
				const written = places.map((lines) => lines.join(lineBreak)).filter((one) => one !== secret);
				if (written.length === 0) return;
				const before = Buffer.from(written.map((one) => `key: ${one};\n`).join(""));
				const forms = formsOf(Buffer.from(secret), id);
				const after = withoutValue(before, forms);
				expect([after.toString(), holds(before, forms), holds(after, forms)]).toEqual([
					written.map(() => `key: forgotten-i${id};\n`).join(""),
					true,
					false,
				]);
				expect(valuesBetween(before, after, [id])).toEqual(new Map([[id, Buffer.from(secret)]]));
			}),
			{ numRuns: 100 },
		);
	});

	test("value: a placeholder in the place of a secret → no finding", async () => {
		const { placeholder } = formsOf(Buffer.from("sk-ABCDEFGH12345678"), id).written.get("a") as { placeholder: Buffer };
		const job = {
			path: "config.json",
			content: Buffer.from(`{"api_key": "${placeholder}"}\npassword = "${placeholder}"\nTOKEN=${placeholder}\n`),
		};
		expect(await new ScanThread().scan([job], [])).toEqual([[]]);
	});
});
