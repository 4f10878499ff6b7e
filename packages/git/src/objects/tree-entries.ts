import type { Oid } from "../process/repository.ts";

/** For one id: a buffer for each of hundreds of thousands takes longer than the conversion. */
const one = Buffer.alloc(32);

/** Converts an id from hexadecimal to the form in a tree (binary, one character a byte), and back. */
export const binary = (oid: Oid): string => one.toString("latin1", 0, one.write(oid, "hex"));
export const hex = (id: string): Oid => one.toString("hex", 0, one.write(id, "latin1"));

/** The same id in that form, which is not part of another text, and does not keep that in memory. */
export const ownText = (id: string): string => one.toString("latin1", 0, one.write(id, "latin1"));

/** Trees deeper than this stay as they are. */
export const maxLevels = 2_000;

/** Called for one entry of a tree, with its id (binary, one character a byte) and the offsets of its name and of the entry. */
export type ReceiveEntry = (isDirectory: boolean, id: string, nameStart: number, nameEnd: number, entryStart: number) => void;

const directoryByte = 0x34;
const zero = 0x30;
const blank = 0x20;

/** The entries of a tree, in order. @param idLength bytes @returns false: it stopped at a damaged entry */
export function eachEntry(content: Buffer, idLength: number, receive: ReceiveEntry): boolean {
	for (let at = 0; at < content.length; ) {
		const space = content.indexOf(blank, at);
		const nul = content.indexOf(0, space + 1);
		if (space < 0 || nul < 0 || nul + 1 + idLength > content.length) return false;
		const end = nul + 1 + idLength;
		let first = at;
		while (content[first] === zero) first++;
		receive(content[first] === directoryByte && space - first === 5, content.toString("latin1", nul + 1, end), space + 1, nul, at);
		at = end;
	}
	return true;
}

/** An entry with its mode as the tree has it, which may have zeros before it. */
export interface TreeItem {
	readonly mode: string;
	/** One character a byte. */
	readonly name: string;
	readonly oid: Oid;
}

/** The mode of a directory as git prints it. */
export const directoryMode = "040000";

export const isDirectory = ({ mode }: TreeItem): boolean => /^0*40000$/.test(mode);

/** git sorts a directory as if its name ended with a slash. */
export const sortKey = (item: TreeItem): string => (isDirectory(item) ? `${item.name}/` : item.name);

/** The entries of a tree, in order, up to the first that is damaged. @param idLength bytes */
export function parseTree(content: Buffer, idLength: number): { readonly items: TreeItem[]; readonly isWhole: boolean } {
	const items: TreeItem[] = [];
	const isWhole = eachEntry(content, idLength, (_isDirectory, _id, nameStart, nameEnd, start) => {
		items.push({
			mode: content.toString("latin1", start, nameStart - 1),
			name: content.toString("latin1", nameStart, nameEnd),
			oid: content.toString("hex", nameEnd + 1, nameEnd + 1 + idLength),
		});
	});
	return { items, isWhole };
}

/** The content of a tree. @param items in git's order (`sortKey`) */
export function treeContent(items: readonly TreeItem[]): Buffer {
	return Buffer.concat(items.flatMap(({ mode, name, oid }) => [Buffer.from(`${mode} ${name}\0`, "latin1"), Buffer.from(oid, "hex")]));
}

/** Ids in a tree (binary, one character a byte), and their offsets. */
interface Ids {
	readonly ids: readonly string[];
	readonly offsets: readonly number[];
}

/** A tree, and the ids in it that may have to be replaced. */
export interface ScannedTree {
	readonly content: Buffer;
	readonly directories: Ids & { readonly names: readonly string[] };
	/** Files with a wanted id. */
	readonly files: Ids;
	/** Where entries begin, in the whole tree. */
	readonly starts: readonly number[];
	/** The bytes whose entries were scanned. */
	readonly from: number;
	readonly to: number;
}

/** Scans a tree once. One string for the whole tree costs less than one for each id. @param idLength bytes @param wanted ids of files */
export function scanTree(content: Buffer, idLength: number, wanted: { has(id: string): boolean }): ScannedTree {
	return scanRange(content, 0, content.length, idLength, wanted);
}

/**
 * Scans only the entries of a tree that differ from those of another one.
 * @returns null: their entries do not begin at the same offsets, so that all have to be scanned
 */
export function scanChanges(
	content: Buffer,
	base: Pick<ScannedTree, "content" | "starts">,
	idLength: number,
	wanted: { has(id: string): boolean },
): ScannedTree | null {
	const { starts } = base;
	if (content.length !== base.content.length || starts.length === 0) return null;
	let first = 0;
	while (first < content.length && content[first] === base.content[first]) first++;
	let last = content.length - 1;
	while (last > first && content[last] === base.content[last]) last--;
	const [begin, end] = [entryAt(starts, first), entryAt(starts, last) + 1];
	const range = scanRange(content, starts[begin] ?? 0, starts[end] ?? content.length, idLength, wanted);
	const isAligned = range.starts.length === end - begin && range.starts.every((start, index) => start === starts[begin + index]);
	return isAligned && range.to === (starts[end] ?? content.length) ? { ...range, starts } : null;
}

/** The number of the entry that an offset is in. */
function entryAt(starts: readonly number[], offset: number): number {
	let [low, high] = [0, starts.length];
	while (high - low > 1) {
		const middle = (low + high) >> 1;
		if ((starts[middle] as number) <= offset) low = middle;
		else high = middle;
	}
	return low;
}

/** Scans the entries of some bytes. `to` is the offset of the first damaged one, or the end. */
function scanRange(content: Buffer, from: number, limit: number, idLength: number, wanted: { has(id: string): boolean }): ScannedTree {
	const text = content.toString("latin1", from, limit);
	const directories: { ids: string[]; offsets: number[]; names: string[] } = { ids: [], offsets: [], names: [] };
	const files: { ids: string[]; offsets: number[] } = { ids: [], offsets: [] };
	const starts: number[] = [];
	let at = 0;
	while (at < text.length) {
		let first = at;
		while (text.charCodeAt(first) === zero) first++;
		// Modes have five or six digits.
		const space = text.charCodeAt(first + 5) === blank ? first + 5 : text.indexOf(" ", first);
		const nul = text.indexOf("\0", space + 1);
		if (space < 0 || nul < 0 || nul + 1 + idLength > text.length) break;
		starts.push(from + at);
		const end = nul + 1 + idLength;
		const id = text.slice(nul + 1, end);
		if (text.charCodeAt(first) === directoryByte && space - first === 5) {
			directories.ids.push(id);
			directories.offsets.push(from + nul + 1);
			directories.names.push(text.slice(space + 1, nul));
		} else if (wanted.has(id)) {
			files.ids.push(id);
			files.offsets.push(from + nul + 1);
		}
		at = end;
	}
	return { content, directories, files, starts, from, to: from + at };
}
