import type { TreeEntry } from "../objects/merge-tree.ts";
import { directoryMode } from "../objects/tree-entries.ts";
import type { GitPath } from "../paths/git-path.ts";

// The entries of an index (gitformat-index(5)).

/** What one path of the index becomes; null, or an entry of a directory: it is removed. */
export interface IndexEntry {
	readonly path: GitPath;
	readonly entry: TreeEntry | null;
}

/** The entry to write; null: none. git would take a directory as a sparse one, and spoil the names below it. */
export const entryToWrite = ({ entry }: IndexEntry): TreeEntry | null => (entry?.mode === directoryMode ? null : entry);

/** Parsing a larger index takes longer than a process that lists or writes some paths. */
export const smallIndexBytes = 1_048_576;

/** Signature, version and number of entries. */
export const headerBytes = 12;
/** Ten numbers of 32 bits: ctime, mtime (seconds and nanoseconds each), dev, ino, mode, uid, gid, size. */
export const statBytes = 40;
/** Where some of these are in an entry. */
export const [sizeAt, mtimeAt, modeAt] = [36, 8, 24];

/** An entry of an index. */
export interface IndexEntryAt {
	/** Where it begins, and where the NUL after its path is, in bytes. */
	readonly at: number;
	readonly end: number;
	readonly path: string;
	readonly flags: number;
	/** The extended flags; 0: it has none. */
	readonly moreFlags: number;
}

/** Whether an entry is one of the versions of a path that is not merged. */
export const isUnmerged = ({ flags }: Pick<IndexEntryAt, "flags">): boolean => (flags & 0x3000) !== 0;

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
		entries.push({ at, end: nul, path: previous, flags, moreFlags: (flags & 0x4000) !== 0 ? index.readUInt16BE(fixed + 2) : 0 });
		at = version === 4 ? nul + 1 : at + ((nul - at + 8) & ~7);
	}
	// A split index, or a sparse one whose directory entries replace their files.
	for (let extension = at; extension + 8 <= end; extension += 8 + index.readUInt32BE(extension + 4)) {
		if (["link", "sdir"].includes(index.toString("latin1", extension, extension + 4))) return null;
	}
	return entries;
}
