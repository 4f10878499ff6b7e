import { commonEnd, commonStart } from "../common-ends.ts";
import type { Layout } from "./layout.ts";
import { NONE } from "./tree.ts";

/** The numbers of children at the start and at the end of two versions of a container that are identical, with all bytes around them. */
export interface Alike {
	readonly start: number;
	readonly end: number;
}

/** Compares two versions of a container as text: most of a large one is unchanged. */
export function alikeEnds(one: Layout, other: Layout): Alike {
	const [length, otherLength] = [one.kids.length, other.kids.length];
	const shorter = Math.min(length, otherLength);
	const [from, otherFrom] = [one.tree.start[one.node]!, other.tree.start[other.node]!];
	const [to, otherTo] = [one.tree.end[one.node]!, other.tree.end[other.node]!];
	const most = Math.min(to - from, otherTo - otherFrom);
	const pastStart = from + commonStart(one.tree.text, from, other.tree.text, otherFrom, most);
	const isAlikeAtStart = (i: number) => one.postEnd[i]! <= pastStart && one.postEnd[i]! - from === other.postEnd[i]! - otherFrom;
	let start = 0;
	while (start < shorter && isAlikeAtStart(start)) start++;
	const atEnd = to - commonEnd(one.tree.text, to, other.tree.text, otherTo, most);
	const isAlikeAtEnd = (back: number) => {
		const lead = one.leadStart[length - back]!;
		return lead >= atEnd && to - lead === otherTo - other.leadStart[otherLength - back]!;
	};
	let end = 0;
	while (end < shorter - start && isAlikeAtEnd(end + 1)) end++;
	return { start, end };
}

/** The position of child `i` of another version in a version of `length` children; NONE: unknown. */
export function twin(i: number, { start, end }: Alike, length: number, otherLength: number): number {
	return i < start ? i : i >= otherLength - end ? i - otherLength + length : NONE;
}
