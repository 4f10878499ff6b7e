import { spend } from "../budget.ts";
import { choose } from "../choose.ts";
import { type Alike, twin } from "./alike.ts";
import type { Entry } from "./entry.ts";
import { comments, endsInLineComment, hasComment, head, headStart, type Layout, lead, post, type Style, style, tail } from "./layout.ts";
import { reindent } from "./reindent.ts";
import { NONE } from "./tree.ts";

/** The input of the writer of a merged container. */
export interface ContainerMerge {
	/** Null: the base has no such container here. */
	readonly base: Layout | null;
	readonly older: Layout;
	readonly later: Layout;
	/** The base's child for each child of the older side; for each of the later side the base's, or the older side's if there is no base. */
	readonly olderAlike: Alike;
	readonly laterAlike: Alike;
	/** The number of containers around the children, this one included. */
	readonly depth: number;
	/** Merges the values of a child of both sides; positions in the versions' children. */
	readonly value: (entry: Entry) => string;
	/** Called when a comment of the older side is not in the result. */
	readonly commentLost: () => void;
}

/** Steps to find a child in all versions, to write it, and to read it again in the result. */
const stepsPerEntry = 120;

/** Children of the later version, copied unchanged. */
interface Stretch {
	readonly from: number;
	readonly to: number;
}

/** A child ready to be written. */
interface Piece {
	lead: string;
	readonly body: string;
	readonly tail: string;
	readonly post: string;
}

/**
 * Writes a merged container from the bytes of its versions. Everything between the values is chosen three ways, piece by piece, so that
 * unchanged bytes stay unchanged. Only children that become the first or cease to be it, or come from a side with
 * another style, get the whitespace of their new place.
 */
export function writeContainer(entries: readonly Entry[], merge: ContainerMerge): string {
	const { base, older, later } = merge;
	const [open, end] = [later.tree.text[later.tree.start[later.node]!]!, later.tree.text[later.tree.end[later.node]! - 1]!];
	const filled = [base, older, later].filter((version): version is Layout => version !== null && version.kids.length > 0);
	const styles = new Styles(merge, entries);
	if (entries.length === 0) return open + emptyInside(merge, styles) + end;

	spend(stepsPerEntry * entries.length);
	const pieces: (Piece | Stretch)[] = [];
	for (let i = 0; i < entries.length; i++) {
		const past = i === 0 ? i : pastUnchanged(entries, i, merge, styles);
		if (past > i) {
			pieces.push({ from: entries[i]!.later, to: entries[past - 1]!.later });
			i = past - 1;
		} else pieces.push(piece(entries[i]!, i === 0, merge, styles));
	}

	const [olderFilled, laterFilled] = [older.kids.length > 0 ? older : later, later.kids.length > 0 ? later : older];
	const baseFilled = base !== null && base.kids.length > 0 ? base : null;
	const chosen = trivia(baseFilled?.close, olderFilled.close, laterFilled.close, styles, merge.commentLost);
	const close = styles.isForced && !hasComment(chosen) ? styles.merged.close : chosen;
	const trailingComma = filled.length > 0 && choose(baseFilled?.trailingComma, olderFilled.trailingComma, laterFilled.trailingComma);

	const out: string[] = [open];
	let unfinished = false;
	const put = (text: string) => {
		if (text === "") return;
		if (unfinished && !/^\r?\n/.test(text)) out.push("\n");
		out.push(text);
		unfinished = false;
	};
	const putTrivia = (text: string) => {
		put(text);
		unfinished = text === "" ? unfinished : endsInLineComment(text);
	};
	for (let i = 0; i < pieces.length; i++) {
		const next = pieces[i]!;
		if ("from" in next) {
			put(later.tree.text.slice(later.leadStart[next.from]!, later.postEnd[next.to]!));
			unfinished = endsInLineComment(post(later, next.to));
			continue;
		}
		const { lead, body, tail, post: behind } = next;
		putTrivia(lead);
		put(body);
		if (i < pieces.length - 1 || trailingComma) {
			putTrivia(tail);
			put(",");
		} else if (hasComment(tail)) putTrivia(tail);
		putTrivia(behind);
	}
	putTrivia(close);
	put(end);
	return out.join("");
}

/**
 * The end of a run of entries that no version changed, that have the same order in the later version, and that have a comma there. The first and
 * the last child are never in a run: their whitespace and comma may differ.
 */
function pastUnchanged(entries: readonly Entry[], from: number, merge: ContainerMerge, styles: Styles): number {
	const { base, older, later, olderAlike, laterAlike } = merge;
	if (base === null || styles.isForced) return from;
	const [inBase, inOlder, inLater] = [base.kids.length, older.kids.length, later.kids.length];
	let i = from;
	for (; i < entries.length - 1; i++) {
		const { base: b, older: o, later: l } = entries[i]!;
		if (b === NONE || o <= 0 || l <= 0 || (i > from && l !== entries[i - 1]!.later + 1)) break;
		if (twin(o, olderAlike, inBase, inOlder) !== b || twin(l, laterAlike, inBase, inLater) !== b) break;
		if (later.tree.comma[later.kids[l]!] === NONE) break;
	}
	return i;
}

function piece(entry: Entry, isFirst: boolean, merge: ContainerMerge, styles: Styles): Piece {
	const { base, older, later } = merge;
	if (entry.older === NONE) return place(own(later, entry.later), later, entry.later, isFirst, merge, styles, older);
	if (entry.later === NONE) return place(own(older, entry.older), older, entry.older, isFirst, merge, styles, later);
	const inBase = base !== null && entry.base !== NONE;
	const [o, l, b] = [entry.older, entry.later, entry.base];
	if (inBase) {
		const [baseText, olderText, laterText] = [chunk(base, b), chunk(older, o), chunk(later, l)];
		if (olderText === laterText || olderText === baseText) return fitWhitespace(own(later, l), l === 0, isFirst, styles);
		if (laterText === baseText) return fitWhitespace(own(older, o), o === 0, isFirst, styles);
	}
	const pick = (read: (of: Layout, i: number) => string) =>
		trivia(inBase ? read(base, b) : undefined, read(older, o), read(later, l), styles, merge.commentLost);
	const merged: Piece = {
		lead: pick(lead),
		body: choose(inBase ? head(base, b) : undefined, head(older, o), head(later, l)) + merge.value(entry),
		tail: pick(tail),
		post: pick(post),
	};
	const leadIsOlders = merged.lead === lead(older, o) && merged.lead !== lead(later, l);
	return fitWhitespace(merged, leadIsOlders ? o === 0 : l === 0, isFirst, styles);
}

/** All of a child but its comma. */
function chunk(of: Layout, i: number): string {
	const kid = of.kids[i]!;
	const { text, comma, end } = of.tree;
	const body = text.slice(of.leadStart[i]!, end[kid]!);
	return comma[kid] === of.postEnd[i]! - 1 && comma[kid] === end[kid] ? body : body + tail(of, i) + post(of, i);
}

function own(of: Layout, i: number): Piece {
	const { text, end } = of.tree;
	return { lead: lead(of, i), body: text.slice(headStart(of.tree, of.kids[i]!), end[of.kids[i]!]!), tail: tail(of, i), post: post(of, i) };
}

/** Gives a child of one side only the whitespace of its new place. */
function place(piece: Piece, from: Layout, i: number, isFirst: boolean, merge: ContainerMerge, styles: Styles, other: Layout): Piece {
	if (other.kids.length === 0 || styles.same(from, other)) return fitWhitespace(piece, i === 0, isFirst, styles);
	const target = styles.merged;
	const source = styles.of(from);
	if (target === source) return fitWhitespace(piece, i === 0, isFirst, styles);
	const body = reindent(piece.body, source.between, target.between, merge.depth);
	if (hasComment(piece.lead)) return { ...piece, lead: reindent(piece.lead, source.between, target.between, merge.depth), body };
	return { ...piece, lead: isFirst ? target.first : target.between, body };
}

/** Gives a child that becomes the first, or ceases to be, the matching whitespace. */
function fitWhitespace(piece: Piece, wasFirst: boolean, isFirst: boolean, styles: Styles): Piece {
	if ((wasFirst === isFirst && !styles.isForced) || hasComment(piece.lead)) return piece;
	return { ...piece, lead: isFirst ? styles.merged.first : styles.merged.between };
}

/** The text between the brackets of a container that the merge left empty. */
function emptyInside({ base, older, later, commentLost }: ContainerMerge, styles: Styles): string {
	const [olderEmpty, laterEmpty] = [older.kids.length === 0, later.kids.length === 0];
	if (olderEmpty && laterEmpty)
		return trivia(base !== null && base.kids.length === 0 ? base.close : undefined, older.close, later.close, styles, commentLost);
	if (olderEmpty !== laterEmpty) return olderEmpty ? older.close : later.close;
	const close = trivia(base?.close, older.close, later.close, styles, commentLost);
	return hasComment(close) ? close : "";
}

/** Three-way choice of whitespace and comments. Comments count for more: a side that changed them wins over a side that only moved them. */
function trivia(base: string | undefined, older: string, later: string, styles: Styles, commentLost: () => void): string {
	if (older === later || older === base) return later;
	if (later === base) return older;
	const [inOlder, inLater] = [comments(older).join("\n"), comments(later).join("\n")];
	if (inOlder === inLater) return styles.preferred(older, later);
	const inBase = base === undefined ? "" : comments(base).join("\n");
	if (inLater === inBase) return older;
	if (inOlder !== inBase && inOlder !== "") commentLost();
	return later;
}

/** The styles of the versions of a container and of the merged one, each computed on first use. */
class Styles {
	readonly #merge: ContainerMerge;
	readonly #entries: readonly Entry[];
	readonly #known = new Map<Layout, Style>();
	#olders: boolean | null = null;
	#forced: boolean | null = null;

	constructor(merge: ContainerMerge, entries: readonly Entry[]) {
		this.#merge = merge;
		this.#entries = entries;
	}

	of(version: Layout): Style {
		let known = this.#known.get(version);
		if (known === undefined) {
			known = style(version);
			this.#known.set(version, known);
		}
		return known;
	}

	same(a: Layout, b: Layout): boolean {
		return equal(this.of(a), this.of(b));
	}

	/** The style of the merged container. */
	get merged(): Style {
		return this.of(this.#isOlders() ? this.#merge.older : this.#merge.later);
	}

	/** If both sides changed the whitespace, the change of the side whose style the container gets. */
	preferred(older: string, later: string): string {
		return this.#isOlders() ? older : later;
	}

	/** Makes the container span lines against the three-way choice, because one of its children does. */
	get isForced(): boolean {
		this.#forced ??= this.#mustSpanLines();
		return this.#forced;
	}

	#mustSpanLines(): boolean {
		const { older, later } = this.#merge;
		if (older.kids.length === 0 || later.kids.length === 0) return false;
		const broken = this.#brokenSide();
		return (
			broken !== null &&
			this.#isOldersByChoice() !== (broken === older) &&
			this.#entries.some((entry) => spansLinesIn(entry, broken, this.#merge))
		);
	}

	#isOlders(): boolean {
		this.#olders ??= this.isForced ? this.#brokenSide() === this.#merge.older : this.#isOldersByChoice();
		return this.#olders;
	}

	/** The side that changed the style decides; if both did, the one with a child a line, else the later. */
	#isOldersByChoice(): boolean {
		const { base, older, later } = this.#merge;
		if (older.kids.length === 0 || later.kids.length === 0) return older.kids.length > 0;
		if (base !== null && base.kids.length > 0 && (this.same(base, later) || this.same(base, older))) return this.same(base, later);
		return this.#brokenSide() === older;
	}

	/** The only side with each child on its own line. */
	#brokenSide(): Layout | null {
		const { older, later } = this.#merge;
		const [inOlder, inLater] = [spansLines(this.of(older)), spansLines(this.of(later))];
		return inOlder === inLater ? null : inOlder ? older : later;
	}
}

/** Is an entry a child that only this side has, and written on several lines? */
function spansLinesIn(entry: Entry, side: Layout, { older }: ContainerMerge): boolean {
	const [mine, others] = side === older ? [entry.older, entry.later] : [entry.later, entry.older];
	if (mine === NONE || others !== NONE) return false;
	const kid = side.kids[mine]!;
	return side.tree.text.slice(side.tree.start[kid]!, side.tree.end[kid]!).includes("\n");
}

function spansLines({ first, between, close }: Style): boolean {
	return first.includes("\n") || between.includes("\n") || close.includes("\n");
}

function equal(a: Style, b: Style): boolean {
	return a.first === b.first && a.between === b.between && a.close === b.close;
}
