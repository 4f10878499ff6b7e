import { gzipSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { headerAt, maxHeaderBytes, offsetDelta, writeDistance, writeLength } from "./pack-entry.ts";
import { crcOf, idsAt, maxPackBytes, orderOfIds, sortedPlaces } from "./pack-index.ts";

test("pack entry: any length and distance → read as written", () => {
	const kind = fc.constantFrom(1, 2, 3, 4, offsetDelta);
	const length = fc.oneof(fc.nat(300), fc.nat(maxPackBytes), fc.maxSafeNat());
	const distance = fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 2 * maxPackBytes }));
	fc.assert(
		fc.property(kind, length, distance, fc.nat(3), (aKind, aLength, aDistance, at) => {
			const out = Buffer.alloc(at + maxHeaderBytes);
			const middle = writeLength(out, at, aKind, aLength);
			const end = aKind === offsetDelta ? writeDistance(out, middle, aDistance) : middle;
			expect(headerAt(out, at)).toEqual({
				kind: aKind,
				length: middle - at,
				distance: aKind === offsetDelta ? aDistance : 0,
				end: end - at,
			});
		}),
	);
});

test("CRC-32: in pieces of any sizes → as gzip has it", () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 1_500 }), fc.integer({ min: 1, max: 600 }), (content, piece) => {
			const bytes = Buffer.from(content);
			const expected = gzipSync(bytes).readUInt32LE(gzipSync(bytes).length - 8);
			let crc = 0;
			for (let at = 0; at < bytes.length; at += piece) crc = crcOf(bytes, at, Math.min(bytes.length, at + piece), crc);
			expect([crcOf(bytes, 0, bytes.length), crc]).toEqual([expected, expected]);
		}),
	);
});

test("pack index: ids with the same first bytes → in order", () => {
	const id = fc.tuple(fc.constantFrom(0, 1, 0x7fff_ffff, 0xffff_ffff), fc.uint8Array({ minLength: 16, maxLength: 16 }));
	fc.assert(
		fc.property(fc.array(id, { maxLength: 30 }), (all) => {
			const parts = all.map(([first, rest]) => Buffer.from([first >>> 24, first >>> 16, first >>> 8, first, ...rest]));
			const ids = Buffer.concat(parts);
			const ordered = Buffer.concat(parts.sort(Buffer.compare));
			expect(idsAt(ids, 20, orderOfIds(ids, 20, all.length)).equals(ordered)).toBe(true);
		}),
	);
	expect([...sortedPlaces(3, (place) => [0xffff_ffff, 0, 0xffff_fffe][place] as number)]).toEqual([1, 2, 0]);
});
