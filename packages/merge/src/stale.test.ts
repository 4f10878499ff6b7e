import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { containsAddition, inferBase, isLostUpdate, mayDeriveFrom } from "./stale.ts";

const bytes = (value: unknown) => Buffer.from(typeof value === "string" ? value : `${JSON.stringify(value, null, "\t")}\n`);
const object = (...keys: string[]) => bytes(Object.fromEntries(keys.map((key) => [key, 1])));

test("base: holds one piece of a change → has seen it; holds none → has not", () => {
	const nothingOf = (before: unknown, after: unknown, written: unknown, path = "state.json") =>
		isLostUpdate(bytes(before), bytes(after), bytes(written), path);
	expect(nothingOf({ a: 1 }, { a: 1, b: 1, c: 1 }, { a: 1, mine: 1 })).toBe(true);
	expect(nothingOf({ a: 1 }, { a: 1, b: 1, c: 1 }, { a: 1, b: 1 })).toBe(false);
	expect(nothingOf(["a"], ["a", "b"], ["mine", "a"])).toBe(true);
	expect(nothingOf(["a"], ["a", "a"], ["a", "a", "mine"])).toBe(false);
	expect(nothingOf({ a: 1, b: 1 }, { a: 1 }, { a: 1, b: 1, mine: 1 })).toBe(true);
	expect(nothingOf({ a: 1, b: 1 }, { a: 1 }, { a: 1, mine: 1 })).toBe(false);
	expect(nothingOf("one\n", "one\ntwo\n", "one\nmine\n", "notes.md")).toBe(true);
	expect(nothingOf("one\n", "one\ntwo\n", "one\ntwo\nmine\n", "notes.md")).toBe(false);
	expect(nothingOf({ a: 1 }, { a: 1 }, { a: 2 })).toBe(false);
});

test("addition: one piece that a change added → contained; a removal → not", () => {
	const contains = (before: unknown, after: unknown, written: unknown, path = "state.json") =>
		containsAddition(bytes(before), bytes(after), bytes(written), path);
	expect(contains({ a: 1 }, { a: 1, b: 1, c: 1 }, { b: 1, mine: 1 })).toBe(true);
	expect(contains({ a: 1 }, { a: 1, b: 1 }, { a: 1, mine: 1 })).toBe(false);
	expect(contains({ a: 1, b: 1 }, { a: 1 }, { a: 1 })).toBe(false);
	expect(contains({ a: 1 }, { a: 1 }, { a: 1 })).toBe(false);
	expect(contains("one\n", "one\none\n", "one\nmine\n", "notes.md")).toBe(false);
	expect(contains("one\n", "one\none\n", "one\nmine\none\n", "notes.md")).toBe(true);
	expect(contains("\0one", "\0two", "\0two", "data.bin")).toBe(false);
});

test("base: no line of the version → rewritten; a document or a log → grows", () => {
	expect(mayDeriveFrom(bytes("one\ntwo\n"), bytes("three\n"), "notes.md")).toBe(false);
	expect(mayDeriveFrom(bytes("one\ntwo\n"), bytes("two\n"), "notes.md")).toBe(true);
	expect(mayDeriveFrom(bytes({}), bytes({ a: 1 }), "state.json")).toBe(true);
});

test("base: one version replaced several → the one it has all of", () => {
	const [first, incoming, both] = [object("start", "first"), object("start", "incoming"), object("start", "first", "incoming")];
	const origin = (versions: Buffer[], ...keys: string[]) => inferBase(versions, both, object(...keys), "state.json");
	for (const versions of [
		[first, incoming],
		[incoming, first],
	]) {
		expect(origin(versions, "start", "first", "mine")).toBe(first);
		expect(origin(versions, "start", "incoming", "mine")).toBe(incoming);
		// Nothing distinguishes them.
		expect(origin(versions, "start", "mine")).toBe(versions[0]);
		expect(origin(versions, "start", "first", "incoming", "mine")).toBeNull();
	}
	const more = object("start", "first", "second");
	expect(inferBase([more, first], object("start", "first", "second", "incoming"), object("start", "first", "mine"), "state.json")).toBe(
		first,
	);
});

test("base: anything added in turn, a write from any version → that version", () => {
	fc.assert(
		fc.property(fc.uniqueArray(fc.stringMatching(/^[a-z]{1,4}$/), { minLength: 3, maxLength: 12 }), fc.nat(), (keys, pick) => {
			const [mine = "", ...added] = keys;
			const versions = added.map((_, index) => object("#", ...added.slice(0, index)));
			const from = pick % versions.length;
			const written = object("#", ...added.slice(0, from), mine);
			expect(inferBase(versions, object("#", ...added), written, "state.json")).toBe(versions[from]);
		}),
	);
});

test("base: every write changes one field too, none has all of an older → the same", () => {
	const document = (turn: number, elements: readonly string[]) => Buffer.from(JSON.stringify({ turn, elements: ["#", ...elements] }));
	fc.assert(
		fc.property(fc.uniqueArray(fc.stringMatching(/^[a-z]{1,4}$/), { minLength: 3, maxLength: 12 }), fc.nat(), (elements, pick) => {
			const [mine = "", ...added] = elements;
			const versions = added.map((_, index) => document(index, added.slice(0, index)));
			const from = pick % versions.length;
			const written = document(100, [...added.slice(0, from), mine]);
			const after = document(99, added);
			for (const order of [versions, versions.toReversed()]) expect(inferBase(order, after, written, "state.json")).toBe(versions[from]);
		}),
	);
});
