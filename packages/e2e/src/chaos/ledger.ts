/**
 * What the writers did and what must have become of it, recorded when each write was acknowledged (the system call
 * returned). The checker knows nothing else; it shares no code with the product.
 */
export class Ledger {
	/** Lines appended to files that all nodes append to: each must be there once. */
	readonly lines = new Map<string, string[]>();
	/** Keys set in JSON objects that all nodes rewrite whole: each must be there with its value. */
	readonly keys = new Map<string, Map<string, number>>();
	/** Files of which one node is the only writer: the last content, or null when it deleted the file. */
	readonly owned = new Map<string, Buffer | null>();
	/** Paths that all nodes rewrite: each node's contents. What was overwritten by another node must be findable. */
	readonly contested = new Map<string, Map<string, string[]>>();
	/** Messages put into outboxes: each must be delivered once, by its node. */
	readonly messages: { readonly node: string; readonly body: string }[] = [];

	line(file: string, text: string): void {
		this.lines.set(file, [...(this.lines.get(file) ?? []), text]);
	}

	key(file: string, key: string, value: number): void {
		const keys = this.keys.get(file) ?? new Map<string, number>();
		keys.set(key, value);
		this.keys.set(file, keys);
	}

	contest(file: string, node: string, content: string): void {
		const byNode = this.contested.get(file) ?? new Map<string, string[]>();
		byNode.set(node, [...(byNode.get(node) ?? []), content]);
		this.contested.set(file, byNode);
	}

	get size(): number {
		const sum = (counts: Iterable<number>) => [...counts].reduce((total, count) => total + count, 0);
		return (
			sum([...this.lines.values()].map((list) => list.length)) +
			sum([...this.keys.values()].map((map) => map.size)) +
			sum([...this.contested.values()].flatMap((byNode) => [...byNode.values()].map((list) => list.length))) +
			this.owned.size +
			this.messages.length
		);
	}
}
