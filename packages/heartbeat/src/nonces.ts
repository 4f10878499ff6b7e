import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import { nonceBytes } from "./wire-format.ts";

/** How long a nonce is valid: at least this, at most twice this. Many round trips, and still short for an attacker. */
const periodMs = 8_000;

/**
 * Nonces for challenges that need no memory, as TCP's SYN cookies (RFC 4987, section 3.6): recomputed when they come back.
 * The key is random for each process, so none outlives it.
 */
export class Nonces {
	readonly #key: KeyObject;

	/** @param secret at least 16 random bytes, of this process only */
	constructor(secret: Uint8Array) {
		this.#key = createSecretKey(secret);
	}

	/**
	 * The nonce of a challenge.
	 *
	 * @param subject everything that the nonce is bound to; any difference makes it void
	 * @param now monotonic milliseconds
	 */
	issue(subject: string, now: number): Buffer {
		return this.#at(subject, Math.floor(now / periodMs));
	}

	/** Whether `nonce` was issued for `subject` within the last 8 to 16 s. */
	verify(nonce: Uint8Array, subject: string, now: number): boolean {
		const period = Math.floor(now / periodMs);
		return timingSafeEqual(nonce, this.#at(subject, period)) || timingSafeEqual(nonce, this.#at(subject, period - 1));
	}

	#at(subject: string, period: number): Buffer {
		return createHmac("sha256", this.#key).update(`${period}\0${subject}`).digest().subarray(0, nonceBytes);
	}
}
