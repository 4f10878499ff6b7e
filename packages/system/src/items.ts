/**
 * A list that is only read: an array, or one that makes each item when it is asked for ({@link MadeItems}), so that a million of them
 * need not be in memory.
 */
export interface Items<T> extends Iterable<T> {
	readonly length: number;
	at(index: number): T | undefined;
	entries(): IterableIterator<[number, T]>;
	some(test: (item: T) => boolean): boolean;
	every(test: (item: T) => boolean): boolean;
	/** A list of the same kind: of made items it holds their indexes only. */
	filter(test: (item: T, index: number) => boolean): Items<T>;
	/** An array of a part. */
	slice(start: number, end?: number): readonly T[];
	map<U>(make: (item: T, index: number) => U): U[];
	flatMap<U>(make: (item: T, index: number) => U | readonly U[]): U[];
}

/** Items that are made at each access. */
export class MadeItems<T> implements Items<T> {
	readonly length: number;
	readonly #make: (index: number) => T;

	/** @param make the item at an index from 0 to `length - 1`: an equal one each time */
	constructor(length: number, make: (index: number) => T) {
		this.length = length;
		this.#make = make;
	}

	at(index: number): T | undefined {
		const from = index < 0 ? this.length + index : index;
		return from >= 0 && from < this.length ? this.#make(from) : undefined;
	}

	*[Symbol.iterator](): IterableIterator<T> {
		for (let index = 0; index < this.length; index++) yield this.#make(index);
	}

	*entries(): IterableIterator<[number, T]> {
		for (let index = 0; index < this.length; index++) yield [index, this.#make(index)];
	}

	some(test: (item: T) => boolean): boolean {
		for (let index = 0; index < this.length; index++) if (test(this.#make(index))) return true;
		return false;
	}

	every(test: (item: T) => boolean): boolean {
		return !this.some((item) => !test(item));
	}

	filter(test: (item: T, index: number) => boolean): Items<T> {
		const chosen = new Column();
		for (let index = 0; index < this.length; index++) if (test(this.#make(index), index)) chosen.push(index);
		return this.select(chosen);
	}

	/** The items at some indexes, in that order. */
	select(indexes: Column): Items<T> {
		// Each index at most once and in order: then all of them are the whole list.
		if (indexes.length === this.length) return this;
		const at = indexes.numbers();
		return new MadeItems(at.length, (index) => this.#make(at[index] as number));
	}

	slice(start: number, end = this.length): readonly T[] {
		const part: T[] = [];
		for (let index = start; index < Math.min(end, this.length); index++) part.push(this.#make(index));
		return part;
	}

	map<U>(make: (item: T, index: number) => U): U[] {
		const made: U[] = [];
		for (let index = 0; index < this.length; index++) made.push(make(this.#make(index), index));
		return made;
	}

	flatMap<U>(make: (item: T, index: number) => U | readonly U[]): U[] {
		const made: U[] = [];
		for (let index = 0; index < this.length; index++) {
			const some = make(this.#make(index), index);
			if (Array.isArray(some)) for (const one of some) made.push(one);
			else made.push(some as U);
		}
		return made;
	}
}

/** What `make` makes of each item, at each access. */
export function viewOf<T, U>(items: Items<T>, make: (item: T) => U): MadeItems<U> {
	return new MadeItems(items.length, (index) => make(items.at(index) as T));
}

/** One list after the other, without a copy of any. */
export function joined<T>(...lists: readonly Items<T>[]): Items<T> {
	const parts = lists.filter(({ length }) => length > 0);
	if (parts.length <= 1) return parts[0] ?? [];
	/** Where each part ends. */
	const ends: number[] = [];
	for (const { length } of parts) ends.push((ends.at(-1) ?? 0) + length);
	return new MadeItems(ends.at(-1) as number, (index) => {
		let [low, high] = [0, ends.length - 1];
		while (low < high) {
			const middle = (low + high) >> 1;
			if (index < (ends[middle] as number)) high = middle;
			else low = middle + 1;
		}
		return parts[low]?.at(index - (ends[low - 1] ?? 0)) as T;
	});
}

/** A growing list of whole numbers from 0 to 4,294,967,295, at 4 bytes each. */
export class Column {
	#numbers = new Uint32Array(16);
	#length = 0;

	get length(): number {
		return this.#length;
	}

	push(number: number): void {
		if (this.#length === this.#numbers.length) {
			const larger = new Uint32Array(2 * this.#numbers.length);
			larger.set(this.#numbers);
			this.#numbers = larger;
		}
		this.#numbers[this.#length++] = number;
	}

	at(index: number): number {
		return this.#numbers[index] as number;
	}

	/** The numbers up to now, without a copy. */
	numbers(): Uint32Array {
		return this.#numbers.subarray(0, this.#length);
	}
}
