import type { Buffer } from "node:buffer";
import { databaseOf, type Part, pageAt, partsOf } from "@robust-sync/secrets/sqlite-format";

// A long value of an SQLite database continues on overflow pages: in the file, its parts are apart.

/** One row or key that continues on overflow pages: its parts in their order. */
type Chain = readonly Part[];

/** The rows and keys of a database that are on more than one page. Other contents have none. */
export function* chainsOf(bytes: Buffer): Generator<Chain> {
	const database = databaseOf(bytes);
	if (database === null) return;
	// Made-up chains that share pages must not take longer than a database of this size can.
	let left = 2 * bytes.length;
	for (let at = 0; at + database.pageSize <= bytes.length; at += database.pageSize) {
		const page = pageAt(database, at);
		if (page === null || !(page.isLeaf || page.isIndex)) continue;
		for (const cell of page.cells) {
			const parts = partsOf(database, page, cell, left);
			if (parts.length === 1) continue;
			for (const { length } of parts) left -= length;
			yield parts;
		}
	}
}

/** Where an offset of the file is in a chain; null: elsewhere. */
export function offsetIn(chain: Chain, offset: number): number | null {
	let before = 0;
	for (const { start, length } of chain) {
		if (offset >= start && offset < start + length) return before + offset - start;
		before += length;
	}
	return null;
}

/** Writes the bytes of a chain back to their places. */
export function putJoined(target: Buffer, chain: Chain, content: Buffer): void {
	let at = 0;
	for (const { start, length } of chain) {
		content.copy(target, start, at, at + length);
		at += length;
	}
}
