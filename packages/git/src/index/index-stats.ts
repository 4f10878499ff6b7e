import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { idLengthOf } from "../objects/object-id.ts";
import { type GitPath, splitRecords } from "../paths/git-path.ts";
import type { Oid, Repository } from "../process/repository.ts";

// gitformat-index(5). The entries that we write have no times (`update-index --index-info`), so that the next git that reads the working
// tree reads each file once, to learn that it is unchanged. That read would be taken for one of a program.

/** The expected index entry, and the state of its file on disk. */
export interface KnownFile {
	readonly path: GitPath;
	readonly mode: string;
	readonly oid: Oid;
	readonly stats: fs.BigIntStats;
}

/** A larger index is left to git. */
const largestIndexBytes = 33_554_432;

const headerBytes = 12;
/** Ten numbers of 32 bits: ctime, mtime (seconds and nanoseconds each), dev, ino, mode, uid, gid, size. */
const statBytes = 40;
const [sizeAt, mtimeAt, modeAt] = [36, 8, 24];

/** An entry of an index. */
interface IndexEntryAt {
	/** Where it begins, in bytes. */
	readonly at: number;
	readonly path: string;
	readonly flags: number;
	/** The extended flags; 0: it has none. */
	readonly moreFlags: number;
}

/** The entries of an index: where each begins, and its path with one character for each byte. Null: it is of a form that is not known here. */
export function readIndexEntries(index: Buffer, hashBytes: number): IndexEntryAt[] | null {
	if (index.length < headerBytes + hashBytes || index.toString("latin1", 0, 4) !== "DIRC") return null;
	const [version, count] = [index.readUInt32BE(4), index.readUInt32BE(8)];
	if (version < 2 || version > 4) return null;
	const end = index.length - hashBytes;
	const entries: IndexEntryAt[] = [];
	let at = headerBytes;
	let previous = "";
	for (let number = 0; number < count; number++) {
		const fixed = at + statBytes + hashBytes;
		if (fixed + 2 > end) return null;
		const flags = index.readUInt16BE(fixed);
		let name = fixed + 2 + ((flags & 0x4000) !== 0 ? 2 : 0);
		let kept = "";
		if (version === 4) {
			// An offset as in packs: how many bytes of the path before this one do not count.
			let byte = index[name++] ?? 0;
			let cut = byte & 0x7f;
			while ((byte & 0x80) !== 0) {
				byte = index[name++] ?? 0;
				cut = ((cut + 1) << 7) | (byte & 0x7f);
			}
			if (cut > previous.length) return null;
			kept = previous.slice(0, previous.length - cut);
		}
		const nul = index.indexOf(0, name);
		if (nul < 0 || nul >= end) return null;
		previous = kept + index.toString("latin1", name, nul);
		entries.push({ at, path: previous, flags, moreFlags: (flags & 0x4000) !== 0 ? index.readUInt16BE(fixed + 2) : 0 });
		at = version === 4 ? nul + 1 : at + ((nul - at + 8) & ~7);
	}
	// A split index, or a sparse one whose directory entries replace their files.
	for (let extension = at; extension + 8 <= end; extension += 8 + index.readUInt32BE(extension + 4)) {
		if (["link", "sdir"].includes(index.toString("latin1", extension, extension + 4))) return null;
	}
	return entries;
}

/** Parsing a larger index takes longer than a process that lists some paths. */
const smallIndexBytes = 1_048_576;

/** The entries of the index; null: it is large, missing, or of a form that is not known here. @throws the file system's error */
export const readSmallIndex = (repository: Repository): readonly IndexEntryAt[] | null => readIndexIfKnown(repository, smallIndexBytes);

function readIndexIfKnown(repository: Repository, largestBytes: number): readonly IndexEntryAt[] | null {
	const file = repository.env.GIT_INDEX_FILE ?? path.join(repository.gitDirectory, "index");
	const size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
	return size > 0 && size <= largestBytes ? readIndexEntries(fs.readFileSync(file), idLengthOf(repository)) : null;
}

/** Those of some paths that the index has, of whatever stage. @throws GitError, the file system's error */
export async function pathsInIndex(repository: Repository, names: readonly GitPath[]): Promise<Set<GitPath>> {
	const entries = readIndexIfKnown(repository, largestIndexBytes);
	const listed = new Set<string>(entries?.map((entry) => entry.path) ?? splitRecords((await repository.run(["ls-files", "-z"])).stdout));
	return new Set(names.filter((name) => listed.has(name)));
}

/**
 * Writes into the index how files are on disk whose content is known to be that of their entries: no git reads them then to find that out.
 * As git does when it writes an index, entries of the second in which the old index was written are marked to be compared again.
 * @param files none of them changed in this second or later
 * @returns whether that was done; not where another git holds the index, or where it is of a form that is not known here
 * @throws the file system's error
 */
export function writeIndexStats({ gitDirectory, objectFormat }: Repository, files: readonly KnownFile[]): boolean {
	const [file, hashBytes] = [path.join(gitDirectory, "index"), idLengthOf({ objectFormat })];
	const lock = `${file}.lock`;
	let descriptor: number;
	try {
		descriptor = fs.openSync(lock, "wx", fs.statSync(file).mode & 0o777);
	} catch (error) {
		if (["EEXIST", "ENOENT"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
		throw error;
	}
	let isWritten = false;
	try {
		const before = fs.statSync(file, { bigint: true });
		if (before.size > largestIndexBytes) return false;
		const index = fs.readFileSync(file);
		const entries = readIndexEntries(index, hashBytes);
		if (entries === null) return false;
		const known = new Map<string, KnownFile>(files.map((each) => [each.path, each]));
		const writtenAt = Number(before.mtimeNs / 1_000_000_000n);
		for (const { at, path: name, flags } of entries) {
			const each = known.get(name);
			const isSame =
				each !== undefined &&
				(flags & 0x3000) === 0 &&
				index.readUInt32BE(at + modeAt) === Number.parseInt(each.mode, 8) &&
				index.toString("hex", at + statBytes, at + statBytes + hashBytes) === each.oid;
			if (isSame) writeStats(index, at, each.stats);
			else if (index.readUInt32BE(at + mtimeAt) >= writtenAt) index.writeUInt32BE(0, at + sizeAt);
		}
		const hash = index.subarray(-hashBytes);
		// All zeros: git writes none with index.skipHash.
		if (!hash.every((byte) => byte === 0)) createHash(objectFormat).update(index.subarray(0, -hashBytes)).digest().copy(hash);
		fs.writeFileSync(descriptor, index);
		fs.renameSync(lock, file);
		isWritten = true;
		return true;
	} finally {
		fs.closeSync(descriptor);
		if (!isWritten) fs.rmSync(lock, { force: true });
	}
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
