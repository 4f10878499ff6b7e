import { createHash } from "node:crypto";
import fs from "node:fs";
import type { Items } from "@robust-sync/system/items";
import { mayWriteLoose } from "../objects/loose-objects.ts";
import type { TreeEntry } from "../objects/merge-tree.ts";
import { idLengthOf } from "../objects/object-id.ts";
import { directoriesAbove } from "../paths/git-path.ts";
import { replaceLocked } from "../process/lock-files.ts";
import type { Repository } from "../process/repository.ts";
import { invalidateTrees } from "./cached-trees.ts";
import {
	entryToWrite,
	headerBytes,
	type IndexEntry,
	type IndexEntryAt,
	isUnmerged,
	modeAt,
	mtimeAt,
	readIndexEntries,
	sizeAt,
	smallIndexBytes,
	statBytes,
} from "./index-entries.ts";

// Writes the index without a process (gitformat-index(5)), under git's own lock. Starting git takes longer than all of this.

/** At most this many entries are written here. */
const fewEntries = 64;

/**
 * Replaces the index by what `change` makes of it. As git does when it writes an index, entries of the second in which the old index was
 * written are marked to be compared again.
 * @param change returns the new index, with any bytes in place of its hash; null: nothing is written
 * @returns whether it was written; not where another git holds the index, or where it is of a form that is not known here
 * @throws the file system's error
 */
export function rewriteIndex(
	repository: Repository,
	largestBytes: number,
	change: (index: Buffer, entries: readonly IndexEntryAt[]) => Buffer | null,
): boolean {
	const [file, hashBytes] = [repository.indexFile, idLengthOf(repository)];
	const before = fs.lstatSync(file, { throwIfNoEntry: false });
	// git would follow a link, and lock its target.
	if (before?.isFile() !== true) return false;
	return replaceLocked(file, before.mode & 0o777, (descriptor) => {
		// Another git may have replaced it before the lock.
		const { size, mtimeNs } = fs.statSync(file, { bigint: true });
		if (size > largestBytes) return false;
		const old = fs.readFileSync(file);
		const entries = readIndexEntries(old, hashBytes);
		if (entries === null) return false;
		const writtenAt = Number(mtimeNs / 1_000_000_000n);
		for (const { at } of entries) if (old.readUInt32BE(at + mtimeAt) >= writtenAt) old.writeUInt32BE(0, at + sizeAt);
		const isHashed = !old.subarray(-hashBytes).every((byte) => byte === 0);
		const index = change(old, entries);
		if (index === null) return false;
		const hash = index.subarray(-hashBytes);
		// All zeros: git writes none with index.skipHash.
		if (isHashed) createHash(repository.objectFormat).update(index.subarray(0, -hashBytes)).digest().copy(hash);
		else hash.fill(0);
		fs.writeFileSync(descriptor, index);
		return true;
	});
}

/** A new entry without times and bits, as `git update-index --index-info` writes it. */
function entryBytes(name: string, { mode, oid }: TreeEntry, hashBytes: number): Buffer {
	const nameAt = statBytes + hashBytes + 2;
	// At least one NUL ends the name, and the length of an entry is a multiple of eight.
	const bytes = Buffer.alloc((nameAt + name.length + 8) & ~7);
	bytes.writeUInt32BE(Number.parseInt(mode, 8), modeAt);
	bytes.write(oid, statBytes, "hex");
	bytes.writeUInt16BE(Math.min(name.length, 0xfff), nameAt - 2);
	bytes.write(name, nameAt, "latin1");
	return bytes;
}

/** The extensions of an index after these changes; null: some extension is not known here, and may depend on the entries. */
function extensionsAfter(index: Buffer, start: number, changed: readonly string[], hashBytes: number): Buffer[] | null {
	const kept: Buffer[] = [];
	const end = index.length - hashBytes;
	for (let at = start; at < end; ) {
		const length = at + 8 <= end ? index.readUInt32BE(at + 4) : end;
		const content = at + 8;
		if (content + length > end) return null;
		const name = index.toString("latin1", at, at + 4);
		if (name === "REUC") kept.push(index.subarray(at, content + length));
		else if (name === "TREE") {
			const trees = invalidateTrees(index.subarray(content, content + length), changed, hashBytes);
			if (trees === null) return null;
			const header = Buffer.from("TREE\0\0\0\0");
			header.writeUInt32BE(trees.length, 4);
			kept.push(header, trees);
		}
		// Where the entries end and begin: optional, and wrong from now on.
		else if (name !== "EOIE" && name !== "IEOT") return null;
		at = content + length;
	}
	return kept;
}

/** The index after these changes; null: git must write it. */
function edited(index: Buffer, entries: readonly IndexEntryAt[], changes: readonly IndexEntry[], hashBytes: number): Buffer | null {
	// Prefixes are compressed in version 4.
	if (index.readUInt32BE(4) > 3 || entries.some(isUnmerged)) return null;
	const puts = new Map<string, TreeEntry>();
	for (const change of changes) {
		const entry = entryToWrite(change);
		if (entry) puts.set(change.path, entry);
	}
	// A file takes the place of a directory, or the other way round.
	const replaced = new Set([...changes.map((change): string => change.path), ...[...puts.keys()].flatMap(directoriesAbove)]);
	const isBelowPut = (name: string) => directoriesAbove(name).some((directory) => puts.has(directory));
	const endOf = ({ at, end }: IndexEntryAt) => at + ((end - at + 8) & ~7);
	const last = entries.at(-1);
	const gone = entries.filter(({ path: name }) => replaced.has(name) || isBelowPut(name));
	const changed = [...changes, ...gone].map((entry) => entry.path);
	const extensions = extensionsAfter(index, last === undefined ? headerBytes : endOf(last), changed, hashBytes);
	if (extensions === null) return null;
	const left = new Set(gone);
	const parts = entries
		.filter((entry) => !left.has(entry))
		.map((entry) => ({ name: entry.path, bytes: index.subarray(entry.at, endOf(entry)) }));
	for (const [name, entry] of puts) parts.push({ name, bytes: entryBytes(name, entry, hashBytes) });
	// By bytes: the names have one character for each.
	parts.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
	const header = Buffer.from(index.subarray(0, headerBytes));
	header.writeUInt32BE(parts.length, 8);
	return Buffer.concat([header, ...parts.map(({ bytes }) => bytes), ...extensions, Buffer.alloc(hashBytes)]);
}

/**
 * Sets a few entries of a small index without a process; nothing is read from the working tree. Their index bits are gone afterwards.
 * @returns false: nothing was changed, and git must do it
 */
export function editSmallIndex(repository: Repository, changes: Items<IndexEntry>): boolean {
	if (changes.length > fewEntries || !mayWriteLoose(repository) || repository.config.has("core.ignorestat")) return false;
	try {
		return rewriteIndex(repository, smallIndexBytes, (index, entries) => edited(index, entries, [...changes], idLengthOf(repository)));
	} catch {
		// git meets the same obstacle, and its failure has a code.
		return false;
	}
}
