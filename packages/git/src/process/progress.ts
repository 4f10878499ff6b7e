/** How far a piece of long work is. */
export interface Progress {
	/** What is done, for people: `adding files`. */
	readonly what: string;
	readonly done: number;
	/** null: not known. */
	readonly total: number | null;
	/** What is counted: `bytes`, or a noun in the plural. */
	readonly unit: string;
}

/** Called for each item of work, so it must cost next to nothing; with null when that work is over. Never throws. */
export type OnProgress = (progress: Progress | null) => void;

/** Discards progress: for callers that do not show it. */
export const ignoreProgress: OnProgress = () => undefined;

/** Counts the items of one piece of work. */
export class WorkCounter {
	readonly #report: OnProgress;
	readonly #what: string;
	readonly #total: number;
	readonly #unit: string;
	#done = 0;

	constructor(report: OnProgress, what: string, total: number, unit = "files") {
		this.#report = report;
		this.#what = what;
		this.#total = total;
		this.#unit = unit;
	}

	/** One more item. */
	add(): void {
		this.upTo(this.#done + 1);
	}

	/** How many items are done by now. */
	upTo(done: number): void {
		this.#done = done;
		this.#report({ what: this.#what, done: this.#done, total: this.#total, unit: this.#unit });
	}

	/** The work is over. Where nothing was counted, nothing is reported. */
	end(): void {
		if (this.#done > 0) this.#report(null);
	}
}
