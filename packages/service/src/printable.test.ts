import { spawnSync } from "node:child_process";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { printable, printableJson, shellWord } from "./printable.ts";

/** Independent of the implementation: by the properties of Unicode and by number. */
const forbidden = (text: string): boolean => {
	for (const character of text) {
		const code = character.codePointAt(0) as number;
		if (code < 0x20 || (code >= 0x7f && code <= 0x9f) || (code >= 0xd800 && code <= 0xdfff)) return true;
		if ([0xad, 0x61c, 0x180e, 0x2028, 0x2029, 0xfeff, 0x3164, 0x115f].includes(code)) return true;
		if (code >= 0x200b && code <= 0x200f) return true;
		if (code >= 0x202a && code <= 0x202e) return true;
		if (code >= 0x2060 && code <= 0x206f) return true;
		if (code >= 0xe0000 && code <= 0xe007f) return true;
	}
	return false;
};

describe("printable", () => {
	test.each([
		["a plain name.md", "a plain name.md"],
		["größe 日本 ✅ ❤️ é", "größe 日本 ✅ ❤️ é"],
		["new\nline\r\ttab", "new\\nline\\r\\ttab"],
		["e\u001b[2Jsc\u0007", "e\\u001b[2Jsc\\u0007"],
		["c1 \u009b31m \u0085", "c1 \\u009b31m \\u0085"],
		["\u202egnp.exe \u2066x\u2069", "\\u202egnp.exe \\u2066x\\u2069"],
		["a\u200bb\u200dc\u2060d\ufeff", "a\\u200bb\\u200dc\\u2060d\\ufeff"],
		["one\u2028two\u2029", "one\\u2028two\\u2029"],
		["soft\u00adhyphen \u061c \u180e \u3164", "soft\\u00adhyphen \\u061c \\u180e \\u3164"],
		["tag \u{e0041}", "tag \\udb40\\udc41"],
		["half \ud800 of two \udc00", "half \\ud800 of two \\udc00"],
		["nul \0 del \x7f", "nul \\u0000 del \\u007f"],
	])("printable: %j → without characters that move, hide or reorder", (text, shown) => expect(printable(text)).toBe(shown));

	test("printable: any text → one line without a forbidden code point, and idempotent", () => {
		const any = fc.oneof(
			fc.string({ unit: "binary" }),
			fc.string({ unit: "grapheme" }),
			fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units)),
		);
		fc.assert(
			fc.property(any, (text) => {
				const shown = printable(text);
				expect(forbidden(shown)).toBe(false);
				expect(Buffer.from(shown).toString()).toBe(shown);
				expect(printable(shown)).toBe(shown);
			}),
			{ numRuns: 500 },
		);
	});

	test("printableJson: any text → harmless on a terminal, and whole when parsed", () => {
		const any = fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units));
		fc.assert(
			fc.property(any, any, (name, text) => {
				const value = { [`n${name}`]: [text] };
				const json = printableJson(value, 2);
				expect(forbidden(json.replaceAll("\n", ""))).toBe(false);
				expect(JSON.parse(json)).toEqual(value);
			}),
			{ numRuns: 300 },
		);
	});
});

describe("shellWord", () => {
	const shells = ["bash", "zsh", "dash", "sh"].filter((shell) => spawnSync(shell, ["-c", ":"]).status === 0);
	const names = [
		"plain.md",
		"with space",
		"it's",
		'double " and ` and $HOME and $(id) and !x \\n',
		"-rf",
		"--side",
		"~root",
		"=ls",
		"*?[a]{b,c}",
		"# comment",
		"e\u001b[2Jsc",
		'e\u001b it\'s 100% \\n "$HOME" `id` !x',
		"two\nlines",
		"tab\tand\rreturn",
		"\u202egnp.exe",
		"\u0007-%s-%d",
		"größe 日本",
		"\u001b$(touch /tmp/never)'; touch /tmp/never; '",
		"-\u001b",
	];

	test("shellWord: names of every kind → each shell here reads the name back", () => {
		for (const shell of shells) {
			const script = names.map((name) => `printf '%s\\0' ${shellWord(name)}`).join("\n");
			const { stdout, stderr } = spawnSync(shell, ["-c", script]);
			expect(stderr.toString()).toBe("");
			expect(stdout.toString().split("\0").slice(0, -1)).toEqual(names);
		}
		expect(shells).toContain("bash");
	});

	test("shellWord: any text without NUL → bash reads it back, and the word is printable", () => {
		const text = fc
			.array(
				fc.oneof(
					fc.constantFrom("'", '"', "\\", "%", "!", "$", "`", "\n", "\u001b", "-", " ", "\u202e", "ö"),
					fc.string({ unit: "grapheme", maxLength: 3 }),
				),
			)
			.map((parts) => parts.join("").replaceAll("\0", ""));
		const samples = fc.sample(text, 300);
		for (const sample of samples) expect(printable(shellWord(sample))).toBe(shellWord(sample));
		const script = samples.map((sample) => `printf '%s\\0' ${shellWord(sample)}`).join("\n");
		expect(spawnSync("bash", ["-c", script]).stdout.toString().split("\0").slice(0, -1)).toEqual(samples);
	});
});
