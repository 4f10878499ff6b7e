import { slowLossWindowMs } from "@robust-sync/guard";
import type { MonotonicClock } from "@robust-sync/workspace";

/** How many files this process has committed as deleted within the last ten minutes: whether a look at the commits is worth its time. */
export class DeletionWindow {
	readonly #clock: MonotonicClock;
	readonly #startedAt: number;
	#deletions: { readonly at: number; readonly count: number }[] = [];

	constructor(clock: MonotonicClock) {
		this.#clock = clock;
		this.#startedAt = clock.now();
	}

	/** Counts the files that a commit deleted. */
	add(count: number): void {
		if (count > 0) this.#deletions.push({ at: this.#clock.now(), count });
	}

	/** How many there were; infinitely many as long as an earlier process may have deleted some. */
	get count(): number {
		const after = this.#clock.now() - slowLossWindowMs;
		this.#deletions = this.#deletions.filter(({ at }) => at > after);
		return this.#startedAt > after ? Number.POSITIVE_INFINITY : this.#deletions.reduce((sum, { count }) => sum + count, 0);
	}
}
