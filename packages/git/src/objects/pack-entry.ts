// The header of an entry in a pack (gitformat-pack(5)): a kind, the length before compression, and for a delta on an entry nearby the distance of that.

/** The kinds of whole objects. */
export const packTypes = { commit: 1, tree: 2, blob: 3, tag: 4 };
/** Kinds of deltas: on the entry at a distance, and on the object with an id. */
export const [offsetDelta, refDelta] = [6, 7];
/** Of kind, length and distance. */
export const maxHeaderBytes = 20;

export interface EntryHeader {
	readonly kind: number;
	/** Bytes of kind and length. */
	readonly length: number;
	/** The distance of the base, backwards; 0: it has none. */
	readonly distance: number;
	/** Bytes of the whole header. An id after it is not part of it. */
	readonly end: number;
}

/** Reads the header at an offset. */
export function headerAt(bytes: Buffer, at: number): EntryHeader {
	const kind = ((bytes[at] as number) >> 4) & 7;
	let end = at;
	while ((bytes[end++] as number) & 0x80);
	const length = end - at;
	if (kind !== offsetDelta) return { kind, length, distance: 0, end: length };
	let byte = bytes[end++] as number;
	let distance = byte & 0x7f;
	while (byte & 0x80) {
		byte = bytes[end++] as number;
		distance = (distance + 1) * 128 + (byte & 0x7f);
	}
	return { kind, length, distance, end: end - at };
}

/** Writes a kind, and a length before compression. @returns the offset after it */
export function writeLength(out: Buffer, start: number, kind: number, length: number): number {
	let at = start;
	let byte = (kind << 4) | (length & 15);
	for (let rest = Math.floor(length / 16); rest > 0; rest = Math.floor(rest / 128)) {
		out[at++] = byte | 0x80;
		byte = rest & 0x7f;
	}
	out[at++] = byte;
	return at;
}

/** Writes the distance to the base of a delta, backwards. @returns the offset after it */
export function writeDistance(out: Buffer, start: number, distance: number): number {
	let bytes = 1;
	for (let rest = Math.floor(distance / 128); rest > 0; rest = Math.floor(--rest / 128)) bytes++;
	let first = start + bytes - 1;
	out[first] = distance & 0x7f;
	for (let rest = Math.floor(distance / 128); rest > 0; rest = Math.floor(rest / 128)) out[--first] = 0x80 | (--rest & 0x7f);
	return start + bytes;
}
