import { describe, expect, test } from "@jest/globals";
import { blobsOf, mapText, readMap, signMap, stepsOf, type UnsignedMap } from "./forget-map.ts";

const key = "0123456789abcdef-key";
const [a, b, c] = ["a", "b", "c"].map((digit) => digit.repeat(40)) as [string, string, string];
const map: UnsignedMap = {
	schema: 1,
	id: "0123456789ab",
	created_at: "2026-11-29T10:00:00Z",
	node: "helios",
	from: a,
	to: b,
	blobs: { [a]: b },
	commits: { [a]: b },
	paths: [],
};
const name = "0123456789ab.json";
const read = (content: unknown, keys = [key]) => readMap(name, Buffer.from(JSON.stringify(content)), keys);

describe("forget", () => {
	test("map: signed, also by the key before → read as it was written", () => {
		const signed = signMap(map, key);
		expect(readMap(name, mapText(signed), [key])).toEqual({ kind: "map", map: signed });
		expect(read(signed, ["another-key-of-16-chars", key]).kind).toBe("map");
		const reordered = Object.fromEntries(Object.entries(signed).reverse());
		expect(read(reordered)).toEqual({ kind: "map", map: signed });
	});

	test.each<[what: string, change: object]>([
		["another blob", { blobs: { [a]: c } }],
		["one blob more", { blobs: { [a]: b, [c]: b } }],
		["another tip", { from: c }],
		["a path", { paths: [{ path: "notes.md", blobs: [] }] }],
		["a later time", { created_at: "2026-11-30T10:00:00Z" }],
		["another signature", { signature: "0".repeat(64) }],
		["no signature", { signature: undefined }],
		["a field more", { more: 1 }],
		["an id that is none", { blobs: { [a]: "--option" } }],
		["a path that leads away", { paths: [{ path: "../notes.md", blobs: [] }] }],
	])("map: %s after it was signed → refused", (_what, change) => {
		expect(read({ ...signMap(map, key), ...change })).toMatchObject({ kind: "refused", reason: expect.any(String) });
	});

	test("map: another key, no key, another name, no JSON, too large → refused", () => {
		const signed = signMap(map, key);
		expect(read(signed, ["another-key-of-16-chars"]).kind).toBe("refused");
		expect(read(signed, [])).toMatchObject({ kind: "refused", reason: expect.stringContaining("HEARTBEAT_KEY") });
		expect(readMap("ba9876543210.json", mapText(signed), [key]).kind).toBe("refused");
		expect(readMap(name, Buffer.from("{"), [key]).kind).toBe("refused");
		expect(readMap(name, null, [key]).kind).toBe("refused");
	});

	test("map: one after another → a blob becomes the newest; a circle → ends", () => {
		const second = signMap({ ...map, id: "111111111111", blobs: { [b]: c } }, key);
		expect([...blobsOf(stepsOf([signMap(map, key), second]))]).toEqual([
			[a, c],
			[b, c],
		]);
		const back = signMap({ ...map, id: "222222222222", blobs: { [b]: a } }, key);
		expect([...blobsOf(stepsOf([signMap(map, key), back]))]).toEqual([[b, a]]);
	});

	test("map: two list one blob → the first counts, on a node that applied it the second", () => {
		const again = signMap({ ...map, id: "111111111111", blobs: { [a]: c } }, key);
		expect([...blobsOf(stepsOf([signMap(map, key), again]))]).toEqual([[a, b]]);
		expect([...blobsOf(stepsOf([signMap(map, key), again], new Set([map.id])))]).toEqual([[a, c]]);
	});
});
