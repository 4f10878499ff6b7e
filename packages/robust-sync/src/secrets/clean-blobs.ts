import { type Oid, OidSet } from "@robust-sync/git";

/** Above these numbers, blobs are forgotten, and searched again when they reappear. A first snapshot may have a million. */
const maxOids = 2_000_000;
const maxOthers = 200_000;
/** Above this number, they are forgotten after a search of commits. */
const keptOids = 200_000;

/** Keys of blobs that were searched without a finding: ids of git's, kept as bytes, and others. */
export class CleanBlobs {
	#oids: OidSet | null = null;
	readonly #others = new Set<string>();

	has(key: string): boolean {
		return isOid(key) ? (this.#oids?.has(key) ?? false) : this.#others.has(key);
	}

	add(key: string): void {
		if (!isOid(key)) {
			if (this.#others.size >= maxOthers) this.#others.clear();
			this.#others.add(key);
			return;
		}
		if (this.#oids === null || this.#oids.size >= maxOids) this.#oids = new OidSet(key.length / 2);
		this.#oids.add(key);
	}

	/** Forgets very many: the commits that have them are searched. */
	trim(): void {
		if ((this.#oids?.size ?? 0) > keptOids) this.#oids = null;
	}

	clear(): void {
		this.#oids = null;
		this.#others.clear();
	}
}

function isOid(key: string): key is Oid {
	return (key.length === 40 || key.length === 64) && /^[0-9a-f]+$/.test(key);
}
