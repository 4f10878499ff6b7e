import { UNMATCHED } from "./diff.ts";

/**
 * What a side moved: elements that are once in the base and once in the side, but not in the same place. To a diff these are a removal here and
 * an addition there, and a merge that believed it would bring back what the other side removed or changed.
 *
 * @param match for each base element its counterpart in the side.
 * @returns the base position of each moved element, by its position in the side.
 */
export function movedElements(base: Int32Array, side: Int32Array, match: Int32Array): Map<number, number> {
	if (!match.includes(UNMATCHED)) return new Map();
	const [inBase, inSide] = [onlyPositions(base), onlyPositions(side)];
	const moved = new Map<number, number>();
	for (let i = 0; i < base.length; i++) {
		if (match[i] !== UNMATCHED || inBase.get(base[i]!) !== i) continue;
		const j = inSide.get(base[i]!);
		if (j !== undefined && j !== REPEATED) moved.set(j, i);
	}
	return moved;
}

const REPEATED = -2;

function onlyPositions(elements: Int32Array): Map<number, number> {
	const positions = new Map<number, number>();
	for (let i = 0; i < elements.length; i++) positions.set(elements[i]!, positions.has(elements[i]!) ? REPEATED : i);
	return positions;
}
