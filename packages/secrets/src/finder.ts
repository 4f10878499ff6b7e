import { createHash, createHmac } from "node:crypto";
import { assignments } from "./assignments.ts";
import { cpuLimit, type IsOver } from "./cpu-limit.ts";
import {
	base64Spellings,
	type Derived,
	decodedAround,
	escapeLiterals,
	joinedLines,
	lineEndLiterals,
	unescaped,
	wideTexts,
} from "./derived.ts";
import { foreignRules } from "./foreign-names.ts";
import { visibleLines } from "./invisible.ts";
import { keyFileOf } from "./key-files.ts";
import { keyTextRules } from "./key-texts.ts";
import { type Literal, LiteralFinder } from "./literals.ts";
import { besideName, objectRules } from "./objects.ts";
import { type OwnSecret, ownRule, spellings } from "./own-secrets.ts";
import { hashRules } from "./password-hashes.ts";
import { placedRules } from "./placed.ts";
import { isPublished } from "./published.ts";
import { entropy, isPlaceholder } from "./randomness.ts";
import { Repetition } from "./repetition.ts";
import { bodyOf, type ListRule, type NamedRule, type Rule } from "./rule.ts";
import { rules } from "./rules.ts";
import { type Excerpt, excerptsAround, secretlintLiterals } from "./secretlint-literals.ts";
import { databaseTexts } from "./sqlite.ts";
import { columnAt, kubernetesRule, kubernetesTexts, listRules } from "./tables.ts";
import { isStart } from "./token-start.ts";

/** The place and kind of a secret. Never its value. */
export interface Finding {
	readonly rule: string;
	/** From 1; lines end with a line feed. */
	readonly line: number;
	/** Bytes from the start of the line, from 1, and its end: the first byte after it. */
	readonly column: number;
	readonly endColumn: number;
	/** {@link hashOf} the value, if a salt was given. */
	readonly hash: string | null;
}

/** A secret with its value: it stays inside this package. */
export interface Match {
	readonly rule: string;
	readonly value: string;
	readonly start: number;
	readonly end: number;
}

/** The result of a search of one content. */
export interface Inspected {
	/** The searched content: UTF-16 as UTF-8. */
	readonly bytes: Buffer;
	/** In ascending order of their places. */
	readonly matches: Match[];
	/** Matches that `skips` accepted. */
	readonly skipped: readonly Match[];
	/** Parts of the content for secretlint's rules. */
	readonly excerpts: readonly Excerpt[];
}

/** Places that a search collects for a second pass. */
interface Places {
	readonly escapes: number[];
	/** Line feeds. */
	readonly lineEnds: number[];
	readonly secretlint: number[];
	/** Kubernetes Secrets. */
	readonly documents: number[];
}

/** The rule of a content whose search takes too long: unknown contents are not published. Its value is a hash of the content. */
export const slowRule = "search-too-slow";
/** CPU time for one content, milliseconds: an ordinary one of 8 MiB needs a tenth. */
const mostCpuMs = 1_000;

/** At most this many findings of one file are compared; one is enough to hold the file. */
const maxFindings = 1_000;
/** Longest distance from the start of a token to its literal, unless its rule sets one. */
const maxBack = 120;
/** Bytes before a match that rules with `acceptsNamed` get. */
const charactersBefore = 300;

/** Searched in base64 too, beside the prefixes of tokens: frames, and names in a file of credentials. Kubernetes secrets, configurations and messages often contain it. */
const encodedTexts = [
	...["PRIVATE KEY", "://", "eyJ", "hf_", "SG.", "AccountKey=", "password"],
	...["pass", "Pass", "PASS", "Pwd", "token", "Token", "TOKEN", "secret", "Secret", "SECRET", "api_key", "apiKey", "apikey", "api-key"],
	...["API_KEY", "_key", "_KEY", "PrivateKey", "signing_key"],
];
/** Shorter prefixes are in base64 of anything. */
const shortestEncoded = 4;
const encodedLiterals = () =>
	new Set([
		...encodedTexts,
		...rules.flatMap(({ literals, anyCase = false }) => (anyCase ? [] : literals.filter(({ length }) => length >= shortestEncoded))),
	]);

/** The salted hash of a value, in the form of `.secretsallow`. */
export function hashOf(value: string, salt: string): string {
	return createHmac("sha256", salt).update(value, "latin1").digest("hex");
}

type PatternRule = Rule | NamedRule;
type AnyRule = PatternRule | ListRule | typeof assignments;
/** Whether a match is to be skipped. */
type Skips = (match: Match) => boolean;
interface Skipping {
	readonly skips: Skips | undefined;
	readonly skipped: Match[];
}
const isNamed = (rule: PatternRule): rule is NamedRule => "acceptsNamed" in rule;

/** What every finder searches for: literals of the rules, their spellings in base64, and places that need a closer look. */
interface Searched {
	readonly rules: readonly AnyRule[];
	/** The rule of each literal. */
	readonly ruleOf: readonly number[];
	/** For the base64 spelling of each literal: its offset within a group of four characters. */
	readonly encoded: readonly number[];
	readonly finder: LiteralFinder;
}

let searched: Searched | null = null;

/** Prepared once, with the first search. */
function everySearched(): Searched {
	searched ??= prepare();
	return searched;
}

function prepare(): Searched {
	const all = [...rules, ...placedRules, ...foreignRules, ...hashRules, ...keyTextRules, ...listRules, ...objectRules, assignments];
	const literals: Literal[] = [];
	const ruleOf: number[] = [];
	for (const [index, { literals: texts, anyCase = false, next }] of all.entries())
		for (const text of texts) {
			literals.push({ text, anyCase, ...(text.length === 2 && next !== undefined ? { next } : {}) });
			ruleOf.push(index);
		}
	const encoded: number[] = [];
	for (const text of encodedLiterals())
		for (const { spelling, at } of base64Spellings(text)) {
			literals.push({ text: spelling, anyCase: false });
			encoded.push(at);
		}
	literals.push(...escapeLiterals, ...secretlintLiterals, ...lineEndLiterals);
	return { rules: all, ruleOf, encoded, finder: new LiteralFinder(literals) };
}

/** Finds secrets in contents, by the rules and by exact strings. */
export class SecretFinder {
	readonly #own: readonly { readonly rule: string; readonly value: string; readonly text: string }[];
	#finder: LiteralFinder | null = null;

	readonly #cpuMs: number;

	/** @param own this machine's own secrets, searched as exact strings @param cpuMs CPU time for one content, milliseconds */
	constructor(own: readonly OwnSecret[] = [], cpuMs = mostCpuMs) {
		this.#cpuMs = cpuMs;
		this.#own = own.flatMap(({ name, value }) => spellings(value).map((text) => ({ rule: `${ownRule}${name}`, value, text })));
	}

	/** All secrets of a content, values included. @param limit at most this many are returned */
	matches(content: Uint8Array, limit = maxFindings): Match[] {
		return this.inspect(content, limit).matches;
	}

	/**
	 * The same, with the parts for secretlint.
	 * @param limit at most this many matches are returned @param skips matches to skip: they do not count, and hide other matches at their place
	 */
	inspect(content: Uint8Array, limit = maxFindings, skips?: Skips): Inspected {
		const readableBytes = readable(content);
		const bytes = Buffer.from(readableBytes.buffer, readableBytes.byteOffset, readableBytes.byteLength);
		const text = bytes.toString("latin1");
		const places: Places = { escapes: [], lineEnds: [], secretlint: [], documents: [] };
		const skipping: Skipping = { skips, skipped: [] };
		const isOver = cpuLimit(this.#cpuMs);
		const found = this.#search(bytes, text, limit, places, skipping, isOver);
		for (const derive of [
			() => joinedLines(text, ascending(places.lineEnds)),
			() => unescaped(text, ascending(places.escapes)),
			() => visibleLines(text, bytes),
			() => wideTexts(text),
			() => databaseTexts(bytes),
			() => places.documents.flatMap((offset) => kubernetesTexts(text, offset)),
		]) {
			if (found.length >= limit || isOver(true)) break;
			for (const { text: derived, at } of derive()) this.#searchDerived({ text: derived, at, end: at + 1 }, found, limit, skipping, isOver);
		}
		if (isOver()) {
			const value = createHash("sha256").update(bytes).digest("hex");
			const match = { rule: slowRule, value, start: 0, end: 1 };
			if (skips?.(match)) skipping.skipped.push(match);
			else found.push(match);
			places.secretlint.length = 0;
		}
		const matches = found.sort((a, b) => a.start - b.start).slice(0, limit);
		const { skipped } = skipping;
		const excerpts = places.secretlint.length === 0 ? [] : excerptsAround(text, places.secretlint, [...matches, ...skipped]);
		return { bytes, matches, skipped, excerpts };
	}

	/** Searches a derived text. A match gets the place in the content where that text begins. */
	#searchDerived(
		{ text, at, end }: Derived & { readonly end: number },
		found: Match[],
		limit: number,
		skipping: Skipping,
		isOver: IsOver,
	): void {
		if (isOver()) return;
		// Most of the text is in the content as it is, where its secrets were found already.
		for (const match of this.#search(Buffer.from(text, "latin1"), text, limit, null, skipping, isOver)) {
			// Another rule's match does not cover an own secret: a file that is synced may allow that match.
			const covers = ({ rule, value }: Match) => value === match.value && (rule === match.rule || !match.rule.startsWith(ownRule));
			if (!found.some(covers) && !skipping.skipped.some(covers)) found.push({ ...match, start: at, end });
		}
	}

	/** @param places collects places, and base64 is decoded; null: the text is derived already */
	#search(bytes: Uint8Array, text: string, limit: number, places: Places | null, skipping: Skipping, isOver: IsOver): Match[] {
		const found: Match[] = [];
		/** Matches, including skipped ones. */
		const met: Match[] = [];
		let overTo = 0;
		let decodedTo = 0;
		const { rules: all, ruleOf, encoded, finder } = everySearched();
		this.#finder ??= new LiteralFinder(
			this.#own.map((one) => ({ text: one.text, anyCase: false })),
			finder,
		);
		const ruleCount = ruleOf.length;
		const escapesFrom = ruleCount + encoded.length;
		const secretlintFrom = escapesFrom + escapeLiterals.length;
		const lineEndsFrom = secretlintFrom + secretlintLiterals.length;
		const ownFrom = lineEndsFrom + lineEndLiterals.length;
		const take = (match: Match) => {
			// The offsets of a derived text are not those of the content.
			if (skipping.skips?.(match)) skipping.skipped.push(places === null ? { ...match, start: 0, end: 0 } : match);
			else found.push(match);
		};
		const repetition = new Repetition(text);
		const meet = (match: Match | null) => {
			if (match === null) return;
			repetition.noteMatch(match.end);
			// Several literals of one secret: the first one reports it.
			const isNew = match.start >= overTo || !met.some(({ start, end }) => match.start < end && start < match.end);
			if (!isNew || isPublished(match.value)) return;
			take(match);
			met.push(match);
			overTo = Math.max(overTo, match.end);
		};
		const keyFile = places === null ? null : keyFileOf(text);
		if (keyFile !== null) meet({ rule: "private-key", ...keyFile });
		this.#finder.search(bytes, (literal, offset) => {
			if (literal >= ownFrom) {
				const own = this.#own[literal - ownFrom]!;
				const match = { rule: own.rule, value: own.value, start: offset, end: offset + own.text.length };
				take(match);
			} else if (repetition.isCopy(offset)) return isOver();
			else if (literal >= lineEndsFrom) places?.lineEnds.push(offset + lineEndLiterals[literal - lineEndsFrom]!.text.length - 1);
			else if (literal >= secretlintFrom) places?.secretlint.push(offset);
			else if (literal >= escapesFrom) places?.escapes.push(offset);
			else if (literal >= ruleCount) {
				if (places !== null && offset >= decodedTo) {
					const decoded = decodedAround(text, offset, encoded[literal - ruleCount]!);
					decodedTo = decoded.end;
					this.#searchDerived(decoded, found, limit, skipping, isOver);
				}
			} else {
				const rule = all[ruleOf[literal]!]!;
				if (rule.id === kubernetesRule) places?.documents.push(offset);
				if ("findAll" in rule) for (const one of rule.findAll(text, offset)) meet({ rule: rule.id, ...one });
				else if ("find" in rule) {
					const match = assignment(text, offset);
					if (match !== null) meet(match);
					else for (const one of [...columnAt(text, offset), ...besideName(text, offset)]) meet({ rule: rule.id, ...one });
				} else meet(tryRule(rule, text, offset));
			}
			return found.length >= limit || isOver();
		});
		return found;
	}
}

const ascending = (places: number[]) => places.sort((a, b) => a - b);

function assignment(text: string, offset: number): Match | null {
	const found = assignments.find(text, offset);
	return found === null ? null : { rule: assignments.id, ...found };
}

function tryRule(rule: PatternRule, text: string, offset: number): Match | null {
	let start = offset;
	if (rule.back) {
		const back = rule.back.exec(text.slice(Math.max(0, offset - (rule.mostBack ?? maxBack)), offset));
		if (back === null) return null;
		start = offset - back[0].length;
	}
	// First, because a pattern may read thousands of characters: in a repeated beginning of a token, at each of them.
	if (rule.notAfter !== null && !isStart(text, start, rule.notAfter)) return null;
	rule.pattern.lastIndex = start;
	const match = rule.pattern.exec(text);
	if (match === null) return null;
	if (isNamed(rule)) {
		if (!rule.acceptsNamed(match, text.slice(Math.max(0, start - charactersBefore), start))) return null;
	} else {
		const value = match.groups?.value ?? match[0];
		if (rule.id !== "private-key" && rule.id !== "url-password" && isPlaceholder(bodyOf(match))) return null;
		if (rule.accepts && !rule.accepts(value, match)) return null;
		if (rule.accepts === undefined && match.groups?.body !== undefined && entropy(match.groups.body) < 2.5) return null;
	}
	const groups = match.groups ?? {};
	const value = groups.value ?? match[0];
	const within = value === match[0] ? 0 : match[0].lastIndexOf(value);
	return { rule: rule.id, value, start: start + within, end: start + within + value.length };
}

/** Converts UTF-16 to UTF-8; everything else is returned as it is. */
function readable(content: Uint8Array): Uint8Array {
	const [first, second] = content;
	if (first === 0xff && second === 0xfe && content[2] === 0 && content[3] === 0) return ofUtf32(content, true);
	if (first === 0 && second === 0 && content[2] === 0xfe && content[3] === 0xff) return ofUtf32(content, false);
	const isLittle = first === 0xff && second === 0xfe;
	const isBig = first === 0xfe && second === 0xff;
	// Without a byte order mark: the shell of another system writes files so.
	const looksLittle = !isLittle && !isBig && content.length >= 16 && everySecondIsZero(content, 1);
	const looksBig = !isLittle && !isBig && content.length >= 16 && everySecondIsZero(content, 0);
	if (!isLittle && !isBig && !looksLittle && !looksBig) return content;
	return Buffer.from(new TextDecoder(isLittle || looksLittle ? "utf-16le" : "utf-16be").decode(content), "utf8");
}

/** Decodes UTF-32 with a byte order mark. */
function ofUtf32(content: Uint8Array, isLittle: boolean): Uint8Array {
	const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
	const parts: string[] = [];
	for (let at = 4; at + 4 <= content.length; at += 4) {
		const code = view.getUint32(at, isLittle);
		parts.push(code > 0x10ffff ? "\ufffd" : String.fromCodePoint(code));
	}
	return Buffer.from(parts.join(""), "utf8");
}

function everySecondIsZero(content: Uint8Array, parity: number): boolean {
	let zeros = 0;
	for (let at = parity; at < 64 && at < content.length; at += 2) if (content[at] === 0) zeros++;
	let others = 0;
	for (let at = 1 - parity; at < 64 && at < content.length; at += 2) if (content[at] === 0) others++;
	return zeros >= Math.min(32, content.length >> 1) - 2 && others === 0;
}

/** Lines and columns of matches, without their values. @param salt for their hashes; null: none */
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
