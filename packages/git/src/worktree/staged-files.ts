import type { ObstacleError } from "../files/obstacle.ts";

/** A staged file; or why this one cannot be made here. */
export type Staged = string | ObstacleError;

/**
 * What is staged for each of a list of changes. Files are named by numbers, and their paths are made when they are asked for: a list of a
 * million takes 4 MB.
 */
export class StagedFiles {
	readonly #directory: string;
	/** By index of the change: the number of its file; -1: none. */
	readonly #numbers: Int32Array;
	/** What is no file of a number. */
	readonly #others = new Map<number, Staged>();

	/** @param directory of the files @param count of the changes */
	constructor(directory: string, count: number) {
		this.#directory = directory;
		this.#numbers = new Int32Array(count).fill(-1);
	}

	/** Of the change at an index; undefined: it has no file. */
	at(index: number): Staged | undefined {
		const other = this.#others.get(index);
		if (other !== undefined) return other;
		const number = this.#numbers[index] ?? -1;
		return number < 0 ? undefined : `${this.#directory}/${number}`;
	}

	/** @param staged the number of its file, or something else */
	set(index: number, staged: number | Staged): void {
		if (typeof staged === "number") this.#numbers[index] = staged;
		else this.#others.set(index, staged);
	}
}
