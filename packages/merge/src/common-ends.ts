/** Characters compared at once. */
const BLOCK = 256;

/** The number of equal characters of two texts after these positions; `most` at most. */
export function commonStart(a: string, fromA: number, b: string, fromB: number, most: number): number {
	let length = 0;
	while (length + BLOCK <= most && a.slice(fromA + length, fromA + length + BLOCK) === b.slice(fromB + length, fromB + length + BLOCK))
		length += BLOCK;
	while (length < most && a.charCodeAt(fromA + length) === b.charCodeAt(fromB + length)) length++;
	return length;
}

/** The number of equal characters of two texts before these positions; `most` at most. */
export function commonEnd(a: string, toA: number, b: string, toB: number, most: number): number {
	let length = 0;
	while (length + BLOCK <= most && a.slice(toA - length - BLOCK, toA - length) === b.slice(toB - length - BLOCK, toB - length))
		length += BLOCK;
	while (length < most && a.charCodeAt(toA - length - 1) === b.charCodeAt(toB - length - 1)) length++;
	return length;
}
