import { createHmac } from "node:crypto";
import { assignmentRules, type NamedRule } from "./assignments.ts";
import { type Literal, LiteralFinder } from "./literals.ts";
import { type OwnSecret, spellings } from "./own-secrets.ts";
import { entropy, isPlaceholder } from "./randomness.ts";
import { bodyOf, type Rule, rules } from "./rules.ts";
import { mayConcernSecretlint } from "./secretlint-literals.ts";

/** Where a secret is, and of which kind. Never what it is. */
export interface Finding {
	readonly rule: string;
	/** From 1; lines end with a line feed. */
	readonly line: number;
	/** Bytes from the start of the line, from 1, and where it ends: the first byte behind it. */
	readonly column: number;
	readonly endColumn: number;
	/** {@link hashOf} the value, where a salt was given. */
	readonly hash: string | null;
}

/** A secret with its value: it stays inside this package. */
export interface Match {
	readonly rule: string;
	readonly value: string;
	readonly start: number;
	readonly end: number;
}

/** Findings of one file that are reported; one is enough to hold it. */
const maxFindings = 50;
/** A token is not longer before its literal than this. */
const maxBack = 120;

/** The salted hash of a value as `.secretsallow` has it. */
export function hashOf(value: string, salt: string): string {
	return createHmac("sha256", salt).update(value, "latin1").digest("hex");
}

type AnyRule = Rule | NamedRule;
const isNamed = (rule: AnyRule): rule is NamedRule => "acceptsNamed" in rule;

/** Finds secrets in contents: the rules, and exact strings. */
export class SecretFinder {
	readonly #finder: LiteralFinder;
	readonly #rules: readonly AnyRule[];
	readonly #own: readonly { readonly rule: string; readonly value: string; readonly text: string }[];
	readonly #ruleOf: readonly number[];

	/** @param own this machine's own secrets, searched as exact strings */
	constructor(own: readonly OwnSecret[] = []) {
		this.#rules = [...rules, ...assignmentRules];
		const literals: Literal[] = [];
		const ruleOf: number[] = [];
		for (const [index, { literals: texts, anyCase = false }] of this.#rules.entries())
			for (const text of texts) {
				literals.push({ text, anyCase });
				ruleOf.push(index);
			}
		this.#own = own.flatMap(({ name, value }) => spellings(value).map((text) => ({ rule: `own:${name}`, value, text })));
		for (const { text } of this.#own) literals.push({ text, anyCase: false });
		this.#finder = new LiteralFinder(literals);
		this.#ruleOf = ruleOf;
	}

	/** Whether it is certain that a content holds no secret: no literal of a rule is followed by what the rule is about, and none of secretlint's is there. */
	isClean(content: Uint8Array): boolean {
		return this.matches(content, 1).length === 0 && !mayConcernSecretlint(content);
	}

	/** All secrets of a content, values included, in ascending order of their places. @param limit the most that are returned */
	matches(content: Uint8Array, limit = maxFindings): Match[] {
		const bytes = readable(content);
		const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
		const found = this.#search(bytes, text, limit);
		if (found.length < limit)
			for (const { text: joined, at } of joinedLines(text)) {
				for (const match of this.#search(Buffer.from(joined, "latin1"), joined, limit)) {
					// Where the line is not split, it has been found already.
					if (!found.some(({ value }) => value === match.value)) found.push({ ...match, start: at, end: at + 1 });
				}
			}
		return found.sort((a, b) => a.start - b.start).slice(0, limit);
	}

	#search(bytes: Uint8Array, text: string, limit: number): Match[] {
		const found: Match[] = [];
		let overTo = 0;
		this.#finder.search(bytes, (literal, offset) => {
			const ruleIndex = this.#ruleOf[literal];
			if (ruleIndex === undefined) {
				const own = this.#own[literal - this.#ruleOf.length]!;
				found.push({ rule: own.rule, value: own.value, start: offset, end: offset + own.text.length });
			} else {
				const rule = this.#rules[ruleIndex]!;
				const match = tryRule(rule, text, offset);
				// Several literals of one secret: the first says it.
				if (match !== null && (match.start >= overTo || !found.some(({ start, end }) => match.start < end && start < match.end))) {
					found.push(match);
					overTo = Math.max(overTo, match.end);
				}
			}
			return found.length >= limit;
		});
		return found;
	}
}

function tryRule(rule: AnyRule, text: string, offset: number): Match | null {
	let start = offset;
	if (rule.back) {
		const back = rule.back.exec(text.slice(Math.max(0, offset - maxBack), offset));
		if (back === null) return null;
		start = offset - back[0].length;
	}
	if (rule.notAfter !== null && !isStart(text, start, rule.notAfter)) return null;
	rule.pattern.lastIndex = start;
	const match = rule.pattern.exec(text);
	if (match === null) return null;
	if (isNamed(rule)) {
		if (!rule.acceptsNamed(match, text.slice(Math.max(0, start - 80), start))) return null;
	} else {
		const value = match.groups?.value ?? match[0];
		if (rule.id !== "private-key" && rule.id !== "url-password" && isPlaceholder(bodyOf(match))) return null;
		if (rule.accepts && !rule.accepts(value, match)) return null;
		if (rule.accepts === undefined && match.groups?.body !== undefined && entropy(match.groups.body) < 2.5) return null;
	}
	const groups = match.groups ?? {};
	const value = groups.value ?? groups.quoted ?? groups.bare ?? match[0];
	const within = value === match[0] ? 0 : match[0].lastIndexOf(value);
	return { rule: rule.id, value, start: start + within, end: start + within + value.length };
}

const letterOrDigit = /[A-Za-z0-9]/;

/** Whether a token may begin at an offset. An escape or a colour before it ends in a letter, and is none of its letters. */
function isStart(text: string, at: number, notAfter: RegExp = letterOrDigit): boolean {
	if (at === 0 || !notAfter.test(text[at - 1]!)) return true;
	const before = text.slice(Math.max(0, at - 20), at);
	// In a database or a program what is before a text is its length, whatever letter that is.
	if (/[\x00-\x08\x0e-\x1a\x7f-\xff][!-~]{0,3}$/.test(before)) return true;
	return /\\[nrtbfv0]$|%[0-9A-Fa-f]{2}$|\\u[0-9A-Fa-f]{4}$|\\x[0-9A-Fa-f]{2}$|(?:\x1b|\\u001b|\\x1b|\\033|\\e)\[[0-9;]{0,12}m$/i.test(
		before,
	);
}

/** UTF-16 as UTF-8; everything else as it is. */
function readable(content: Uint8Array): Uint8Array {
	const [first, second] = content;
	const isLittle = first === 0xff && second === 0xfe;
	const isBig = first === 0xfe && second === 0xff;
	// Without a mark: what another system's shell writes into a file.
	const looksLittle = !isLittle && !isBig && content.length >= 16 && everySecondIsZero(content, 1);
	const looksBig = !isLittle && !isBig && content.length >= 16 && everySecondIsZero(content, 0);
	if (!isLittle && !isBig && !looksLittle && !looksBig) return content;
	return Buffer.from(new TextDecoder(isLittle || looksLittle ? "utf-16le" : "utf-16be").decode(content), "utf8");
}

function everySecondIsZero(content: Uint8Array, parity: number): boolean {
	let zeros = 0;
	for (let at = parity; at < 64 && at < content.length; at += 2) if (content[at] === 0) zeros++;
	let others = 0;
	for (let at = 1 - parity; at < 64 && at < content.length; at += 2) if (content[at] === 0) others++;
	return zeros >= Math.min(32, content.length >> 1) - 2 && others === 0;
}

/** How a line goes on in the next one: a backslash at its end, a string that is put together over lines, lines in a list. */
const lineEnd = /(?:\\|\\n["'],[ \t]*|["'][ \t]*[+.]?[ \t]*)\r?$/;
const nextStart = /^[ \t]*[+.]?[ \t]*(?:[brfu]?["'])?/;

/** Lines that are one to whoever reads the format, joined. @returns each with the offset where it begins */
function joinedLines(text: string): { readonly text: string; readonly at: number }[] {
	const lines: { text: string; at: number }[] = [];
	let open: { at: number; parts: string[] } | null = null;
	let lineStart = 0;
	/** Where the part of this line begins that is the end of the one before. */
	let partStart = 0;
	for (let feed = text.indexOf("\n"); ; feed = text.indexOf("\n", feed + 1)) {
		const end = feed < 0 ? text.length : feed;
		const before = text.charCodeAt(text.charCodeAt(end - 1) === 0x0d ? end - 2 : end - 1);
		// " ' + , . \ and blanks
		const mayGoOn =
			before === 0x22 || before === 0x27 || before === 0x2b || before === 0x2c || before === 0x2e || before === 0x5c || before === 0x20;
		const cut: RegExpExecArray | null = mayGoOn && feed >= 0 ? lineEnd.exec(text.slice(Math.max(partStart, end - 12), end)) : null;
		const isString: boolean = cut !== null && cut[0][0] !== "\\" ? true : cut !== null && cut[0].length > 2;
		const next: RegExpExecArray | null = cut === null ? null : nextStart.exec(text.slice(feed + 1, feed + 200));
		const goesOn: boolean = next !== null && (!isString || /["']$/.test(next[0]));
		if (goesOn && cut !== null) {
			open ??= { at: lineStart, parts: [] };
			open.parts.push(text.slice(partStart, end - cut[0].length));
			const blanks = isString ? (next as RegExpExecArray)[0].length : /^[ \t]*/.exec((next as RegExpExecArray)[0])![0].length;
			partStart = feed + 1 + blanks;
		} else {
			if (open !== null) {
				open.parts.push(text.slice(partStart, end));
				lines.push({ text: open.parts.join(""), at: open.at });
				open = null;
			}
			partStart = feed + 1;
		}
		if (feed < 0) return lines;
		lineStart = feed + 1;
	}
}

/** Line and columns of matches, without their values. @param salt for their hashes; null: none */
export function describe(content: Uint8Array, matches: readonly Match[], salt: string | null = null): Finding[] {
	const bytes = readable(content);
	const findings: Finding[] = [];
	let line = 1;
	let lineStart = 0;
	for (const { rule, value, start, end } of matches) {
		for (let feed = bytes.indexOf(10, lineStart); feed >= 0 && feed < start; feed = bytes.indexOf(10, lineStart)) {
			line++;
			lineStart = feed + 1;
		}
		findings.push({
			rule,
			line,
			column: start - lineStart + 1,
			endColumn: end - lineStart + 1,
			hash: salt === null ? null : hashOf(value, salt),
		});
	}
	return findings;
}
