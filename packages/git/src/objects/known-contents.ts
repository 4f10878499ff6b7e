import type { Oid } from "../process/repository.ts";

/** Many files of a few KiB each fit, and a process stays small. */
const maxBytes = 48 * 1_048_576;
/** A large content is soon read again by git, and would leave no room for many small ones. */
const maxContentBytes = 65_536;

/** Small blobs that one merge has read or made: whoever needs them next in the same work need not ask git again. */
export class KnownContents {
	readonly #contents = new Map<Oid, Buffer>();
	#bytes = 0;

	/** Keeps a content that nobody changes any more, while there is room for it. */
	add(oid: Oid, content: Uint8Array): void {
		if (content.length > maxContentBytes || this.#bytes + content.length > maxBytes || this.#contents.has(oid)) return;
		this.#bytes += content.length;
		this.#contents.set(oid, Buffer.from(content.buffer, content.byteOffset, content.byteLength));
	}

	get(oid: Oid): Buffer | undefined {
		return this.#contents.get(oid);
	}

	/** Forgets all of it. */
	clear(): void {
		this.#contents.clear();
		this.#bytes = 0;
	}
}
