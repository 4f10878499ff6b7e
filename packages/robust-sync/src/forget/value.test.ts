import { describe, expect, test } from "@jest/globals";
import { ScanThread } from "@robust-sync/secrets";
import fc from "fast-check";
import { base64Parts, formsOf, holds, valuesBetween, withoutValue, withoutValues } from "./value.ts";

const id = "0123456789ab";
const other = "ba9876543210";
/** Values in usual and unusual forms. */
const value = fc.oneof(
	fc.string({ minLength: 8, maxLength: 40, unit: "grapheme" }).map((text) => Buffer.from(text)),
	fc.uint8Array({ minLength: 8, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
	fc.constantFrom("aaaaaaab", 'quote"and\\slash', "-----BEGIN KEY-----\nabc\ndef\n-----END KEY-----").map((text) => Buffer.from(text)),
);
const text = fc.string({ maxLength: 30, unit: "grapheme" }).map((one) => Buffer.from(one));

/** A content with a value in some of its forms, between texts. */
const content = fc.tuple(value, fc.array(fc.tuple(text, fc.nat({ max: 7 })), { maxLength: 6 }), text).map(([secret, parts, end]) => {
	const forms = [...formsOf(secret, id).written.values()];
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
			fc.property(value, fc.array(text, { minLength: 2, maxLength: 6 }), fc.nat({ max: 7 }), (secret, parts, kind) => {
				const forms = [...formsOf(secret, id).written.values()];
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
