import { greatest, movedElements } from "./moves.ts";

/**
 * Does one side of a sequence already have all changes that another side made to the base: its additions, removals and order? Then
 * the merge of the two is that side, however their differences from the base would be aligned.
 *
 * @param whole the side that may contain the other's changes; all three as interned elements (small numbers).
 * @param toPart for each base element its counterpart in the part.
 */
export function absorbs(whole: Int32Array, part: Int32Array, base: Int32Array, toPart: Int32Array): boolean {
	const size = Math.max(greatest(whole), greatest(part), greatest(base)) + 1;
	const [inWhole, inPart, inBase] = [counts(whole, size), counts(part, size), counts(base, size)];
	for (let element = 0; element < size; element++) {
		const [before, there, has] = [inBase[element]!, inPart[element]!, inWhole[element]!];
		if ((there > before && has < there) || (there < before && has > there)) return false;
	}
	// The part moved this element, and the whole changed it: it is not at the part's place.
	for (const position of movedElements(base, part, toPart).keys()) if (inWhole[part[position]!] === 0) return false;
	// The order: common elements have the same order in both. Of elements that are less frequent in the whole, it is unknown which ones remain.
	let found = 0;
	for (let i = 0; i < part.length; i++) {
		const element = part[i]!;
		if (inWhole[element]! < inPart[element]!) continue;
		while (found < whole.length && whole[found] !== element) found++;
		if (found++ === whole.length) return false;
	}
	return true;
}

/** The frequency of each number below `size`. */
export function counts(elements: Int32Array, size: number): Int32Array {
	const found = new Int32Array(size);
	for (let i = 0; i < elements.length; i++) found[elements[i]!]!++;
	return found;
}
