import { expect } from "@jest/globals";
import { mergeContents } from "../merge.ts";

/** Small inputs of kinds that broke merges: `⏎` is a line end. */
export interface Row {
	readonly name: string;
	readonly path: string;
	/** Null: both sides added the file. */
	readonly base: string | null;
	readonly older: string;
	readonly later: string;
	readonly result: string;
	/** Is the older side saved? */
	readonly saved?: boolean;
	/** Is the later side saved? */
	readonly isLaterSaved?: boolean;
}

/** Merges a row in both directions, with both line ends, and once more with either side. */
export function checkRow({ path, base, older, later, result, saved, isLaterSaved }: Row): void {
	for (const end of ["\n", "\r\n"]) {
		const write = (text: string) => Buffer.from(text.replaceAll("⏎", end));
		const input = { path, base: base === null ? null : write(base), a: write(older), b: write(later), later: "b" as const };
		const merged = mergeContents(input);
		const swapped = mergeContents({ ...input, a: input.b, b: input.a, later: "a" });
		expect(Buffer.from(merged.content).toString()).toBe(write(result).toString());
		expect(Buffer.from(swapped.content)).toEqual(Buffer.from(merged.content));
		expect(merged.lost.a).toBe(saved === true);
		if (saved === true || isLaterSaved === true) expect(merged.lost.b).toBe(isLaterSaved === true);
	}
}
