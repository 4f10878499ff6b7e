import { randomBytes } from "node:crypto";
import { inflateSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import { storedZlib } from "./object-writer.ts";

test("a content that is not compressed: any length → zlib reads the same", () => {
	const lengths = [0, 1, 2, 3_799, 3_800, 3_801, 65_534, 65_535, 65_536, 131_070, 131_071, 1_000_003];
	const contents = [...lengths.map((length) => randomBytes(length)), Buffer.alloc(200_000, 0xff), Buffer.alloc(70_000)];
	expect(contents.filter((content) => !inflateSync(storedZlib(content)).equals(content)).map(({ length }) => length)).toEqual([]);
});
