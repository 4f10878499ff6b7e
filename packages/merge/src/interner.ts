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

	ids(values: readonly string[]): Int32Array {
		const ids = new Int32Array(values.length);
		for (let i = 0; i < values.length; i++) ids[i] = this.id(values[i]!);
		return ids;
	}
}
