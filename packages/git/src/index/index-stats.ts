import fs from "node:fs";
import type { Items } from "@robust-sync/system/items";
import type { TreeEntry } from "../objects/merge-tree.ts";
import { idLengthOf } from "../objects/object-id.ts";
import type { GitPath } from "../paths/git-path.ts";
import { nulTexts } from "../process/nul-records.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { rewriteIndex } from "./edit-index.ts";
import { type IndexEntryAt, isUnmerged, modeAt, mtimeAt, readIndexEntries, smallIndexBytes, statBytes } from "./index-entries.ts";

// gitformat-index(5). The entries that we write have no times (`update-index --index-info`), so that the next git that reads the working
// tree reads each file once, to learn that it is unchanged. We could not distinguish that read from one by a program.

/** The expected index entry, and the state of its file on disk. */
export interface KnownFile {
	readonly path: GitPath;
	readonly mode: string;
	readonly oid: Oid;
	readonly stats: fs.BigIntStats;
}

/** A larger index is left to git. */
const largestIndexBytes = 33_554_432;

/** The entries of the index; null: it is large, missing, or of a form that is not known here. @throws the file system's error */
export const readSmallIndex = (repository: Repository): readonly IndexEntryAt[] | null => readIndexIfKnown(repository, smallIndexBytes);

function readIndexIfKnown(repository: Repository, largestBytes: number): readonly IndexEntryAt[] | null {
	const index = readIndexUpTo(repository, largestBytes);
	return index === null ? null : readIndexEntries(index, idLengthOf(repository));
}

function readIndexUpTo(repository: Repository, largestBytes: number): Buffer | null {
	const size = fs.statSync(repository.indexFile, { throwIfNoEntry: false })?.size ?? 0;
	return size > 0 && size <= largestBytes ? fs.readFileSync(repository.indexFile) : null;
}

/** Those of some paths that the index lacks in every stage. @throws GitError, the file system's error */
export async function missingInIndex(repository: Repository, names: Items<GitPath>): Promise<GitPath[]> {
	const missing = new Set<string>(names);
	const entries = readSmallIndex(repository);
	if (entries !== null) for (const { path } of entries) missing.delete(path);
	else {
		const { onOutput } = nulTexts((path) => missing.delete(path));
		await repository.run(["ls-files", "-z"], { onOutput });
	}
	return names.flatMap((name) => (missing.has(name) ? [name] : []));
}

/**
 * The entries without stat data, of files that the next git would read. None if the index is of a form that is not known here.
 * @throws the file system's error
 */
export function entriesWithoutStats(repository: Repository): Map<string, TreeEntry> {
	const [index, hashBytes] = [readIndexUpTo(repository, largestIndexBytes), idLengthOf(repository)];
	const found = new Map<string, TreeEntry>();
	if (index === null) return found;
	for (const entry of readIndexEntries(index, hashBytes) ?? []) {
		const { at, path: name } = entry;
		if (isUnmerged(entry) || index.readUInt32BE(at + mtimeAt) !== 0) continue;
		const [mode, oid] = [index.readUInt32BE(at + modeAt), index.toString("hex", at + statBytes, at + statBytes + hashBytes)];
		found.set(name, { mode: mode.toString(8).padStart(6, "0"), oid });
	}
	return found;
}

/**
 * Writes stat data into the index for files whose content is known to match their entries, so that git does not read them to find out.
 * As git does when it writes an index, entries of the second in which the old index was written are marked to be compared again.
 * @param files none of them changed in this second or later
 * @returns whether that was done; not where another git holds the index, or where it is of a form that is not known here
 * @throws the file system's error
 */
export function writeIndexStats(repository: Repository, files: readonly KnownFile[]): boolean {
	const hashBytes = idLengthOf(repository);
	const known = new Map<string, KnownFile>(files.map((each) => [each.path, each]));
	return rewriteIndex(repository, largestIndexBytes, (index, entries) => {
		for (const entry of entries) {
			const { at, path: name } = entry;
			const each = known.get(name);
			const isSame =
				each !== undefined &&
				!isUnmerged(entry) &&
				index.readUInt32BE(at + modeAt) === Number.parseInt(each.mode, 8) &&
				index.toString("hex", at + statBytes, at + statBytes + hashBytes) === each.oid;
			if (isSame) writeStats(index, at, each.stats);
		}
		return index;
	});
}

function writeStats(index: Buffer, at: number, stats: fs.BigIntStats): void {
	const low = (value: bigint) => Number(BigInt.asUintN(32, value));
	const seconds = (ns: bigint) => [low(ns / 1_000_000_000n), low(ns % 1_000_000_000n)];
	const { ctimeNs, mtimeNs, dev, ino, uid, gid, size } = stats;
	const [mode] = [index.readUInt32BE(at + modeAt)];
	for (const [number, value] of [
		...seconds(ctimeNs),
		...seconds(mtimeNs),
		low(dev),
		low(ino),
		mode,
		low(uid),
		low(gid),
		low(size),
	].entries())
		index.writeUInt32BE(value, at + 4 * number);
}
