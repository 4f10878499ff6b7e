import { greatest, movedElements } from "./moves.ts";

/**
 * Does one side of a sequence already have everything that another side did to the base: its additions, its removals, and its order? Then
 * merging the two gives that side, however their differences from the base would be lined up.
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
	// What the part moved and the whole changed is not where the part has it.
	for (const position of movedElements(base, part, toPart).keys()) if (inWhole[part[position]!] === 0) return false;
	// Its order: what both have stands in the whole as it stands in the part. Of what the whole has less often nobody can say which are left.
	let found = 0;
	for (let i = 0; i < part.length; i++) {
		const element = part[i]!;
		if (inWhole[element]! < inPart[element]!) continue;
		while (found < whole.length && whole[found] !== element) found++;
		if (found++ === whole.length) return false;
	}
	return true;
}

/** How often each number below `size` is there. */
export function counts(elements: Int32Array, size: number): Int32Array {
	const found = new Int32Array(size);
	for (let i = 0; i < elements.length; i++) found[elements[i]!]!++;
	return found;
}
