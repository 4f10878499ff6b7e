import { describe, expect, test } from "@jest/globals";
import { SecretFinder, slowRule } from "./finder.ts";
import { keyTextRules } from "./key-texts.ts";
import { placedRules } from "./placed.ts";
import type { NamedRule, Rule } from "./rule.ts";
import { rules } from "./rules.ts";
import { listRules } from "./tables.ts";

const bytes = 100_000;
/** Characters that one rule may read for each character of a content. */
const mostSteps = 550;
const repeated = (text: string) => text.repeat(Math.ceil(bytes / text.length));
/** Texts that begin a secret again and again, without an end. */
const heads = [
	...["-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----\n", "Private-Lines: 9\n", "OpenVPN Static key V1-----\n"],
	...[
		"password=",
		'"token":"',
		"https://a:",
		"'a'+",
		"| password ",
		"sk-",
		"eyJ",
		"bearer ",
		"basic aaaa",
		"mysql -p ",
		"-u a:",
		":5432:a:",
		`${"MHcC"}AQEEI\n`,
	],
];

/** Characters that a rule reads in a text, for each of its characters: at every literal of it. */
function stepsOf(rule: Rule | NamedRule, text: string): number {
	let sum = 0;
	for (const literal of rule.literals)
		for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + 1)) {
			const before = rule.back?.exec(text.slice(Math.max(0, at - (rule.mostBack ?? 120)), at));
			if (rule.back && !before) continue;
			rule.pattern.lastIndex = at - (before?.[0].length ?? 0);
			sum += rule.pattern.exec(text)?.[0].length ?? 0;
		}
	return Math.round(sum / text.length);
}

/** How often a search tries a pattern. A text with findings costs no more either: a search ends with a thousand. */
function triesIn(text: string): number {
	const { exec } = RegExp.prototype;
	let tries = 0;
	RegExp.prototype.exec = function (this: RegExp, searched: string) {
		tries++;
		return exec.call(this, searched);
	};
	try {
		const found = new SecretFinder([], 60_000).matches(Buffer.from(text));
		return found.length > 0 ? 0 : tries;
	} finally {
		RegExp.prototype.exec = exec;
	}
}

describe("search", () => {
	test("finder: the beginning of a secret again and again → no more tries in more of it", () => {
		const all = [...rules, ...placedRules, ...keyTextRules, ...listRules];
		const some = all.filter((_, index) => index % 4 === 0).map(({ literals: [first = ""] }) => first);
		const texts = new Set([...heads, ...some, "token: left\n", "api_key: ", '"token": "a", ']);
		const tries = [...texts].map((text) => {
			const count = (size: number) => triesIn(text.repeat(Math.ceil(size / text.length)).slice(0, size));
			return { text, few: count(16_384), many: count(49_152) };
		});
		expect(tries.filter(({ few, many }) => many > 1.2 * few + 400)).toEqual([]);
	});

	test("finder: a secret behind a long repetition, and within it → found", () => {
		const value = "q7Zk2wLx9VbT4mRd";
		for (const head of ["password=\n", "token: left\n", "eyJ", "sk-", "api_key = none, "]) {
			const repetition = head.repeat(2_000);
			const content = `${repetition}\npassword = "${value}"\n${repetition}`;
			expect(new SecretFinder().matches(Buffer.from(content)).map((match) => match.value)).toEqual([value]);
		}
	});

	test("rules: the beginning of a secret again and again → bounded steps", () => {
		const all = [...rules, ...placedRules, ...keyTextRules];
		const found = heads.flatMap((head) => all.map((rule) => ({ head, id: rule.id, steps: stepsOf(rule, repeated(head)) })));
		expect(found.filter(({ steps }) => steps > mostSteps)).toEqual([]);
	});

	test("rules: a frame before blanks, and lists that begin in lists → linear time", () => {
		const filled = ["+", " ", "\\n", '"', "\n", "=", ". ", "+ "].map((text) => `${text.repeat(28)}\x01`);
		const frames = [
			`-----BEGIN ${"PRIVATE"} KEY-----`,
			"Private-Lines: 1\n",
			"OpenVPN Static key V1-----",
			`${"MIIEvQ"}IBADANBgkqhkiG9w0BAQEFAASC`,
		];
		const start = process.cpuUsage();
		for (const frame of frames) for (const text of filled) new SecretFinder().matches(Buffer.from(frame + text));
		new SecretFinder([], 10_000).matches(Buffer.from(repeated("password:\n- ")));
		const { user, system } = process.cpuUsage(start);
		expect((user + system) / 1000).toBeLessThan(1_000);
	});

	test("finder: no CPU time left → one finding, allowed by a hash of the content", () => {
		const content = Buffer.from(repeated("password="));
		const finder = new SecretFinder([], -1);
		expect(finder.matches(content).map(({ rule, value }) => [rule, value.length])).toEqual([[slowRule, 64]]);
		expect(finder.inspect(content, undefined, ({ rule }) => rule === slowRule).matches).toEqual([]);
		expect(finder.matches(Buffer.from("no literal")).length).toBe(1);
	});

	test("finder: no CPU time left within an unescaped text → its search ends", () => {
		const content = Buffer.from(Array.from({ length: 40_000 }, (_, index) => `\\u0070assword\\u003d ${index} `).join(""));
		const cpuOf = (mostMs: number) => {
			const start = process.cpuUsage();
			const found = new SecretFinder([], mostMs).matches(content).map(({ rule }) => rule);
			const { user, system } = process.cpuUsage(start);
			return { found, cpu: user + system };
		};
		const [whole, limited] = [cpuOf(60_000), cpuOf(100)];
		expect([whole.found, limited.found]).toEqual([[], [slowRule]]);
		expect(limited.cpu).toBeLessThan(0.7 * whole.cpu);
	});
});
