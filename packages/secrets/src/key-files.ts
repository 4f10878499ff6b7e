import { createHash, createPrivateKey, createPublicKey } from "node:crypto";
import type { Assigned } from "./assignments.ts";
import { isPatterned } from "./randomness.ts";

// Contents that are a private key as a whole, known by their structure: DER, PKCS #12, OpenPGP, and the key file of a wallet.

/** The characters of a value that are hashed. */
const longestValue = 4_000;

/** PrivateKeyInfo (RFC 5958) of RSA with 1,024 bits or more, of elliptic curves and of Ed25519; RSAPrivateKey (RFC 8017), ECPrivateKey (RFC 5915). */
const derKey =
	/^\x30(?:[\x20-\x7f]|\x81[\s\S]|\x82[\s\S]{2})\x02\x01(?:\x00(?:\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x04\x82[\x02-\xff]|\x30\x81?[\s\S]{1,2}\x06\x07\x2a\x86\x48\xce\x3d\x02\x01|\x30\x05\x06\x03\x2b\x65[\x6e-\x71]\x04|\x02\x81\x81\x00|\x02\x82[\x01-\x04][\x00\x01]\x00)|\x01\x04[\x1c-\x42])/;
/** PFX (RFC 7292) of version 3. */
const pfx = /^\x30(?:\x80|\x82[\s\S]{2}|\x83[\s\S]{3})\x02\x01\x03\x30/;
/** Its bags with a key, encrypted or not; certificates are in others. */
const keyBags = ["\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x01", "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02"];
/** A secret key packet of OpenPGP (RFC 9580): its head, version, time and algorithm. */
const openPgp =
	/^(?:\x94(?<one>[\s\S])|\x95(?<two>[\s\S]{2})|\xc5(?:(?<short>[\x00-\xbf])|(?<long>[\xc0-\xdf][\s\S])))[\x04-\x06][\s\S]{4}(?:[\x01-\x03\x10-\x1c])/;
/** The head of a user's id, a signature, or a subkey, which follow it. */
const openPgpNext = /^[\xb4\xb5\xcd\x88-\x8a\xc2\x9c-\x9e\xc7]/;

/** The length that the head of a value in DER states, with the head. Null: none. */
function derLength(text: string): number | null {
	const first = text.charCodeAt(1);
	if (first < 0x80) return 2 + first;
	const count = first & 0x7f;
	if (count === 0 || count > 3) return null;
	let length = 0;
	for (let at = 2; at < 2 + count; at++) length = length * 256 + text.charCodeAt(at);
	return 2 + count + length;
}

function isOpenPgpKey(text: string): boolean {
	const { one, two, short, long } = openPgp.exec(text)?.groups ?? {};
	const of = (bytes: string, at: number) => bytes.charCodeAt(at);
	let next = -1;
	if (one !== undefined) next = 2 + of(one, 0);
	else if (two !== undefined) next = 3 + of(two, 0) * 256 + of(two, 1);
	else if (short !== undefined) next = 2 + of(short, 0);
	else if (long !== undefined) next = 3 + (of(long, 0) - 192) * 256 + of(long, 1) + 192;
	return next > 30 && openPgpNext.test(text.slice(next, next + 1));
}

/** 64 numbers: an Ed25519 key and its public key, as wallets of Solana keep them. */
const byteList = /^\s{0,8}\[\s{0,8}(?:\d{1,3}\s{0,8},\s{0,8}){63}\d{1,3}\s{0,8}\]\s{0,8}$/;
const ed25519Head = Buffer.from("302e020100300506032b657004220420", "hex");

function isWallet(text: string): boolean {
	if (text.length > 1_400 || !byteList.test(text)) return false;
	const bytes = Buffer.from((text.match(/\d+/g) ?? []).map(Number));
	const key = createPrivateKey({ key: Buffer.concat([ed25519Head, bytes.subarray(0, 32)]), format: "der", type: "pkcs8" });
	const publicKey = createPublicKey(key).export({ format: "der", type: "spki" });
	return publicKey.subarray(-32).equals(bytes.subarray(32));
}

function isKeyFile(text: string): boolean {
	switch (text.charCodeAt(0)) {
		case 0x30:
			if (pfx.test(text)) return keyBags.some((bag) => text.includes(bag));
			return derLength(text) === text.length && derKey.test(text) && !isPatterned(text.slice(40, 200));
		case 0x94:
		case 0x95:
		case 0xc5:
			return isOpenPgpKey(text);
		case 0x09:
		case 0x0a:
		case 0x20:
		case 0x5b:
			return isWallet(text);
		default:
			return false;
	}
}

/** The whole of a content that is a private key. Null: it is none. */
export function keyFileOf(text: string): Assigned | null {
	return isKeyFile(text) ? { value: text.slice(0, longestValue), start: 0, end: Math.min(text.length, longestValue) } : null;
}

/** The characters of Base58, in their order. */
export const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

/** Whether it is a private key in the import format of Bitcoin's wallets, by its checksum. */
export function isImportFormat(value: string): boolean {
	let number = 0n;
	for (const character of value) number = number * 58n + BigInt(base58.indexOf(character));
	const bytes = Buffer.from(number.toString(16).padStart(2 * (value.startsWith("5") ? 37 : 38), "0"), "hex");
	return sha256(sha256(bytes.subarray(0, -4)))
		.subarray(0, 4)
		.equals(bytes.subarray(-4));
}
