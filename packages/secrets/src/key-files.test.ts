import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { SecretFinder } from "./finder.ts";

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "key-files-"));
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

const finder = new SecretFinder();
const rulesIn = (content: Buffer) => finder.matches(content).map(({ rule }) => rule);
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const curve = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const edwards = generateKeyPairSync("ed25519");
const raw = (part: "d" | "x") => Buffer.from(edwards.privateKey.export({ format: "jwk" })[part] ?? "", "base64url");
const wallet = (secret: Buffer, open: Buffer) => Buffer.from(JSON.stringify([...secret, ...open]));

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

describe("key files", () => {
	test.each<[string, Buffer]>([
		["RSA, PKCS #8", rsa.privateKey.export({ format: "der", type: "pkcs8" })],
		["RSA, PKCS #1", rsa.privateKey.export({ format: "der", type: "pkcs1" })],
		["a curve, PKCS #8", curve.privateKey.export({ format: "der", type: "pkcs8" })],
		["a curve, SEC 1", curve.privateKey.export({ format: "der", type: "sec1" })],
		["Ed25519", edwards.privateKey.export({ format: "der", type: "pkcs8" })],
		["a wallet", wallet(raw("d"), raw("x"))],
	])("%s → found, and bare base64 of it", (name, key) => {
		expect(rulesIn(key)).toEqual(["private-key"]);
		if (name !== "a wallet") expect(rulesIn(Buffer.from(`key ${key.toString("base64")}\n`))).toEqual(["private-key"]);
	});

	test.each<[string, Buffer]>([
		["a public key", rsa.publicKey.export({ format: "der", type: "spki" })],
		["a public key of a curve", curve.publicKey.export({ format: "der", type: "spki" })],
		["a key that is cut off", rsa.privateKey.export({ format: "der", type: "pkcs8" }).subarray(0, 900)],
		["64 numbers", wallet(raw("x"), raw("d"))],
		["bytes that begin like a key of OpenPGP", Buffer.from([0x95, 1, 0x10, 4, 1, 2, 3, 4, 1, ...Buffer.alloc(400, 7)])],
	])("%s → not found", (_name, content) => {
		expect(rulesIn(content)).toEqual([]);
	});

	test("PKCS #12 of openssl: with a key → found; with certificates only → not found", () => {
		const [key, store, certificate, trust] = ["a.pem", "a.p12", "b.pem", "b.p12"].map((name) => path.join(directory, name)) as [
			string,
			string,
			string,
			string,
		];
		fs.writeFileSync(key, rsa.privateKey.export({ format: "pem", type: "pkcs8" }));
		const run = (...parts: string[]) => execFileSync("openssl", parts, { timeout: 30_000, stdio: "ignore" });
		run("pkcs12", "-export", "-nocerts", "-inkey", key, "-passout", "pass:x", "-out", store);
		run("req", "-x509", "-key", key, "-subj", "/CN=a", "-out", certificate);
		run("pkcs12", "-export", "-nokeys", "-in", certificate, "-passout", "pass:x", "-out", trust);
		expect(rulesIn(fs.readFileSync(store))).toEqual(["private-key"]);
		expect(rulesIn(fs.readFileSync(trust))).toEqual([]);
	});

	test("a secret key of OpenPGP: binary, before a user → found", () => {
		// The head of a packet of 88 bytes, version 4, Ed25519; then the head of a user's id.
		const key = Buffer.concat([
			Buffer.from([0x94, 0x58, 4, 1, 2, 3, 4, 22]),
			Buffer.alloc(82, 0x5c),
			Buffer.from([0xb4, 3]),
			Buffer.from("a@b"),
		]);
		expect(rulesIn(key)).toEqual(["private-key"]);
	});

	test("the import format of a wallet: a checksum that is right → found; wrong → not", () => {
		// The key whose number is 1, compressed: published, so its checksum is known.
		const known = "KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn";
		expect(rulesIn(Buffer.from(`key ${known}\n`))).toEqual(["bitcoin-key"]);
		const other = known.replace(/.$/, (last) => base58[(base58.indexOf(last) + 1) % 58] ?? "");
		expect(rulesIn(Buffer.from(`key ${other}\n`))).toEqual([]);
	});
});
