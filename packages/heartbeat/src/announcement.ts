/** Milliseconds after the first announcement of a head at which it is repeated while it is not acknowledged. */
const repeatOffsetsMs = [200, 400, 800] as const;
/** Smallest gap between rounds of announcements: a burst of commits is one or two rounds, and a single one does not wait. */
export const burstGapMs = 25;

/** Announces one head to one peer: repeated until acknowledged, four times at most. */
export class Announcement {
	readonly head: string | null;
	readonly #startedAt: number;
	#sent = 0;

	/** @param now monotonic milliseconds */
	constructor(head: string | null, now: number) {
		this.head = head;
		this.#startedAt = now;
	}

	/** When the next repetition is due; Infinity after the last one. */
	get deadline(): number {
		const offset = repeatOffsetsMs[this.#sent];
		return offset === undefined ? Number.POSITIVE_INFINITY : this.#startedAt + offset;
	}

	/** Milliseconds since the first announcement. */
	age(now: number): number {
		return now - this.#startedAt;
	}

	/** Whether a repetition is due now. If so, counts it as sent. */
	isDue(now: number): boolean {
		if (now < this.deadline) return false;
		this.#sent++;
		return true;
	}
}
