/** Strings and their numbers. */
export interface Numbered {
	readonly values: readonly string[];
	readonly ids: Int32Array;
}

/** Gives equal strings equal small numbers, so that sequences are compared as integers. */
export class Interner {
	readonly #ids = new Map<string, number>();

	id(value: string): number {
		let id = this.#ids.get(value);
		if (id === undefined) {
			id = this.#ids.size;
			this.#ids.set(value, id);
		}
		return id;
	}

	/** @param like a version that has its numbers: what starts and ends as it does is compared with it, which is quicker than to look it up. */
	ids(values: readonly string[], like?: Numbered): Int32Array {
		const ids = new Int32Array(values.length);
		let [from, to] = [0, values.length];
		if (like !== undefined) {
			const shorter = Math.min(values.length, like.values.length);
			for (; from < shorter && values[from] === like.values[from]; from++) ids[from] = like.ids[from]!;
			const shift = like.values.length - values.length;
			for (; to > from && to + shift > from && values[to - 1] === like.values[to - 1 + shift]; to--)
				ids[to - 1] = like.ids[to - 1 + shift]!;
		}
		for (let i = from; i < to; i++) ids[i] = this.id(values[i]!);
		return ids;
	}
}
