import { createHash } from "node:crypto";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { contentChange, isBlank, slowContentChange, successorChange } from "./content-loss.ts";

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

const lines = (count: number, line: (index: number) => string) => Array.from({ length: count }, (_, index) => line(index)).join("\n");
const template = "# TODO\nThis is a template, fill in your own words here please, thank you\n";
const png = (bytes: number, seed: number) =>
	Buffer.concat([
		Buffer.from("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1"),
		Buffer.from(Array.from({ length: bytes }, (_, at) => (at * seed) % 251)),
	]);

test.each<[string, string | Buffer, string | Buffer, ReturnType<typeof contentChange>]>([
	["a table of numbers, measured again", lines(400, (n) => `${n},${n * 2}.5`), lines(400, (n) => `${n + 7},${n * 3}.25`), "kept"],
	["a table of numbers, a row more", lines(400, (n) => `${n},1`), lines(401, (n) => `${n},1`), "kept"],
	["a table of numbers, a template in its place", lines(400, (n) => `${n},${n * 2}.5`), template, "replaced"],
	[
		"a JSON file of few keys, other values",
		`{"a":[\n${lines(160, (n) => `${n},`)}\n0]}`,
		`{"a":[\n${lines(150, (n) => `${n * 9},`)}\n0]}`,
		"kept",
	],
	["a JSON file of few keys, a template in its place", `{"a":[\n${lines(160, (n) => `${n},`)}\n0]}`, template, "replaced"],
	["a JSON file of few keys, random bytes in its place", `{"a":[\n${lines(160, (n) => `${n},`)}\n0]}`, png(3_000, 7), "replaced"],
	["a value", "1.2.3\n", "2.0.0-rc1\n", "kept"],
	["a value of 70 bytes, another one", lines(7, (n) => `key = ${n}23`), lines(7, (n) => `option: ${n}`), "kept"],
	["a value of 70 bytes, random bytes in its place", lines(7, (n) => `key = ${n}23`), png(60, 7), "replaced"],
	["a picture, drawn again", png(20_000, 7), png(18_000, 11), "kept"],
	["a picture, a placeholder of its format", png(20_000, 7), png(300, 11), "replaced"],
	["a picture, its first bytes", png(20_000, 7), png(20_000, 7).subarray(0, 12), "replaced"],
	[
		"Chinese, other commas and a word",
		lines(20, () => "我们今天去公园散步，天气很好，大家都很高兴"),
		lines(20, () => "咱们今天去公园散步,天气很好,大家都很高兴"),
		"kept",
	],
	["Chinese, another text", "我们今天去公园散步，天气很好，大家都很高兴", "服务器在夜间重新启动之后没有响应任何请求", "replaced"],
	[
		"Russian, half of the words",
		"один два три четыре пять шесть семь восемь девять десять",
		"один два три четыре пять и ещё что-то новое совсем",
		"kept",
	],
])("content: %s → as expected", (_name, before, after, change) => {
	expect(contentChange(Buffer.from(before), Buffer.from(after))).toBe(change);
});

/** Bytes like the output of a good cipher. */
const cipher = (bytes: number) =>
	Buffer.concat(Array.from({ length: Math.ceil(bytes / 64) }, (_, at) => createHash("sha512").update(`${at} ${bytes}`).digest())).subarray(
		0,
		bytes,
	);
const prose = lines(12, (n) => `Line ${n} says that customer number ${n} paid for apples and pears`);
const armor = (body: string) => `-----BEGIN PGP MESSAGE-----\n\n${body}\n=aB3d\n-----END PGP MESSAGE-----\n`;
const folded = (body: string) => (body.match(/.{1,64}/g) ?? []).join("\n");

test.each<[string, string | Buffer, ReturnType<typeof contentChange>]>([
	["random bytes", cipher(600), "replaced"],
	["120 random bytes, few of them zero", cipher(120), "replaced"],
	["base64", cipher(600).toString("base64"), "replaced"],
	["base64url in one line", cipher(300).toString("base64url"), "replaced"],
	["hexadecimal digits", cipher(300).toString("hex"), "replaced"],
	["armored", armor(folded(cipher(600).toString("base64"))), "replaced"],
	["a vault", `$ANSIBLE_VAULT;1.1;AES256\n${folded(cipher(400).toString("hex"))}\n`, "replaced"],
	["an envelope of JSON", JSON.stringify({ v: 1, data: cipher(600).toString("base64") }), "replaced"],
	["another text", lines(12, (n) => `Zeile ${n}: die Kundin bezahlte Birnen`), "kept"],
	["a coloured log", lines(30, (n) => `\x1b[32minfo\x1b[0m request ${n} took a while`), "kept"],
	["paths", lines(40, (n) => `build/output/generated/components/element${n}/index.js`), "kept"],
	["minified code", lines(9, (n) => `function a${n}(b){return b.map(c=>c*${n}).filter(Boolean)}var d${n}=a${n}([1,2,3]);`), "kept"],
])("content: a text becomes %s little by little → as expected", (_name, after, change) => {
	expect(slowContentChange(Buffer.from(prose), Buffer.from(after))).toBe(change);
});

test("content: an encrypted text is encrypted again, or a text is packed → kept", () => {
	const [one, other] = [cipher(500), cipher(501)].map((bytes) => Buffer.from(bytes.toString("base64"))) as [Buffer, Buffer];
	expect(slowContentChange(one, other)).toBe("kept");
	expect(successorChange(Buffer.from(prose), Buffer.concat([Buffer.from("1f8b0800", "hex"), cipher(300)]))).toBe("kept");
	expect(successorChange(Buffer.from(prose), cipher(300))).toBe("replaced");
});
