import { trimBlanks } from "../blanks.ts";
import { fromLatin1, toLatin1 } from "../bytes.ts";
import { choose } from "../choose.ts";
import { mergeCode } from "../code.ts";
import { Interner } from "../interner.ts";
import type { Entry } from "../json/entry.ts";
import { mergeKeyed } from "../json/keyed.ts";
import { type IsRenamed, joinRenamed } from "../json/renamed.ts";
import { mergeSequence, withoutRepetitions } from "../json/sequence.ts";
import { NONE } from "../json/tree.ts";
import { commentLines, commentsBetween, hasLostComment, mayHaveComments, withoutComments } from "./comments.ts";
import { elementName, hasOtherName, identities, isRenamed, likeness, mapKeys, normalized } from "./elements.ts";
import type { Block, Flow, Item, Leaf, Value } from "./item.ts";
import { type Versions as ItemVersions, inOneLayout } from "./list-layout.ts";

export interface MergedTree {
	readonly text: string;
	readonly olderLost: boolean;
	readonly laterLost: boolean;
}

/**
 * Merges two versions of a structured text: maps key by key, lists by identity or as sequences, values by the later rule. The result is joined
 * from the versions' own pieces.
 *
 * @param base null: both sides added the text.
 */
export function mergeTrees(base: Block | null, older: Block, later: Block): MergedTree {
	const merge = new TreeMerge([base, older, later]);
	const text = merge.value(base, older, later);
	return {
		text,
		olderLost: merge.olderLost || hasLostComment(base, older, text),
		laterLost: merge.laterLost || hasLostComment(base, later, text),
	};
}

interface Versions<T> {
	readonly base: T | null;
	readonly older: T;
	readonly later: T;
}

/** An item ready to be written. */
interface Piece {
	lead: string;
	readonly indent: string;
	readonly text: string;
	/** Does the text end in a comment that runs to the end of the line? */
	readonly open: boolean;
}

class TreeMerge {
	olderLost = false;
	laterLost = false;
	readonly #hasComments: boolean;

	constructor(versions: readonly (Block | null)[]) {
		this.#hasComments = versions.some((version) => version !== null && mayHaveComments(version));
	}

	/** Merges a value of both sides. */
	value(base: Value | null, older: Value, later: Value): string {
		if (older.text === later.text || base?.text === older.text) return later.text;
		if (base?.text === later.text) return older.text;
		if (older.type === "block" && later.type === "block" && older.list === later.list && older.compact === later.compact) {
			return this.#block(sameShape(base, later) as Block | null, older, later);
		}
		if (older.type === "flow" && later.type === "flow" && older.list === later.list) {
			const like = sameShape(base, later) as Flow | null;
			const merged = () => this.#flow(like, older, later);
			// A map on one line is one value: a mixture of `{ git = …, rev = … }` and `{ git = …, branch = … }` is neither.
			return !later.list && (like === null || sharesNoKey(like, older, later)) ? this.#oneOf(older, later, merged) : merged();
		}
		if (older.type === "leaf" && later.type === "leaf") return this.#leaf(base?.type === "leaf" ? base : null, older, later);
		this.olderLost = true;
		return later.text;
	}

	#leaf(base: Leaf | null, older: Leaf, later: Leaf): string {
		if (base?.lines && older.lines && later.lines) {
			const merged = mergeLines(base.text, older.text, later.text);
			if (merged.olderLost) this.olderLost = true;
			return merged.text;
		}
		this.olderLost = true;
		return later.text;
	}

	/** Blank lines and comments: line by line. */
	#trivia(base: string | undefined, older: string, later: string): string {
		if (older === later || base === older) return later;
		if (base === later) return older;
		// Comments count for more: a side that changed them wins over a side that only changed the blank lines around them.
		const [inBase, inOlder, inLater] = [base ?? "", older, later].map((trivia) => commentLines(trivia).join("\n"));
		if (inOlder === inLater || (base !== undefined && inBase === inOlder)) return later;
		if (base !== undefined && inBase === inLater) return older;
		const { text } = base === undefined ? { text: later } : mergeLines(base, older, later);
		const known = new Set([...text.split("\n"), ...(base ?? "").split("\n")].map(withoutBlanks));
		if (older.split("\n").some((line) => !known.has(withoutBlanks(line)))) this.olderLost = true;
		return text;
	}

	#block(base: Block | null, older: Block, later: Block): string {
		const entries = this.#entries({ base, older, later });
		const indentOf = (version: Block) => version.items[0]?.indent;
		const target = choose(
			base === null ? undefined : indentOf(base),
			indentOf(older) ?? indentOf(later),
			indentOf(later) ?? indentOf(older),
		);
		const out: string[] = [];
		const written = new Map<string, number>();
		const [inBase, inOlder, inLater] = [base, older, later].map(commentsBetween) as [
			Map<string, number>,
			Map<string, number>,
			Map<string, number>,
		];
		const isThere = (line: string) =>
			inBase.has(line) && (written.get(line) ?? 0) >= Math.max(inOlder.get(line) ?? 0, inLater.get(line) ?? 0);
		// A comment of the base is in the result at most as often as in a side, even if its neighbours moved; if a side removed it, it is not.
		const settled = (trivia: string, isOfBoth: boolean) =>
			withoutLines(
				trivia,
				(line) => isThere(line) || (isOfBoth && inBase.has(line) && !(inOlder.has(line) && inLater.has(line))),
				(line) => written.set(line, (written.get(line) ?? 0) + 1),
			);
		for (const [i, entry] of entries.entries()) {
			const { lead: own, indent, text } = this.#piece({ base, older, later }, entry, target ?? "");
			// If one side removed an item and the other changed it, the changed one stays.
			const isChangedAlone = entry.base !== NONE && (entry.older === NONE || entry.later === NONE);
			const lead = settled(own, !isChangedAlone);
			if (i > 0 || !later.compact) out.push(lead, indent);
			// A comment can be between the dash and an item on lines of its own.
			else if (lead.includes("#")) out.push(lead.replace(/^[ \t\n]+/, ""), indent);
			out.push(text);
		}
		out.push(settled(this.#trivia(base?.foot, older.foot, later.foot), true));
		return out.join("");
	}

	#flow(base: Flow | null, older: Flow, later: Flow): string {
		const entries = this.#entries({ base, older, later });
		const filled = [base, older, later].filter((version): version is Flow => version !== null && version.items.length > 0);
		const [olderFilled, laterFilled] = [older.items.length > 0 ? older : later, later.items.length > 0 ? later : older];
		const baseFilled = base !== null && base.items.length > 0 ? base : null;
		const styleOf = (version: Flow) => ({ first: plain(version.items[0]!.lead), between: between(version), close: plain(version.close) });
		const close = choose(baseFilled?.close, olderFilled.close, laterFilled.close);
		if (entries.length === 0 || filled.length === 0) return later.open + (later.items.length === 0 ? later.close : older.close);
		const [ofBase, ofOlder, ofLater] = [baseFilled && styleOf(baseFilled), styleOf(olderFilled), styleOf(laterFilled)];
		const chosen = choose(ofBase?.between, ofOlder.between, ofLater.between);
		const style = chosen === ofLater.between ? ofLater : ofOlder;
		const pieces = entries.map((entry) => this.#piece({ base, older, later }, entry, null));
		const comma = choose(baseFilled?.comma, olderFilled.comma, laterFilled.comma);
		const out = [later.open];
		let open = false;
		const put = (text: string) => {
			out.push(open && !text.startsWith("\n") ? `\n${text}` : text);
			open = false;
		};
		for (const [i, entry] of entries.entries()) {
			const piece = pieces[i]!;
			const lead = piece.lead.includes("#") ? piece.lead : this.#placed(piece.lead, i === 0, style, entry, { older, later });
			put(lead);
			const tail = tailOf(entry, { base, older, later });
			const text = piece.text.slice(0, piece.text.length - tail.length);
			out.push(text, i < entries.length - 1 || comma ? "," : "", tail);
			open = tail !== "";
		}
		put(style === ofOlder && close !== later.close ? close : laterFilled === later ? close : style.close);
		return out.join("");
	}

	/** The whitespace before an item: its own, unless it became the first or ceased to be, or comes from a side with another layout. */
	#placed(
		lead: string,
		isFirst: boolean,
		style: { first: string; between: string },
		entry: Entry,
		sides: { older: Flow; later: Flow },
	): string {
		const wanted = isFirst ? style.first : style.between;
		if (lead === wanted) return lead;
		const wasFirst = entry.later !== NONE ? entry.later === 0 : entry.older === 0;
		const from = entry.later !== NONE ? sides.later : sides.older;
		return wasFirst === isFirst && between(from) === style.between ? lead : wanted;
	}

	#entries({ base, older, later }: Versions<Block | Flow>): readonly Entry[] {
		if (base !== null && isRenamed(base, older, later)) {
			const [before, mine, theirs] = [base.items[0]!.key, older.items[0]!.key, later.items[0]!.key];
			if (mine !== before && theirs !== before && mine !== theirs) this.olderLost = true;
			return [{ base: 0, older: 0, later: 0 }];
		}
		const versions = [base?.items ?? [], older.items, later.items] as const;
		// A change of comments alone does not keep an item that the other side removed.
		const changed = (side: readonly Item[]) => (inBase: number, inSide: number) => !saysTheSame(versions[0][inBase]!, side[inSide]!);
		const keys = later.list ? identities(versions) : mapKeys(versions);
		const interner = new Interner();
		if (keys !== null) {
			const [b, o, l] = keys.map((list) => interner.ids(list));
			const entries = mergeKeyed(b!, o!, l!, changed(versions[1]), changed(versions[2]));
			if (!later.list || base === null) return entries;
			const items = { base: versions[0], older: versions[1], later: versions[2] };
			const isOther: IsRenamed = (version, at, side, to) => hasOtherName(items[version][at]!.value, items[side][to]!.value);
			return joinRenamed(entries, base.items.length, isOther);
		}
		const [b, o, l] = versions.map((items) =>
			interner.ids(items.map((item) => elementName(this.#hasComments ? withoutComments(item) : item.text))),
		);
		const likenessOf = (one: readonly Item[], other: readonly Item[]) => (i: number, j: number) => likeness(one[i]!.value, other[j]!.value);
		const [inBase, inOlder, inLater] = versions;
		const entries = mergeSequence(b!, o!, l!, likenessOf(inBase, inOlder), likenessOf(inBase, inLater), likenessOf(inOlder, inLater));
		return withoutRepetitions(entries, b!, o!, l!, false);
	}

	/** @param target the indentation that the item gets; null: it keeps its own. */
	#piece({ base, older, later }: Versions<Block | Flow>, entry: Entry, target: string | null): Piece {
		const asWritten = {
			base: entry.base === NONE ? null : base!.items[entry.base]!,
			older: entry.older === NONE ? null : older.items[entry.older]!,
			later: entry.later === NONE ? null : later.items[entry.later]!,
		};
		if (asWritten.older === null || asWritten.later === null) {
			const item = (asWritten.later ?? asWritten.older)!;
			return fitted(item, item.lead, item.text, target);
		}
		const { base: inBase, older: inOlder, later: inLater } = inOneLayout(asWritten as ItemVersions) ?? (asWritten as ItemVersions);
		const lead = this.#trivia(inBase?.lead, inOlder.lead, inLater.lead);
		if (inOlder.text === inLater.text || inBase?.text === inOlder.text) return fitted(inLater, lead, inLater.text, target);
		if (inBase?.text === inLater.text) return fitted(inOlder, lead, inOlder.text, target);
		const alike = inOlder.value.type === inLater.value.type && isBlockLeaf(inOlder) === isBlockLeaf(inLater);
		if (!alike) {
			this.olderLost = true;
			return fitted(inLater, lead, inLater.text, target);
		}
		const merged = () =>
			this.#part(inBase?.head, inOlder.head, inLater.head) +
			this.value(inBase?.value ?? null, inOlder.value, inLater.value) +
			this.#part(inBase?.tail, inOlder.tail, inLater.tail);
		// The key of an element of an array of tables with separate elements contains its name.
		const isElement = later.list || inLater.key.includes("\0");
		const text = isElement && inBase === null ? this.#oneOf(inOlder, inLater, merged) : merged();
		const indent = target ?? choose(inBase?.indent, inOlder.indent, inLater.indent);
		return { lead: reindented(lead, inLater.indent, indent), indent, text, open: false };
	}

	/** Two new elements with one name, or two maps on a line that are one value, were made independently: the one that contains the other stays, else the later. */
	#oneOf(older: Item | Flow, later: Item | Flow, merge: () => string): string {
		const text = merge();
		const reads = (item: Item | Flow) => normalized(item.text) === normalized(text);
		if (reads(older) || reads(later)) return text;
		this.olderLost = true;
		return later.text;
	}

	#part(base: string | undefined, older: string, later: string): string {
		const chosen = choose(base, older, later);
		if (chosen !== older && base !== older && older.includes("#") && !later.includes(trimBlanks(older.slice(older.indexOf("#")))))
			this.olderLost = true;
		return chosen;
	}
}

/** Blank lines and comments without the dropped comments; each of the others is reported. */
function withoutLines(trivia: string, drops: (line: string) => boolean, keeps: (line: string) => void): string {
	if (!/[^ \t\n]/.test(trivia)) return trivia;
	return trivia
		.split("\n")
		.filter((written) => {
			const line = trimBlanks(written);
			if (line === "") return true;
			if (drops(line)) return false;
			keeps(line);
			return true;
		})
		.join("\n");
}

/** A value of several lines that are part of it needs the head that announces them. */
function isBlockLeaf({ value }: Item): boolean {
	return value.type === "leaf" && value.lines;
}

function sameShape(base: Value | null, side: Block | Flow): Value | null {
	return base !== null && base.type === side.type && base.list === side.list ? base : null;
}

/** Has either side lost all that the base has? */
function sharesNoKey(base: Flow, older: Flow, later: Flow): boolean {
	const keys = new Set([...older.items, ...later.items].map(({ key }) => key));
	return base.items.length > 0 && !base.items.some(({ key }) => keys.has(key));
}

function saysTheSame(one: Item, other: Item): boolean {
	return one.text === other.text || normalized(withoutComments(one)) === normalized(withoutComments(other));
}

function tailOf(entry: Entry, { base, older, later }: Versions<Flow>): string {
	const inOlder = entry.older === NONE ? null : older.items[entry.older]!;
	const inLater = entry.later === NONE ? null : later.items[entry.later]!;
	if (inOlder === null || inLater === null) return (inLater ?? inOlder)!.tail;
	const inBase = entry.base === NONE ? null : base!.items[entry.base]!;
	if (inOlder.text === inLater.text || inBase?.text === inOlder.text) return inLater.tail;
	if (inBase?.text === inLater.text) return inOlder.tail;
	return choose(inBase?.tail, inOlder.tail, inLater.tail);
}

/** Gives an item of one side the indentation of its new place. */
function fitted(item: Item, lead: string, text: string, target: string | null): Piece {
	const indent = target ?? item.indent;
	return { lead: reindented(lead, item.indent, indent), indent, text: reindented(text, item.indent, indent), open: false };
}

/** Moves all lines but the start of the first one. */
function reindented(text: string, from: string, to: string): string {
	if (from === to || !text.includes("\n")) return text;
	return text
		.split("\n")
		.map((line, i) => (i > 0 && line !== "" && line.startsWith(from) ? to + line.slice(from.length) : line))
		.join("\n");
}

/** The text before an item of a flow collection that is not the first. */
function between({ items }: Flow): string {
	if (items.length > 1) return plain(items[1]!.lead);
	const first = plain(items[0]?.lead ?? "");
	return first.includes("\n") ? first.slice(first.lastIndexOf("\n")) : " ";
}

/** Whitespace without the comments in it. */
function plain(trivia: string): string {
	return trivia.includes("#") ? trivia.slice(trivia.lastIndexOf("\n")) : trivia;
}

function withoutBlanks(line: string): string {
	return line.replace(/[ \t]+/g, "");
}

function mergeLines(base: string, older: string, later: string): { text: string; olderLost: boolean } {
	const merged = mergeCode({ base: fromLatin1(base), older: fromLatin1(older), later: fromLatin1(later) });
	return { text: toLatin1(merged.content), olderLost: merged.olderLost };
}
