import { expect, test } from "@jest/globals";
import { isSameDatabase } from "./live-database.ts";

/** A database of one page, with other bytes in some places. */
function database(...changes: readonly (readonly [at: number, byte: number])[]): Buffer {
	const bytes = Buffer.alloc(512);
	bytes.write("SQLite format 3\0", "latin1");
	for (const [at, byte] of changes) bytes[at] = byte;
	return bytes;
}

test.each([
	["the same bytes", database(), true],
	["written once more", database([27, 1], [95, 1]), true],
	["written by another release", database([24, 9], [96, 9], [99, 9]), true],
	["another page size", database([17, 1]), false],
	["another schema", database([43, 1]), false],
	["another user version", database([63, 1]), false],
	["another application", database([91, 1]), false],
	["the first byte after the header", database([100, 1]), false],
	["the last byte", database([511, 1]), false],
	["one page more", Buffer.concat([database(), Buffer.alloc(512)]), false],
])("database copies: %s → the same: %s", (_what, other, expected) => {
	expect([isSameDatabase(database(), other), isSameDatabase(other, database())]).toEqual([expected, expected]);
});
