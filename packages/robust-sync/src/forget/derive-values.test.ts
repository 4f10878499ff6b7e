import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openMergeStore, withObjectReader } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { deriveValues, ForgetRefusedError } from "./derive-values.ts";
import { blobId } from "./find-maps.ts";
import { type ForgetMap, signMap } from "./forget-map.ts";
import { rewriteAll } from "./rewrite-all.ts";
import { formsOf, withoutValue } from "./value.ts";

let scratch: Scratch;
beforeAll(() => {
	scratch = new Scratch("derive-values");
});
afterAll(() => scratch.remove());

const id = "0123456789ab";

/** A repository with an old content and its cleaned version, and the map between them. */
async function replaced(name: string, old: Buffer, cleaned: Buffer) {
	scratch.init(name);
	for (const content of [old, cleaned]) {
		scratch.write(`${name}/f.txt`, content);
		scratch.commitAll(name, "a version");
	}
	const store = openMergeStore(await scratch.open(name), "present");
	const tip = scratch.git(name, "rev-parse", "HEAD").trim();
	const after = blobId(store, cleaned);
	const map: ForgetMap = signMap(
		{
			schema: 1,
			id,
			created_at: "2026-11-29T10:00:00Z",
			node: "helios",
			from: tip,
			to: tip,
			blobs: { [blobId(store, old)]: after },
			commits: {},
			paths: [],
		},
		"0123456789abcdef-key",
	);
	return { store, map, after };
}

describe("forget", () => {
	test.each(["forgotten", "forgotten-a", "orgotten-", "x forgotten"])("map: its value is '%s' → refused", async (text) => {
		const value = Buffer.from(text);
		const old = Buffer.from(`my password is ${text}\n`);
		const name = text.replaceAll(" ", "-");
		const { store, map } = await replaced(name, old, withoutValue(old, formsOf(value, id)));
		await expect(deriveValues(store, [map])).rejects.toThrow(ForgetRefusedError);
	});

	test("map: a cleaned version looks like the value again → not replaced once more", async () => {
		// The end of the value and the placeholder begin alike.
		const value = Buffer.from("secretfor");
		const old = Buffer.from("secretforsecretforsecretfor secretsecretfor\n");
		const cleaned = withoutValue(old, formsOf(value, id));
		expect(cleaned.includes(value)).toBe(true);
		const { store, map, after } = await replaced("alike", old, cleaned);
		const { blobs, objects } = await rewriteAll(store, [map], new Map([[id, value]]), { writes: false });
		expect([blobs.has(after), objects.has(after)]).toEqual([false, true]);
	});

	test("map: a value with escapes, whole → derived from the repository", async () => {
		const old = Buffer.from(String.raw`{"k": "k3y\u0026\u003ctok\u003e4711"}`);
		const value = Buffer.from("k3y&<tok>4711");
		const { store, map, after } = await replaced("escapes", old, withoutValue(old, formsOf(value, id)));
		expect(await deriveValues(store, [map])).toEqual(new Map([[id, value]]));
		const [content] = await withObjectReader(store, (reader) => reader.contents([after]));
		expect(content?.toString()).toBe(`{"k": "forgotten-k${id}"}`);
	});
});
