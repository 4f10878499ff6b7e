/** One acknowledged write. */
export interface Written {
	readonly node: string;
	readonly text: string;
	/** Milliseconds since the start of the run. */
	readonly atMs: number;
	/** The content that the writer read at this path just before: it knowingly overwrote that. */
	readonly saw?: string | null;
}

/**
 * What the writers did and what must have become of it, recorded when each write was acknowledged (the system call
 * returned). The checker knows nothing else; it shares no code with the product.
 */
export class Ledger {
	readonly #now: () => number;
	/** Lines appended to files that all nodes append to: each must be there once. */
	readonly lines = new Map<string, Written[]>();
	/** Lines whose append failed half-way: they may be there, or a part of them. */
	readonly halfLines: string[] = [];
	/** Keys of one node in JSON objects that all nodes rewrite whole: each must be there with its value. */
	readonly keys = new Map<string, Map<string, { readonly value: number; readonly write: Written }>>();
	/** Keys that all nodes set: the value must be one of these. */
	readonly sharedKeys = new Map<string, Map<string, number[]>>();
	/** Files of which one node is the only writer: the last content, or null when it deleted the file. */
	readonly owned = new Map<string, { readonly content: Buffer | null; readonly write: Written }>();
	/** Paths that several nodes rewrite. A content must be there, or overwritten by one that saw it, or findable. */
	readonly contested = new Map<string, Written[]>();
	/** Messages put into outboxes: each must be delivered once, by its node. */
	readonly messages: Written[] = [];
	/** Content of a file that is always JSON, which a program could not parse. */
	readonly unreadables: { readonly file: string; readonly write: Written }[] = [];
	#size = 0;

	/** @param now milliseconds since the start of the run */
	constructor(now: () => number) {
		this.#now = now;
	}

	#written(node: string, text: string, saw?: string | null): Written {
		this.#size++;
		return { node, text, atMs: Math.round(this.#now()), ...(saw === undefined ? {} : { saw }) };
	}

	line(file: string, node: string, text: string): void {
		const lines = this.lines.get(file) ?? [];
		lines.push(this.#written(node, text));
		this.lines.set(file, lines);
	}

	key(file: string, node: string, key: string, value: number): void {
		const keys = this.keys.get(file) ?? new Map<string, { value: number; write: Written }>();
		keys.set(key, { value, write: this.#written(node, key) });
		this.keys.set(file, keys);
	}

	/** Before it is written: it may be there although the write was never acknowledged. */
	sharedKey(file: string, key: string, value: number): void {
		const keys = this.sharedKeys.get(file) ?? new Map<string, number[]>();
		keys.set(key, [...(keys.get(key) ?? []), value]);
		this.sharedKeys.set(file, keys);
	}

	own(file: string, node: string, content: Buffer | null): void {
		this.owned.set(file, { content, write: this.#written(node, file) });
	}

	/** A write of it failed: any content is right. */
	forget(file: string): void {
		this.owned.delete(file);
	}

	contest(file: string, node: string, text: string, saw: string | null): void {
		const writes = this.contested.get(file) ?? [];
		writes.push(this.#written(node, text, saw));
		this.contested.set(file, writes);
	}

	message(node: string, body: string): void {
		this.messages.push(this.#written(node, body));
	}

	unreadable(file: string, node: string, text: string): void {
		this.unreadables.push({ file, write: { node, text: text.slice(0, 80), atMs: Math.round(this.#now()) } });
	}

	/** Acknowledged writes so far. */
	get size(): number {
		return this.#size;
	}
}
