import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { type ObjectInfo, withObjectReader } from "./object-reader.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("reader");
	scratch.init("repository");
});
afterEach(() => scratch.remove());

const large = randomBytes(5_000_003);
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

test("reader: one over the limit → no content, and what follows is right", async () => {
	const found = await read(["large", "small", "larger", "last"], 1_000);
	expect(found.map(([info, content]) => [info?.size, content])).toEqual([
		[large.length, null],
		[6, digest(Buffer.from("small\n"))],
		[2 * large.length + 3, null],
		[5, digest(Buffer.from("\0last"))],
	]);
});
