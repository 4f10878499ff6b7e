import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { inflateSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { personEnvironment, Scratch } from "../fixtures/scratch.ts";
import { openMergeStore } from "./merge-store.ts";
import { idLengthOf } from "./object-id.ts";
import { withObjectReader } from "./object-reader.ts";
import { ObjectWriter } from "./object-writer.ts";
import { OidSet } from "./oid-set.ts";
import { writeStored } from "./pack-builder.ts";

test("a content that is not compressed: any length → zlib reads the same", () => {
	const lengths = [0, 1, 2, 3_799, 3_800, 3_801, 65_534, 65_535, 65_536, 131_070, 131_071, 1_000_003];
	const contents = [...lengths.map((length) => randomBytes(length)), Buffer.alloc(200_000, 0xff), Buffer.alloc(70_000)];
	const stored = (content: Buffer) => {
		const out = Buffer.alloc(2 * content.length + 100);
		return out.subarray(0, writeStored(content, out, 0));
	};
	expect(contents.filter((content) => !inflateSync(stored(content)).equals(content)).map(({ length }) => length)).toEqual([]);
});

test.each([
	["sha1", "checked"],
	["sha256", "checked"],
	["sha1", "known"],
])("many objects (%s, present %s): any changes of a few → git reads each as it is", async (format, present) => {
	const scratch = new Scratch("object-writer");
	try {
		execFileSync("git", ["init", "-q", `--object-format=${format}`, "r"], {
			cwd: scratch.directory,
			env: personEnvironment(scratch.directory),
		});
		const store = openMergeStore(await scratch.open("r"));
		const contents = new Map<string, Buffer>();
		const writer = new ObjectWriter(store, present === "known" ? new OidSet(idLengthOf(store)) : null);
		fc.assert(
			fc.property(fc.array(fc.tuple(fc.nat(), fc.nat({ max: 300 }), fc.uint8Array({ maxLength: 400 }))), (changes) => {
				let content = randomBytes(changes.length * 40);
				for (const [at, deleted, inserted] of changes) {
					const start = at % (content.length + 1);
					content = Buffer.concat([content.subarray(0, start), inserted, content.subarray(start + deleted)]);
					contents.set(writer.add({ type: "blob", content, series: `${changes.length}` }), content);
				}
			}),
			{ numRuns: 200 },
		);
		// More than the offset of a copy in two bytes can reach, and longer than one copy.
		let large = randomBytes(200_000);
		for (let index = 0; index < 120; index++) {
			large = Buffer.concat([large.subarray(0, 150_000), Buffer.from(`${index}`), large.subarray(150_000)]);
			contents.set(writer.add({ type: "blob", content: large, series: "large" }), large);
		}
		await writer.flush();
		expect(writer.packs.size).toBe(1);
		expect(scratch.git("r", "fsck", "--full", "--no-dangling")).toBe("");
		const read = await withObjectReader(store, (reader) => reader.contents([...contents.keys()]));
		expect([...contents.values()].filter((content, index) => !read[index]?.equals(content))).toEqual([]);
		const [pack = ""] = writer.packs;
		const file = path.join(store.env.GIT_OBJECT_DIRECTORY ?? "", `pack/${pack}`);
		expect(fs.statSync(`${file}.pack`).size).toBeLessThan(10 * large.length);
		scratch.git("r", "index-pack", "--no-rev-index", "-o", scratch.path("as-git.idx"), `${file}.pack`);
		expect(fs.readFileSync(`${file}.idx`).equals(fs.readFileSync(scratch.path("as-git.idx")))).toBe(true);
	} finally {
		await scratch.remove();
	}
});
