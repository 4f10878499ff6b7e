import { createHash } from "node:crypto";
import { expect, test } from "@jest/globals";
import { CleanBlobs } from "./clean-blobs.ts";

// As git's ids are: spread evenly. The set takes minutes for ids that are counted up.
const oid = (number: number) => createHash("sha1").update(String(number)).digest("hex");

test("clean blobs: ids and other keys → only those added are known, until cleared", () => {
	const clean = new CleanBlobs();
	const keys = [oid(1), oid(2), `${oid(3)} a.md`, `sha256:${oid(4)}`];
	for (const key of keys) clean.add(key);
	expect(keys.every((key) => clean.has(key))).toBe(true);
	expect([oid(3), oid(4), `${oid(1)} a.md`, "f".repeat(64)].filter((key) => clean.has(key))).toEqual([]);
	clean.clear();
	expect(keys.filter((key) => clean.has(key))).toEqual([]);
});

test("clean blobs: trimmed → few ids stay, very many are forgotten", () => {
	const clean = new CleanBlobs();
	for (let number = 0; number < 200_000; number++) clean.add(oid(number));
	clean.trim();
	expect(clean.has(oid(7))).toBe(true);
	clean.add(oid(200_000));
	clean.trim();
	expect(clean.has(oid(7))).toBe(false);
});
