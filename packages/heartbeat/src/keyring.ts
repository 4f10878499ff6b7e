import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import { authenticatorBytes, isAuthenticated } from "./wire-format.ts";

/**
 * The shared secrets: HMAC-SHA-256 (RFC 2104) over the whole datagram. The first key signs; all of them verify, so
 * that a key can be changed without a moment in which nodes do not understand each other.
 */
export class Keyring {
	readonly #keys: readonly KeyObject[];

	/** @param secrets newest first; none: datagrams are neither signed nor verified */
	constructor(secrets: readonly string[]) {
		this.#keys = secrets.map((secret) => createSecretKey(Buffer.from(secret, "utf8")));
	}

	/** Whether datagrams are authenticated. */
	get authenticates(): boolean {
		return this.#keys.length > 0;
	}

	/** Puts the authenticator into the last 32 bytes of a datagram that was encoded with room for it. */
	sign(datagram: Buffer): void {
		const key = this.#keys[0];
		if (!key) return;
		const end = datagram.length - authenticatorBytes;
		createHmac("sha256", key).update(datagram.subarray(0, end)).digest().copy(datagram, end);
	}

	/**
	 * Whether a decoded datagram is by somebody who has one of the keys. Without keys: whether it is unauthenticated,
	 * since an authenticator that we cannot check is no better than a wrong one.
	 */
	verify(datagram: Buffer): boolean {
		if (!this.authenticates) return !isAuthenticated(datagram);
		if (!isAuthenticated(datagram)) return false;
		const end = datagram.length - authenticatorBytes;
		const body = datagram.subarray(0, end);
		const given = datagram.subarray(end);
		return this.#keys.some((key) => timingSafeEqual(createHmac("sha256", key).update(body).digest(), given));
	}
}
