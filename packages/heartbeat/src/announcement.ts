/** When a head that nobody acknowledged is told again, milliseconds after the first time. */
const repeatOffsetsMs = [200, 400, 800] as const;
/** Rounds of announcements keep at least this distance: a burst of commits is one or two rounds, and a single one does not wait. */
export const burstGapMs = 25;

/** What one peer has to be told of one head: told until acknowledged, four times at most. */
export class Announcement {
	readonly head: string | null;
	readonly #startedAt: number;
	#told = 0;

	/** @param now monotonic milliseconds */
	constructor(head: string | null, now: number) {
		this.head = head;
		this.#startedAt = now;
	}

	/** When it is to be told again; Infinity when that was often enough. */
	get deadline(): number {
		const offset = repeatOffsetsMs[this.#told];
		return offset === undefined ? Number.POSITIVE_INFINITY : this.#startedAt + offset;
	}

	/** How long ago it was told first, milliseconds. */
	age(now: number): number {
		return now - this.#startedAt;
	}

	/** Whether it is to be told again now. */
	isDue(now: number): boolean {
		if (now < this.deadline) return false;
		this.#told++;
		return true;
	}
}
