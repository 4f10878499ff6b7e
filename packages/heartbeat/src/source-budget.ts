/** Datagrams a second of one source that are checked and answered, and the size of a burst. */
const tokensPerSecond = 50;
export const burstTokens = 100;
/** How many sources are remembered, so that memory is bounded however many addresses send. */
export const maxSources = 1_024;

/** The token bucket of one source. */
export class TokenBucket {
	#tokens = burstTokens;
	#at = Number.NEGATIVE_INFINITY;

	/**
	 * Takes a token.
	 *
	 * @param now monotonic milliseconds
	 * @returns whether there was one
	 */
	take(now: number): boolean {
		this.#tokens = Math.min(burstTokens, this.#tokens + ((now - this.#at) * tokensPerSecond) / 1_000);
		this.#at = now;
		if (this.#tokens < 1) return false;
		this.#tokens -= 1;
		return true;
	}
}

/**
 * A token bucket for each source of datagrams, in bounded memory: the least recently seen source is forgotten first,
 * which can only give that source more than its budget, never another one less.
 */
export class SourceBudget {
	readonly #buckets = new Map<string, TokenBucket>();

	get size(): number {
		return this.#buckets.size;
	}

	/**
	 * Takes one token of `source`.
	 *
	 * @param source the key of the source: see {@link sourceOf}
	 * @param now monotonic milliseconds
	 * @returns whether there was one
	 */
	take(source: string, now: number): boolean {
		let bucket = this.#buckets.get(source);
		if (bucket) {
			// A Map keeps the order of insertion: the source that was used last moves to the end.
			this.#buckets.delete(source);
		} else {
			bucket = new TokenBucket();
			const oldest = this.#buckets.size >= maxSources ? this.#buckets.keys().next().value : undefined;
			if (oldest !== undefined) this.#buckets.delete(oldest);
		}
		this.#buckets.set(source, bucket);
		return bucket.take(now);
	}
}

/** The source of an address: an IPv4 address, or the /64 of an IPv6 address, which is what one customer gets. */
export function sourceOf(host: string): string {
	if (!host.includes(":")) return host;
	const [left = "", right] = host.replace(/%.*/, "").split("::");
	const groups = left === "" ? [] : left.split(":");
	if (right !== undefined) {
		const tail = right === "" ? 0 : right.split(":").length;
		while (groups.length + tail < 8) groups.push("0");
		groups.push(...right.split(":"));
	}
	return groups.slice(0, 4).join(":");
}
