/** One literal that is looked for. */
export interface Literal {
	/** One character for each byte, at least two. Lower case where `anyCase`. */
	readonly text: string;
	readonly anyCase: boolean;
}

const isLetter = (code: number) => code >= 0x61 && code <= 0x7a;

interface Entry {
	readonly bytes: Uint8Array;
	readonly anyCase: boolean;
	readonly index: number;
}

/**
 * Finds many literals in one pass over the bytes. A table of the first two bytes rejects nearly every position, so the cost
 * hardly depends on the number of literals.
 */
export class LiteralFinder {
	readonly #mask = new Uint8Array(65_536);
	/** By a hash of the first three bytes: a literal of two bytes goes on with any. */
	readonly #third = new Uint8Array(65_536);
	readonly #entries = new Map<number, Entry[]>();

	constructor(literals: readonly Literal[]) {
		for (const [index, { text, anyCase }] of literals.entries()) {
			const bytes = Buffer.from(text, "latin1");
			if (bytes.length < 2) throw new RangeError(`the literal ${JSON.stringify(text)} is shorter than two bytes`);
			const [first, second] = [variants(bytes[0]!, anyCase), variants(bytes[1]!, anyCase)];
			for (const a of first)
				for (const b of second) {
					const key = (a << 8) | b;
					this.#mask[key] = 1;
					const thirds = bytes.length === 2 ? Array.from({ length: 256 }, (_, code) => code) : variants(bytes[2]!, anyCase);
					for (const third of thirds) this.#third[hashed(key, third)] = 1;
					const entries = this.#entries.get(key) ?? [];
					entries.push({ bytes, anyCase, index });
					this.#entries.set(key, entries);
				}
		}
	}

	/** Calls `found` with the index of the literal and the offset of each occurrence, in ascending order of the offsets. `found` ends the search with true. */
	search(content: Uint8Array, found: (literal: number, offset: number) => boolean | undefined): void {
		const mask = this.#mask;
		const thirds = this.#third;
		const last = content.length - 1;
		let key = content[0] ?? 0;
		for (let at = 0; at < last; at++) {
			key = ((key << 8) | content[at + 1]!) & 0xffff;
			if (mask[key] === 0 || thirds[hashed(key, at + 2 <= last ? content[at + 2]! : 0)] === 0) continue;
			const entries = this.#entries.get(key)!;
			for (let index = 0; index < entries.length; index++) {
				const entry = entries[index]!;
				if (matches(content, at, entry) && found(entry.index, at) === true) return;
			}
		}
	}
}

/** Two bytes and a third one, in 16 bits. */
function hashed(key: number, third: number): number {
	return (key ^ (third * 0x9e5)) & 0xffff;
}

function variants(code: number, anyCase: boolean): number[] {
	return anyCase && isLetter(code) ? [code, code - 0x20] : [code];
}

function matches(content: Uint8Array, at: number, { bytes, anyCase }: Entry): boolean {
	if (at + bytes.length > content.length) return false;
	for (let offset = 2; offset < bytes.length; offset++) {
		const code = content[at + offset]!;
		const wanted = bytes[offset]!;
		if (code !== wanted && !(anyCase && isLetter(wanted) && code === wanted - 0x20)) return false;
	}
	return true;
}
