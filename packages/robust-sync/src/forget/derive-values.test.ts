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

	test("map: made before nested forms were known → its value, and its history", async () => {
		const value = Buffer.from('k3y"tok\\4711');
		const inText = JSON.stringify(value.toString());
		const inBoth = JSON.stringify(inText);
		// What a release before 0.2.0 made of it.
		const cleaned = `a ${`forgotten-a${id}`} b ${`"forgotten-b${id}"`} c ${inBoth}\n`;
		const old = `a ${value.toString()} b ${inText} c ${inBoth}\n`;
		scratch.init("before");
		scratch.write("before/f.txt", old);
		scratch.write("before/n.txt", `only ${inBoth}\n`);
		const from = scratch.commitAll("before", "a version");
		const blob = (content: string) => scratch.script("before", ["git hash-object -w --stdin"], [], content).trim();
		const to = scratch
			.script("before", [
				`printf '100644 blob %s\\tf.txt\\n100644 blob %s\\tn.txt\\n' ${blob(cleaned)} ${blob(`only ${inBoth}\n`)} | git mktree > .git/new`,
				'git cat-file commit HEAD | sed "1s/.*/tree $(cat .git/new)/" | git hash-object -t commit -w --stdin',
			])
			.trim();
		// A blob of this node alone.
		const own = blob(`own ${inBoth}\n`);
		const store = openMergeStore(await scratch.open("before"), "present");
		const blobs = { [blob(old)]: blob(cleaned) };
		const map = signMap(
			{ schema: 1, id, created_at: "2026-11-29T10:00:00Z", node: "helios", from, to, blobs, commits: {}, paths: [] },
			"0123456789abcdef-key",
		);
		const values = await deriveValues(store, [map]);
		expect(values).toEqual(new Map([[id, value]]));
		const rewritten = await rewriteAll(store, [map], values, { writes: false });
		expect(rewritten.commits.get(from)).toBe(to);
		expect(rewritten.blobs.has(own)).toBe(true);
	});
});
