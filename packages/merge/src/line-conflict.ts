import { isBinary, sameBytes, toLatin1 } from "./bytes.ts";
import { align } from "./diff.ts";
import { Interner } from "./interner.ts";
import { type Hunk, hunks } from "./line-alignment.ts";

/**
 * Would git's own line merge report a conflict (git-merge-file(1))? It does if changes of both sides share or adjoin base lines and do
 * not give the same lines, for binary files, and for different contents that both sides added.
 *
 * @param base null: both sides added the path.
 */
export function hasLineConflict(base: Uint8Array | null, a: Uint8Array, b: Uint8Array): boolean {
	if (sameBytes(a, b)) return false;
	if (base === null || [base, a, b].some(isBinary)) return true;
	const interner = new Interner();
	const [inBase, inA, inB] = [base, a, b].map((content) => interner.ids(toLatin1(content).match(/[^\n]*\n|[^\n]+$/g) ?? [])) as [
		Int32Array,
		Int32Array,
		Int32Array,
	];
	const [hunksA, hunksB] = [hunks(align(inBase, inA), inA.length), hunks(align(inBase, inB), inB.length)];
	let [i, j] = [0, 0];
	while (i < hunksA.length && j < hunksB.length) {
		const [firstA, firstB] = [i, j];
		const start = Math.min(hunksA[i]!.start, hunksB[j]!.start);
		let end = start;
		for (;;) {
			if (i < hunksA.length && hunksA[i]!.start <= end) end = Math.max(end, hunksA[i++]!.end);
			else if (j < hunksB.length && hunksB[j]!.start <= end) end = Math.max(end, hunksB[j++]!.end);
			else break;
		}
		if (i === firstA || j === firstB) continue;
		const [linesA, linesB] = [replacement(inA, hunksA, firstA, i, start, end), replacement(inB, hunksB, firstB, j, start, end)];
		if (linesA.length !== linesB.length || linesA.some((line, index) => line !== linesB[index])) return true;
	}
	return false;
}

/** A side's lines in place of base [start, end). Outside its hunks they are the base's, one for one. */
function replacement(side: Int32Array, all: readonly Hunk[], first: number, past: number, start: number, end: number): Int32Array {
	const [head, tail] = [all[first]!, all[past - 1]!];
	return side.subarray(head.from - (head.start - start), tail.to + (end - tail.end));
}
