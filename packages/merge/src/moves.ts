import { UNMATCHED } from "./diff.ts";

/**
 * A side's moves: elements that are once in the base and once in the side, at different places. For a diff these are a removal and
 * an addition, and a merge by that diff would bring back elements that the other side removed or changed.
 *
 * @param base the elements as small numbers, zero or more; so those of the side.
 * @param match for each base element its counterpart in the side.
 * @returns the base position of each moved element, by its position in the side.
 */
export function movedElements(base: Int32Array, side: Int32Array, match: Int32Array): Map<number, number> {
	const moved = new Map<number, number>();
	if (!match.includes(UNMATCHED)) return moved;
	const size = Math.max(greatest(base), greatest(side)) + 1;
	const [inBase, inSide] = [onlyPositions(base, size), onlyPositions(side, size)];
	for (let i = 0; i < base.length; i++) {
		if (match[i] !== UNMATCHED || inBase[base[i]!] !== i) continue;
		const j = inSide[base[i]!]!;
		if (j >= 0) moved.set(j, i);
	}
	return moved;
}

/** The greatest number of a sequence; -1 if it is empty. */
export function greatest(elements: Int32Array): number {
	let most = -1;
	for (let i = 0; i < elements.length; i++) if (elements[i]! > most) most = elements[i]!;
	return most;
}

const ABSENT = -1;
const REPEATED = -2;

/** The position of each number below `size`. */
function onlyPositions(elements: Int32Array, size: number): Int32Array {
	const positions = new Int32Array(size).fill(ABSENT);
	for (let i = 0; i < elements.length; i++) positions[elements[i]!] = positions[elements[i]!] === ABSENT ? i : REPEATED;
	return positions;
}
