import { pairCost } from "./likelihood.ts";

/** One literal that is looked for. */
export interface Literal {
	/** One character for each byte, at least two. Lower case where `anyCase`. */
	readonly text: string;
	readonly anyCase: boolean;
}

const isLetter = (code: number) => code >= 0x61 && code <= 0x7a;

interface Entry {
	readonly bytes: Uint8Array;
	/** Where in it the two bytes are that it is found by. */
	readonly anchor: number;
	readonly anyCase: boolean;
	readonly index: number;
}

/**
 * Finds many literals in one pass over the bytes. Each is found by the two neighbouring bytes of it that are rarest in texts: a table of them
 * rejects nearly every position, so the cost hardly depends on the number of literals.
 */
export class LiteralFinder {
	readonly #isAnchor = new Uint8Array(65_536);
	readonly #entries: (Entry[] | undefined)[] = new Array<Entry[] | undefined>(65_536);

	constructor(literals: readonly Literal[]) {
		for (const [index, { text, anyCase }] of literals.entries()) {
			const bytes = Buffer.from(text, "latin1");
			if (bytes.length < 2) throw new RangeError(`the literal ${JSON.stringify(text)} is shorter than two bytes`);
			const anchor = rarestPair(text);
			for (const a of variants(bytes[anchor]!, anyCase))
				for (const b of variants(bytes[anchor + 1]!, anyCase)) {
					const key = (a << 8) | b;
					this.#isAnchor[key] = 1;
					const entries = this.#entries[key] ?? [];
					entries.push({ bytes, anchor, anyCase, index });
					this.#entries[key] = entries;
				}
		}
	}

	/**
	 * Calls `found` with the index of the literal and the offset of each occurrence, in ascending order of their anchors. `found` ends the search
	 * with true.
	 */
	search(content: Uint8Array, found: (literal: number, offset: number) => boolean | undefined): void {
		const isAnchor = this.#isAnchor;
		const last = content.length - 1;
		let key = content[0] ?? 0;
		for (let at = 0; at < last; at++) {
			key = ((key << 8) | content[at + 1]!) & 0xffff;
			if (isAnchor[key] === 1 && this.#lookUp(key, content, at, found)) return;
		}
	}

	/** @returns whether the search is to end */
	#lookUp(key: number, content: Uint8Array, at: number, found: (literal: number, offset: number) => boolean | undefined): boolean {
		const entries = this.#entries[key]!;
		for (let index = 0; index < entries.length; index++) {
			const entry = entries[index]!;
			const start = at - entry.anchor;
			if (start >= 0 && matches(content, start, entry) && found(entry.index, start) === true) return true;
		}
		return false;
	}
}

/** Where the two neighbouring characters of a text are that follow each other least often. */
function rarestPair(text: string): number {
	let rarest = 0;
	for (let at = 1; at + 1 < text.length; at++) if (pairCost(text, at) > pairCost(text, rarest)) rarest = at;
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
