const windowSize = 64;

/**
 * The sequences of one boot of a peer that were seen: the highest and the 63 below it (the sliding window of RFC 4303,
 * section 3.4.3, in two 32-bit words). Reordered datagrams pass once, repeated or older ones never.
 */
export class ReplayWindow {
	#highest = 0;
	/** Bit i: the sequence i below the highest was seen. */
	#low = 0;
	/** Bit i: the sequence 32 + i below the highest was seen. */
	#high = 0;

	/** The highest sequence accepted so far; 0 before the first. */
	get highest(): number {
		return this.#highest;
	}

	/** Records a sequence (≥ 1). Returns whether it is new. */
	accept(sequence: number): boolean {
		const ahead = sequence - this.#highest;
		if (ahead > 0) {
			this.#advance(ahead);
			this.#highest = sequence;
			this.#low |= 1;
			return true;
		}
		const behind = -ahead;
		if (behind >= windowSize) return false;
		const bit = 1 << (behind & 31);
		if (behind < 32) {
			if ((this.#low & bit) !== 0) return false;
			this.#low |= bit;
		} else {
			if ((this.#high & bit) !== 0) return false;
			this.#high |= bit;
		}
		return true;
	}

	#advance(by: number): void {
		if (by >= windowSize) {
			this.#low = 0;
			this.#high = 0;
		} else if (by >= 32) {
			this.#high = by === 32 ? this.#low : this.#low << (by - 32);
			this.#low = 0;
		} else {
			this.#high = (this.#high << by) | (this.#low >>> (32 - by));
			this.#low <<= by;
		}
	}
}
