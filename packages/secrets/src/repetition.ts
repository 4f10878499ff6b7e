/** Longest text that is repeated. */
const longestPeriod = 1_024;
/** Characters before and after a place that decide whether a secret begins there: several times the repeated text. */
const aroundBytes = 2_048;
/** Places between two looks for a repetition: an ordinary text of this size has few. */
const placesAtOnce = 64;
/** Two places with this many equal characters behind them may be a period apart. */
const sampleBytes = 48;
/** Characters between the place where a match was found and its literals. */
const matchReach = 256;

/**
 * The parts of a text that repeat what is before them. Where a rule found nothing, it finds nothing in a copy either: so a text of repeated
 * names, or repeated beginnings of tokens, costs hardly more than one period of it.
 */
export class Repetition {
	readonly #text: string;
	#places = 0;
	#period = 0;
	/** From here to there, each character equals the one a period before. */
	#from = 0;
	#to = 0;
	#matched = -matchReach;

	constructor(text: string) {
		this.#text = text;
	}

	/** Whether everything around a place is around an earlier place as well, which had no match. Places come in ascending order, more or less. */
	isCopy(offset: number): boolean {
		if (++this.#places % placesAtOnce === 0 && offset + aroundBytes > this.#to) this.#look(offset);
		return (
			this.#period > 0 &&
			offset + aroundBytes <= this.#to &&
			offset - aroundBytes >= this.#from &&
			offset - this.#period > this.#matched + matchReach
		);
	}

	/** A place with a match: its copies are searched. */
	noteMatch(offset: number): void {
		this.#matched = Math.max(this.#matched, offset);
	}

	/** Looks for a period that ends at a place. */
	#look(offset: number): void {
		const text = this.#text;
		const first = Math.max(0, offset - longestPeriod);
		const before = text.slice(first, offset + sampleBytes - 1).lastIndexOf(text.slice(offset, offset + sampleBytes));
		this.#period = before < 0 ? 0 : offset - first - before;
		if (this.#period === 0) return;
		const isSame = (at: number) => text.charCodeAt(at) === text.charCodeAt(at - this.#period);
		let from = offset;
		while (from > this.#period && from > offset - aroundBytes && isSame(from - 1)) from--;
		let to = offset;
		while (to < text.length && isSame(to)) to++;
		this.#from = from;
		this.#to = to;
	}
}
