import type { ObstacleError } from "../files/obstacle.ts";

/** The path of a staged file, or the reason why it cannot be staged. */
export type Staged = string | ObstacleError;

/**
 * The staged file of each change in a list. Stores a number for each file and makes its path on request: a million changes take 4 MB.
 */
export class StagedFiles {
	readonly #directory: string;
	/** By index of the change: the number of its file; -1: none. */
	readonly #numbers: Int32Array;
	/** Entries that are not numbered files, by index of the change. */
	readonly #others = new Map<number, Staged>();

	/** @param directory of the files @param count number of changes */
	constructor(directory: string, count: number) {
		this.#directory = directory;
		this.#numbers = new Int32Array(count).fill(-1);
	}

	/** The entry of the change at an index; undefined: nothing is staged for it. */
	at(index: number): Staged | undefined {
		const other = this.#others.get(index);
		if (other !== undefined) return other;
		const number = this.#numbers[index] ?? -1;
		return number < 0 ? undefined : `${this.#directory}/${number}`;
	}

	/** @param staged the number of its file, a path, or an obstacle */
	set(index: number, staged: number | Staged): void {
		if (typeof staged === "number") this.#numbers[index] = staged;
		else this.#others.set(index, staged);
	}
}
