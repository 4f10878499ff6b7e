import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import { authenticatorBytes, isAuthenticated } from "./wire-format.ts";

/**
 * The shared secrets: HMAC-SHA-256 (RFC 2104) over the whole datagram. During a key change there are two; each peer is
 * sent datagrams signed with the one that it understands.
 */
export class Keyring {
	readonly #keys: readonly KeyObject[];
	/** Reused for every digest: a buffer for each would be memory outside of V8's heap. */
	readonly #digest = Buffer.alloc(authenticatorBytes);

	/** @param secrets newest first, two at most; none: datagrams are neither signed nor verified */
	constructor(secrets: readonly string[]) {
		this.#keys = secrets.map((secret) => createSecretKey(secret, "utf8"));
	}

	/** Whether datagrams are authenticated. */
	get authenticates(): boolean {
		return this.#keys.length > 0;
	}

	/** How many keys there are. */
	get size(): number {
		return this.#keys.length;
	}

	/**
	 * Puts the authenticator into the last 32 bytes of a datagram that was encoded with room for it.
	 *
	 * @param key 0: the newest; an index that does not exist counts as the newest
	 */
	sign(datagram: Buffer, key = 0): void {
		const secret = this.#keys[key] ?? this.#keys[0];
		if (!secret) return;
		const end = datagram.length - authenticatorBytes;
		this.#authenticator(secret, datagram.subarray(0, end)).copy(datagram, end);
	}

	/**
	 * The index of the key that signed a decoded datagram, or -1. Without keys: 0 if it is
	 * unauthenticated, since an authenticator that we cannot check is no better than a wrong one.
	 */
	verify(datagram: Buffer): number {
		if (isAuthenticated(datagram) !== this.authenticates) return -1;
		if (!this.authenticates) return 0;
		const end = datagram.length - authenticatorBytes;
		const body = datagram.subarray(0, end);
		const given = datagram.subarray(end);
		return this.#keys.findIndex((key) => timingSafeEqual(this.#authenticator(key, body), given));
	}

	/** Valid until the next call. */
	#authenticator(key: KeyObject, message: Buffer): Buffer {
		this.#digest.write(createHmac("sha256", key).update(message).digest("binary"), "latin1");
		return this.#digest;
	}
}
