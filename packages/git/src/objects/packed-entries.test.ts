import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "@jest/globals";
import { type Items, joined, MadeItems, viewOf } from "@robust-sync/system/items";
import fc from "fast-check";
import { type GitPath, isGitPath } from "../paths/git-path.ts";
import { PackedPaths } from "../paths/packed-paths.ts";
import { PackedBlobs, PackedChanges } from "./packed-entries.ts";
import type { TreeChange } from "./trees.ts";

// Lists in columns must be indistinguishable from arrays of the same items.

const path = fc
	.uint8Array({ minLength: 1, maxLength: 40 })
	.map((bytes) => Buffer.from(bytes).toString("latin1"))
	.filter(isGitPath);
const id = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((raw) => Buffer.from(raw).toString("hex"));
const side = (bytes: number) =>
	fc.option(fc.record({ mode: fc.constantFrom("100644", "100755", "120000", "160000", "100664"), oid: id(bytes) }), { nil: null });
const changes = fc
	.constantFrom(20, 32)
	.chain((bytes) => fc.array(fc.record({ path, before: side(bytes), after: side(bytes) }), { maxLength: 40 }));

function packed(all: readonly TreeChange[]): Items<TreeChange> {
	const list = new PackedChanges();
	for (const { path: name, before, after } of all) list.push(name, before, after);
	return list.items();
}

/** All that can be read from a list, by each of its methods. */
function readAll<T>(list: Items<T>, test: (item: T, index: number) => boolean): unknown {
	const { length } = list;
	return {
		length,
		items: [...list],
		entries: [...list.entries()],
		at: Array.from({ length: length + 2 }, (_, index) => [list.at(index - 1), list.at(-index)]),
		some: list.some((item) => test(item, 0)),
		every: list.every((item) => test(item, 0)),
		filtered: [...list.filter(test)],
		slices: [list.slice(0), list.slice(1, 3), list.slice(length), list.slice(2, length + 5)],
		mapped: list.map((item, index) => [item, index]),
		flat: list.flatMap((item, index) => (index % 2 === 0 ? [] : [item, index])),
	};
}

test("changes in columns: any paths, modes and ids → read like an array", () => {
	fc.assert(
		fc.property(changes, fc.nat({ max: 3 }), (all, rest) => {
			const isChosen = ({ after }: TreeChange, index: number) => after !== null && index % 4 !== rest;
			const list = packed(all);
			expect(readAll(list, isChosen)).toEqual(readAll(all, isChosen));
			expect(readAll(list.filter(isChosen), isChosen)).toEqual(readAll(all.filter(isChosen), isChosen));
			const names = (item: TreeChange) => item.path;
			expect(readAll(viewOf(list, names), () => false)).toEqual(readAll(all.map(names), () => false));
		}),
		{ numRuns: 30 },
	);
});

test("lists: joined in any number and sizes → read like one array", () => {
	fc.assert(
		fc.property(fc.array(fc.array(fc.nat(), { maxLength: 5 }), { maxLength: 6 }), (lists) => {
			const made = lists.map((list) => new MadeItems(list.length, (index) => list[index] as number));
			const isOdd = (item: number) => item % 2 === 1;
			expect(readAll(joined(...made), isOdd)).toEqual(readAll(lists.flat(), isOdd));
			expect(readAll(joined(...lists), isOdd)).toEqual(readAll(lists.flat(), isOdd));
		}),
		{ numRuns: 30 },
	);
});

test("blobs and paths in columns: more than one block → each read as it was added", () => {
	const [paths, blobs] = [new PackedPaths(), new PackedBlobs()];
	const nameOf = (index: number) => (index === 7 ? "x".repeat(2 ** 21) : `d/${index}/${"n".repeat(index % 90)}`) as GitPath;
	const idOf = (index: number) => index.toString(16).padStart(40, "0");
	const count = 70_000;
	for (let index = 0; index < count; index++) {
		paths.push(nameOf(index));
		blobs.push({ path: nameOf(index), oid: idOf(index) });
	}
	const isRight = (index: number) => {
		const blob = blobs.items().at(index);
		return paths.at(index) === nameOf(index) && blob?.path === nameOf(index) && blob.oid === idOf(index);
	};
	expect(Array.from({ length: count }, (_, index) => index).filter((index) => !isRight(index))).toEqual([]);
});

test("changes in columns: very many → at most 110 bytes each", () => {
	const list = new PackedChanges();
	setFlagsFromString("--expose-gc");
	const collect: () => void = runInNewContext("gc");
	collect();
	const before = process.memoryUsage();
	const oid = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
	const count = 200_000;
	for (let index = 0; index < count; index++)
		list.push(`archive/${index >> 10}/file-${index}.txt` as GitPath, null, { mode: "100644", oid });
	// Buffers that it has outgrown count until they are collected.
	collect();
	const after = process.memoryUsage();
	expect(list.length).toBe(count);
	expect((after.arrayBuffers - before.arrayBuffers) / count).toBeLessThan(110);
});
