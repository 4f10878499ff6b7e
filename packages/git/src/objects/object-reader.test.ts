import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { KnownContents } from "./known-contents.ts";
import { type ObjectInfo, withObjectReader } from "./object-reader.ts";
import { blobOid } from "./objects.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("reader");
	scratch.init("repository");
});
afterEach(() => scratch.remove());

const large = randomBytes(1_000_003);
const contents = new Map([
	["empty", Buffer.alloc(0)],
	["large", large],
	["small", Buffer.from("small\n")],
	["larger", Buffer.concat([large, large, Buffer.from("end")])],
	["last", Buffer.from("\0last")],
]);
const digest = (content: Buffer) => createHash("sha256").update(content).digest("hex");

async function read(names: readonly string[], limit?: number): Promise<[ObjectInfo | null, string | null][]> {
	for (const [name, content] of contents) scratch.write(`repository/${name}`, content);
	scratch.commitAll("repository");
	const found: [ObjectInfo | null, string | null][] = [];
	await withObjectReader(await scratch.open("repository"), (reader) =>
		reader.each(
			names.map((name) => `HEAD:${name}`),
			(info, content) => found.push([info, content && digest(content)]),
			limit,
		),
	);
	return found;
}

test("reader: objects of all sizes, one missing, cut anywhere → in order and whole", async () => {
	const names = ["small", "large", "empty", "missing", "larger", "large", "last"];
	const found = await read(names);
	expect(found.map(([info, content]) => [info?.size, content])).toEqual(
		names.map((name) => {
			const content = contents.get(name);
			return content ? [content.length, digest(content)] : [undefined, null];
		}),
	);
});

test("reader: one over the limit → no content, the next ones are right", async () => {
	const found = await read(["large", "small", "larger", "last"], 1_000);
	expect(found.map(([info, content]) => [info?.size, content])).toEqual([
		[large.length, null],
		[6, digest(Buffer.from("small\n"))],
		[2 * large.length + 3, null],
		[5, digest(Buffer.from("\0last"))],
	]);
});

test("reader: some contents are known, none, all, few in a row → in order and whole", async () => {
	const all = Array.from({ length: 200 }, (_, index) => Buffer.from(`content ${index}`));
	for (const [index, content] of all.entries()) scratch.write(`repository/${index}`, content);
	scratch.commitAll("repository");
	const repository = await scratch.open("repository");
	const oids = all.map((content) => blobOid(content));
	for (const isKnown of [
		() => false,
		() => true,
		(at: number) => at < 70,
		(at: number) => at >= 130 || at < 3,
		(at: number) => at % 3 === 0,
	]) {
		const known = new KnownContents();
		for (const [index, content] of all.entries()) if (isKnown(index)) known.add(oids[index] ?? "", content);
		await withObjectReader(
			repository,
			async (reader) => {
				expect((await reader.infos(oids)).map((info) => [info?.oid, info?.size])).toEqual(
					all.map((content, at) => [oids[at], content.length]),
				);
				const found: [number, string][] = [];
				await reader.each(oids, (_info, content, index) => found.push([index, String(content)]));
				expect(found).toEqual(all.map((content, index) => [index, String(content)]));
				expect(await reader.contents(oids)).toEqual(all);
			},
			known,
		);
	}
});

test("reader: all is known → no git process; too large or too much → not kept", async () => {
	const repository = await scratch.open("repository");
	const known = new KnownContents();
	const content = Buffer.from("in no repository");
	known.add(blobOid(content), content);
	await withObjectReader(repository, async (reader) => expect(await reader.contents([blobOid(content)])).toEqual([content]), known);
	known.add("large", Buffer.alloc(65_537));
	expect(known.get("large")).toBeUndefined();
	for (let index = 0; index < 1_000; index++) known.add(`of 60 kB ${index}`, Buffer.alloc(60_000));
	expect([known.get("of 60 kB 0")?.length, known.get("of 60 kB 999")]).toEqual([60_000, undefined]);
	known.clear();
	expect(known.get("of 60 kB 0")).toBeUndefined();
});
