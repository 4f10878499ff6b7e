import { pairCost } from "./likelihood.ts";

/** One literal to search for. */
export interface Literal {
	/** One character for each byte, at least two. Lower case where `anyCase`. */
	readonly text: string;
	readonly anyCase: boolean;
	/** The characters that may follow; needed for a literal of two characters, which occurs too often by chance. */
	readonly next?: string;
}

const isLetter = (code: number) => code >= 0x61 && code <= 0x7a;

interface Entry {
	readonly bytes: Uint8Array;
	/** Offset of the three bytes by which it is found; the third may be after its end. */
	readonly anchor: number;
	readonly anyCase: boolean;
	readonly index: number;
}

const slots = 32_768;
/** The key of three bytes, from the key of those one byte before, and the next byte. Bytes further back have been shifted out. */
const nextKey = (key: number, code: number) => ((key << 5) ^ code) & 0x7fff;
const anything = 0xff;

/**
 * Finds many literals in one pass over the bytes. Each literal is found by its three neighbouring bytes that are rarest in texts. A table of
 * these, with the bytes that may follow, rejects nearly every place: the cost hardly depends on the number of literals.
 */
export class LiteralFinder {
	/** By the key of three bytes, a bit for each value of the last three bits of the byte after them. */
	readonly #behind: Uint8Array;
	readonly #entries: (readonly Entry[] | undefined)[];

	readonly #count: number;

	/** @param before its literals come first: preparing many costs milliseconds */
	constructor(literals: readonly Literal[], before: LiteralFinder | null = null) {
		const first = before === null ? 0 : before.#count;
		this.#count = first + literals.length;
		this.#behind = before === null ? new Uint8Array(slots) : before.#behind.slice();
		this.#entries = before === null ? new Array<readonly Entry[] | undefined>(slots) : before.#entries.slice();
		for (const [number, { text, anyCase, next = "" }] of literals.entries()) {
			const index = first + number;
			const bytes = Buffer.from(text, "latin1");
			if (bytes.length < 2 || (bytes.length === 2 && next === ""))
				throw new RangeError(`the literal ${JSON.stringify(text)} is shorter than three bytes, and has no next character`);
			const anchor = rarestTriple(text);
			const codesAt = (at: number) => (at < bytes.length ? variants(bytes[at]!, anyCase) : [...Buffer.from(next, "latin1")]);
			const keys = new Set<number>();
			for (const a of codesAt(anchor))
				for (const b of codesAt(anchor + 1)) for (const c of codesAt(anchor + 2)) keys.add(nextKey(nextKey(nextKey(0, a), b), c));
			// The case of a letter is not in its last three bits.
			const behind = anchor + 3 < bytes.length ? 1 << (bytes[anchor + 3]! & 7) : anything;
			for (const key of keys) {
				this.#behind[key]! |= behind;
				this.#entries[key] = [...(this.#entries[key] ?? []), { bytes, anchor, anyCase, index }];
			}
		}
	}

	/**
	 * Calls `found` with the index of the literal and the offset of each occurrence, in ascending order of their anchors. `found` ends the search
	 * with true.
	 */
	search(content: Uint8Array, found: (literal: number, offset: number) => boolean | undefined): void {
		const last = content.length - 1;
		for (let at = this.#nextPlace(content, 0, last); at < last; at = this.#nextPlace(content, at + 1, last))
			if (this.#lookUp(keyAt(content, at), content, at - 2, found)) return;
		if (last >= 0) this.#lookUp(keyAt(content, last), content, last - 2, found);
	}

	/** The ends of the triples that may belong to a literal. No call is in this loop: the search spends its time here. */
	#nextPlace(content: Uint8Array, from: number, last: number): number {
		const behind = this.#behind;
		let key = from === 0 ? 0 : keyAt(content, from - 1);
		for (let at = from; at < last; at++) {
			key = ((key << 5) ^ content[at]!) & 0x7fff;
			const bits = behind[key]!;
			if (bits !== 0 && ((bits >> (content[at + 1]! & 7)) & 1) === 1) return at;
		}
		return last;
	}

	/** @returns whether the search ends */
	#lookUp(key: number, content: Uint8Array, at: number, found: (literal: number, offset: number) => boolean | undefined): boolean {
		const entries = this.#entries[key] ?? [];
		for (let index = 0; index < entries.length; index++) {
			const entry = entries[index]!;
			const start = at - entry.anchor;
			if (start >= 0 && matches(content, start, entry) && found(entry.index, start) === true) return true;
		}
		return false;
	}
}

/** The key of the three bytes that end at a place. */
function keyAt(content: Uint8Array, at: number): number {
	let key = 0;
	for (let from = Math.max(0, at - 2); from <= at; from++) key = nextKey(key, content[from]!);
	return key;
}

/** The offset of the three neighbouring characters of a text that are rarest together, with a character after them. */
function rarestTriple(text: string): number {
	let rarest = 0;
	let most = 0;
	// With a new process this runs before its code is compiled: each pair is rated once.
	let first = text.length > 3 ? pairCost(text, 0) : 0;
	for (let at = 0; at + 3 < text.length; at++) {
		const second = pairCost(text, at + 1);
		if (first + second > most) {
			rarest = at;
			most = first + second;
		}
		first = second;
	}
	return rarest;
}

function variants(code: number, anyCase: boolean): number[] {
	return anyCase && isLetter(code) ? [code, code - 0x20] : [code];
}

function matches(content: Uint8Array, at: number, { bytes, anyCase }: Entry): boolean {
	if (at + bytes.length > content.length) return false;
	for (let offset = 0; offset < bytes.length; offset++) {
		const code = content[at + offset]!;
		const wanted = bytes[offset]!;
		if (code !== wanted && !(anyCase && isLetter(wanted) && code === wanted - 0x20)) return false;
	}
	return true;
}
