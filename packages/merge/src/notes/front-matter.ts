import { fromLatin1, toLatin1 } from "../bytes.ts";
import { mergeJson } from "../json.ts";
import { mergeKeyedText } from "../keyed-text.ts";
import type { Sides } from "../sides.ts";
import { isLenientJson, isTomlText, isYamlText } from "../valid.ts";

type FrontMatterFormat = "yaml" | "toml" | "json";

/** The properties at the start of a note. */
export interface FrontMatter {
	readonly format: FrontMatterFormat;
	/** The fences: `open` is the line before the properties, `close` the line after them. Both are empty for JSON without fences. */
	readonly open: string;
	readonly inner: string;
	readonly close: string;
}

/** A note as its properties, if it has any, and the rest. Texts have LF line ends. */
export interface Note {
	readonly front: FrontMatter | null;
	readonly body: string;
	/** Does it begin like properties that have no end (a torn write)? */
	readonly torn: boolean;
}

const FENCES = [
	{ format: "yaml", open: /^---[ \t]*\n/, close: /^(?:---|\.\.\.)[ \t]*$/ },
	{ format: "toml", open: /^\+\+\+[ \t]*\n/, close: /^\+\+\+[ \t]*$/ },
	{ format: "json", open: /^;;;[ \t]*\n/, close: /^;;;[ \t]*$/ },
	// The opening fence names the language.
	{ format: "yaml", open: /^---[ \t]*ya?ml[ \t]*\n/, close: /^---[ \t]*$/ },
	{ format: "toml", open: /^---[ \t]*toml[ \t]*\n/, close: /^---[ \t]*$/ },
	{ format: "json", open: /^---[ \t]*json[ \t]*\n/, close: /^---[ \t]*$/ },
] as const;

/** Blank lines before front matter, which most readers of notes skip. */
const BLANK_LINES = /^(?:[ \t]*\n)*/;

export function splitNote(text: string): Note {
	const blanks = BLANK_LINES.exec(text)![0];
	const start = blanks === "" ? text : text.slice(blanks.length);
	for (const { format, open, close } of FENCES) {
		const fence = open.exec(start)?.[0];
		if (fence === undefined) continue;
		const opening = blanks + fence;
		for (let at = opening.length; at < text.length; ) {
			const end = text.indexOf("\n", at);
			const next = end === -1 ? text.length : end + 1;
			if (close.test(text.slice(at, end === -1 ? undefined : end))) {
				const inner = text.slice(opening.length, at);
				if (!isProperties(inner, format)) return { front: null, body: text, torn: false };
				return { front: { format, open: opening, inner, close: text.slice(at, next) }, body: text.slice(next), torn: false };
			}
			at = next;
		}
		return { front: null, body: text, torn: isProperties(text.slice(opening.length), format) };
	}
	if (/^\{[ \t]*\n/.test(text)) {
		const end = /^\}[ \t]*(?:\n|$)/m.exec(text);
		const length = end === null ? 0 : end.index + end[0].length;
		const inner = text.slice(0, length);
		if (length > 0 && isLenientJson(fromLatin1(inner))) {
			return { front: { format: "json", open: "", inner, close: "" }, body: text.slice(length), torn: false };
		}
	}
	return { front: null, body: text, torn: false };
}

/** Two lines of dashes can also be two rules with a paragraph between them. */
function isProperties(inner: string, format: FrontMatterFormat): boolean {
	const first = inner.split("\n").find((line) => !/^[ \t]*(?:#.*)?$/.test(line));
	if (first === undefined) return true;
	if (format === "json") return /^[ \t]*\{/.test(first);
	return format === "toml"
		? /^[ \t]*(?:\[|["'\w][^=]*=)/.test(first)
		: /^(?:["'][^"']*["'][ \t]*|[^\s#:'"\-[{][^:]*):(?:[ \t]|$)/.test(first);
}

export interface MergedFrontMatter {
	readonly text: string;
	readonly olderLost: boolean;
	readonly laterLost: boolean;
}

function written({ open, inner, close }: FrontMatter): string {
	return open + inner + close;
}

/** Does the front matter parse? */
export function isValidFrontMatter({ format, inner }: FrontMatter): boolean {
	return format === "yaml" ? isYamlText(inner) : format === "toml" ? isTomlText(inner) : isLenientJson(fromLatin1(inner));
}

/** Merges the properties of a note by key. If that is impossible, one side's stay whole. */
export function mergeFrontMatter(base: FrontMatter | null, older: FrontMatter | null, later: FrontMatter | null): MergedFrontMatter {
	const texts = [base, older, later].map((front) => (front === null ? "" : written(front)));
	const [inBase, inOlder, inLater] = texts as [string, string, string];
	if (inOlder === inLater || inOlder === inBase) return whole(inLater);
	if (inLater === inBase) return whole(inOlder);
	// Removed on one side and changed on the other: the changed one stays.
	if (older === null) return whole(inLater);
	if (later === null) return whole(inOlder);
	if (older.format === later.format) {
		const like = base?.format === older.format ? base : null;
		const sides: Sides = {
			base: like === null ? null : fromLatin1(like.inner),
			older: fromLatin1(older.inner),
			later: fromLatin1(later.inner),
		};
		const merged = older.format === "json" ? mergeJson(sides, "front-matter.json") : mergeKeyedText(sides, older.format);
		if (merged !== null) {
			const inner = toLatin1(merged.content);
			const result = { ...later, inner: inner === "" || inner.endsWith("\n") ? inner : `${inner}\n` };
			if (isValidFrontMatter(result)) return { ...merged, text: written(result) };
		}
	}
	if (isValidFrontMatter(older) && !isValidFrontMatter(later)) return { text: inOlder, olderLost: false, laterLost: true };
	return { text: inLater, olderLost: true, laterLost: false };
}

function whole(text: string): MergedFrontMatter {
	return { text, olderLost: false, laterLost: false };
}
