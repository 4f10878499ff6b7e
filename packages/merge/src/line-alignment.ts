import { absorbs, counts } from "./absorbed.ts";
import { spend } from "./budget.ts";
import { choose } from "./choose.ts";
import { align, UNMATCHED } from "./diff.ts";
import { Interner } from "./interner.ts";
import { isCrlf, joinLines, type Lines, lineEnds } from "./lines.ts";
import { greatest, movedElements } from "./moves.ts";

/** A run of base lines that a side replaced: base [start, end) became that side's lines [from, to). Either may be empty. */
export interface Hunk {
	readonly start: number;
	readonly end: number;
	readonly from: number;
	readonly to: number;
}

/** Three versions of a text, split into lines and aligned with the base. */
export interface Aligned {
	readonly base: Lines;
	readonly older: Lines;
	readonly later: Lines;
	/** Gives equal lines equal numbers. */
	readonly interner: Interner;
	readonly baseIds: Int32Array;
	readonly olderIds: Int32Array;
	readonly laterIds: Int32Array;
	/** For each base line its counterpart in the side, or UNMATCHED. */
	readonly toOlder: Int32Array;
	readonly toLater: Int32Array;
}

/** Steps to number a line, to align it and to write it. */
const stepsPerLine = 30;

/** Aligns two versions of a text (one character per byte) with their base. */
export function alignLines(base: Lines, older: Lines, later: Lines): Aligned {
	spend(stepsPerLine * (base.keys.length + older.keys.length + later.keys.length));
	const interner = new Interner();
	const baseIds = interner.ids(base.keys);
	const like = { values: base.keys, ids: baseIds };
	const [olderIds, laterIds] = [interner.ids(older.keys, like), interner.ids(later.keys, like)];
	return {
		base,
		older,
		later,
		interner,
		baseIds,
		olderIds,
		laterIds,
		toOlder: align(baseIds, olderIds),
		toLater: align(baseIds, laterIds),
	};
}

/** The side that already has all changes of the other, if one has; the later, if both have. */
export function absorbingSide({ baseIds, olderIds, laterIds, toOlder, toLater }: Aligned): "older" | "later" | null {
	if (absorbs(laterIds, olderIds, baseIds, toOlder)) return "later";
	return absorbs(olderIds, laterIds, baseIds, toLater) ? "older" : null;
}

/**
 * Additions that are dropped: lines that one side moved and the other side removed, changed, or moved somewhere else. Such a line is not at the place
 * that the first side moved it to; if both moved it, the later side's place counts.
 */
export function overruledMoves({ baseIds, olderIds, laterIds, toOlder, toLater }: Aligned): { older: Set<number>; later: Set<number> } {
	const [olderMoved, laterMoved] = [movedElements(baseIds, olderIds, toOlder), movedElements(baseIds, laterIds, toLater)];
	const movedByOlder = new Set(olderMoved.values());
	const older = [...olderMoved].filter(([, i]) => toLater[i] === UNMATCHED);
	const later = [...laterMoved].filter(([, i]) => toOlder[i] === UNMATCHED && !movedByOlder.has(i));
	return { older: new Set(older.map(([j]) => j)), later: new Set(later.map(([j]) => j)) };
}

/** The side's replacements, in base order. */
export function hunks(match: Int32Array, sideLength: number): Hunk[] {
	const found: Hunk[] = [];
	let [start, from] = [0, 0];
	for (let i = 0; i <= match.length; i++) {
		const to = i === match.length ? sideLength : match[i]!;
		if (to === UNMATCHED) continue;
		if (i > start || to > from) found.push({ start, end: i, from, to });
		[start, from] = [i + 1, to + 1];
	}
	return found;
}

/**
 * Collects the lines of a merge and writes them with the line ends, byte order mark and final line end of the merge:
 * for each of these the side that changed it decides.
 */
export class MergedText {
	readonly #aligned: Aligned;
	readonly #ends: "lf" | "crlf" | null;
	readonly #keys: string[] = [];
	/** For each line: does it end in CR LF? */
	readonly #crlf: number[] = [];
	#hasCrlf = false;
	#last: "kept" | "older" | "later" | "both" = "kept";

	constructor(aligned: Aligned) {
		this.#aligned = aligned;
		const [base, older, later] = [lineEnds(aligned.base), lineEnds(aligned.older), lineEnds(aligned.later)];
		const ends = older === "none" ? later : later === "none" ? older : choose(base === "none" ? undefined : base, older, later);
		this.#ends = older !== later && (ends === "lf" || ends === "crlf") ? ends : null;
	}

	/** A base line of both sides. */
	keep(index: number): void {
		const { base, older, later, toOlder, toLater } = this.#aligned;
		const crlf = choose(isCrlf(base, index), isCrlf(older, toOlder[index]!), isCrlf(later, toLater[index]!));
		this.#push(base.keys[index]!, crlf, "kept");
	}

	/** A line of one side. */
	add(side: "older" | "later", index: number): void {
		const lines = this.#aligned[side];
		this.#push(lines.keys[index]!, isCrlf(lines, index), side);
	}

	/** A line that both sides added; its end is the later side's. */
	addBoth(laterIndex: number): void {
		this.#push(this.#aligned.later.keys[laterIndex]!, isCrlf(this.#aligned.later, laterIndex), "both");
	}

	#push(key: string, crlf: boolean, origin: "kept" | "older" | "later" | "both"): void {
		// The sides' line ends differ throughout: the whole file gets one of them, also the other side's additions.
		const endsInCrlf = this.#ends === null ? crlf : this.#ends === "crlf";
		this.#keys.push(key);
		this.#crlf.push(endsInCrlf ? 1 : 0);
		this.#hasCrlf ||= endsInCrlf;
		this.#last = origin;
	}

	/** All lines of one side, which has all changes of the other. */
	addAllOf(side: "older" | "later"): void {
		const { toOlder, toLater } = this.#aligned;
		const [mine, others] = side === "older" ? [toOlder, toLater] : [toLater, toOlder];
		let next = 0;
		for (let i = 0; i < mine.length; i++) {
			if (mine[i] === UNMATCHED) continue;
			for (; next < mine[i]!; next++) this.add(side, next);
			if (others[i] === UNMATCHED) this.add(side, next);
			else this.keep(i);
			next++;
		}
		for (; next < this.#aligned[side].keys.length; next++) this.add(side, next);
	}

	toString(): string {
		const { base, older, later } = this.#aligned;
		const bom = choose(base.keys.length > 0 ? base.bom : undefined, older.bom, later.bom);
		const [olderEnded, laterEnded] = [older.keys.length > 0 ? older.ended : later.ended, later.keys.length > 0 ? later.ended : older.ended];
		const voted = choose(base.keys.length > 0 ? base.ended : undefined, olderEnded, laterEnded);
		// A last line that one side added ends as in that side: an empty line without an end would disappear.
		const ended = this.#last === "older" ? olderEnded : this.#last === "later" ? laterEnded : voted;
		const keys = this.#keys;
		return joinLines({
			bom,
			keys,
			crlf: this.#hasCrlf ? Uint8Array.from(this.#crlf) : null,
			ended: ended || keys[keys.length - 1] === "",
		});
	}
}

/** Which side has lost lines in a merge? */
export interface LostLines {
	readonly olderLost: boolean;
	readonly laterLost: boolean;
}

/**
 * Lines that are more frequent in a side than in the base, and too rare in the content: lost. Removals by the other side are not losses.
 *
 * @param hasBase false: both sides added the text, even if they were aligned with something.
 */
export function lostLines(aligned: Aligned, content: Lines, hasBase = true): LostLines {
	const { interner, later, olderIds, laterIds } = aligned;
	const baseIds = hasBase ? aligned.baseIds : new Int32Array();
	const contentIds = interner.ids(content.keys, { values: later.keys, ids: laterIds });
	const size = Math.max(greatest(baseIds), greatest(olderIds), greatest(laterIds), greatest(contentIds)) + 1;
	const [inBase, inOlder, inLater, inContent] = [baseIds, olderIds, laterIds, contentIds].map((ids) => counts(ids, size)) as [
		Int32Array,
		Int32Array,
		Int32Array,
		Int32Array,
	];
	const loses = (inSide: Int32Array, inOther: Int32Array) =>
		inSide.some((times, line) => {
			const removedByOther = Math.max(0, inBase[line]! - inOther[line]!);
			return times > inBase[line]! && inContent[line]! < times - removedByOther;
		});
	return { olderLost: loses(inOlder, inLater), laterLost: loses(inLater, inOlder) };
}
