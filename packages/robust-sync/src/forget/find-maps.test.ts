import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { findMaps, type KnownMaps } from "./find-maps.ts";
import { mapFile, mapText, signMap } from "./forget-map.ts";
import { rewriteRefs } from "./rewrite-refs.ts";

let scratch: Scratch;
beforeAll(() => {
	scratch = new Scratch("find-maps");
});
afterAll(() => scratch.remove());

const key = "0123456789abcdef-key";
const oid = (digit: string, number = 0) => number.toString(16).padStart(40, digit);
const mapOf = (id: string, blobs: Record<string, string>, by: string) =>
	signMap(
		{ schema: 1, id, created_at: "2026-11-29T10:00:00Z", node: "helios", from: oid("a"), to: oid("b"), blobs, commits: {}, paths: [] },
		by,
	);

test("maps: large ones without the key → not all read; the signed one found", async () => {
	scratch.init("large");
	const large = Object.fromEntries(Array.from({ length: 24_000 }, (_, number) => [oid("c", number), oid("d")]));
	for (const number of [1, 2, 3, 4, 5, 6]) {
		const id = `00000000000${number}`;
		scratch.write(`large/${mapFile(id)}`, mapText(mapOf(id, large, "another-key-of-16-chars")));
	}
	const signed = mapOf("ffffffffffff", { [oid("a")]: oid("b") }, key);
	scratch.write(`large/${mapFile(signed.id)}`, mapText(signed));
	const commit = scratch.commitAll("large", "maps");
	const repository = await scratch.open("large");
	const known: KnownMaps = new Map();
	const found = await findMaps(repository, [commit], [key], known);
	expect(found.maps).toEqual([signed]);
	expect(found.refused.map(({ reason }) => reason.includes("not read"))).toEqual([false, false, true, true, true, true]);
	// Too many objects to remember.
	expect(found.refused.some(({ replaces }) => replaces !== undefined)).toBe(false);
	expect([...known.values()].filter(({ kind }) => kind === "map")).toHaveLength(1);
	expect((await findMaps(repository, [commit], [key], known)).maps[0]).toBe(found.maps[0]);
	expect((await findMaps(repository, [commit], ["another-key-of-16-chars"], known)).maps.length).toBeGreaterThan(1);
});

test("maps: 1,500 files that are none → the signed one after them found", async () => {
	scratch.init("many");
	for (let number = 0; number < 1_500; number++) scratch.write(`many/${mapFile(number.toString(16).padStart(12, "0"))}`, "{}");
	const signed = mapOf("ffffffffffff", { [oid("a")]: oid("b") }, key);
	scratch.write(`many/${mapFile(signed.id)}`, mapText(signed));
	const commit = scratch.commitAll("many", "maps");
	const { maps, refused } = await findMaps(await scratch.open("many"), [commit], [key]);
	expect([maps, refused.length]).toEqual([[signed], 1_500]);
	expect(refused.some(({ replaces }) => replaces !== undefined)).toBe(false);
});

test("maps: one of another key → refused, with the objects that it would replace", async () => {
	scratch.init("other");
	const other = mapOf("ffffffffffff", { [oid("c")]: oid("d") }, "another-key-of-16-chars");
	scratch.write(`other/${mapFile(other.id)}`, mapText(other));
	const commit = scratch.commitAll("other", "maps");
	const repository = await scratch.open("other");
	const known: KnownMaps = new Map();
	const path = mapFile(other.id);
	for (const _call of ["read", "remembered"])
		expect((await findMaps(repository, [commit], [key], known)).refused).toMatchObject([{ path, replaces: [oid("a"), oid("c")] }]);
	expect((await findMaps(repository, [commit], [], known)).refused).toMatchObject([{ path, replaces: [oid("a"), oid("c")] }]);
});

test("refs: git replace of a rewritten commit → replaces the new one", async () => {
	scratch.init("refs");
	const git = (...args: string[]) => scratch.git("refs", ...args).trim();
	const [old, other, made, third] = ["one", "two", "three", "four"].map((text) => {
		scratch.write("refs/file", text);
		return scratch.commitAll("refs", text);
	}) as [string, string, string, string];
	git("replace", old, other);
	git("replace", third, made);
	const rewritten = new Map([
		[old, made],
		[third, made],
	]);
	await rewriteRefs(await scratch.open("refs"), (one) => rewritten.get(one));
	expect(git("for-each-ref", "--format=%(refname) %(objectname)", "refs/replace")).toBe(`refs/replace/${made} ${other}`);
});
