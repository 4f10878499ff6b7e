import type { Oid } from "../process/repository.ts";

/** Room for thousands of files of a few KiB, in a process that stays small. */
const maxBytes = 32 * 1_048_576;
/** Larger blobs are not kept: git reads one again quickly, and each would displace many small ones. */
const maxContentBytes = 65_536;

/** Caches the small blobs that a merge reads or makes, so that later steps of the same cycle need not ask git for them again. */
export class KnownContents {
	readonly #contents = new Map<Oid, Buffer>();
	#bytes = 0;

	/** Keeps a content if there is room. The caller must not change it afterwards. */
	add(oid: Oid, content: Uint8Array): void {
		if (content.length > maxContentBytes || this.#bytes + content.length > maxBytes || this.#contents.has(oid)) return;
		this.#bytes += content.length;
		this.#contents.set(oid, Buffer.from(content.buffer, content.byteOffset, content.byteLength));
	}

	get(oid: Oid): Buffer | undefined {
		return this.#contents.get(oid);
	}

	/** Forgets all contents. */
	clear(): void {
		this.#contents.clear();
		this.#bytes = 0;
	}
}
