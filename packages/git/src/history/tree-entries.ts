import type { Oid } from "../process/repository.ts";

/** An id as a tree has it, one character a byte, and for people. */
export const binary = (oid: Oid): string => Buffer.from(oid, "hex").toString("latin1");
export const hex = (id: string): Oid => Buffer.from(id, "latin1").toString("hex");

/** Trees deeper than this stay as they are. */
export const maxLevels = 2_000;

/** Called for one entry of a tree: its id, binary, one character a byte; where its name and the entry itself are. */
export type ReceiveEntry = (isDirectory: boolean, id: string, nameStart: number, nameEnd: number, entryStart: number) => void;

const directoryByte = 0x34;
const zero = 0x30;
const blank = 0x20;

/** The entries of a tree, in order. What is behind a damaged one is left out. @param idLength bytes */
export function eachEntry(content: Buffer, idLength: number, receive: ReceiveEntry): void {
	for (let at = 0; at < content.length; ) {
		const space = content.indexOf(blank, at);
		const nul = content.indexOf(0, space + 1);
		if (space < 0 || nul < 0 || nul + 1 + idLength > content.length) return;
		const end = nul + 1 + idLength;
		let first = at;
		while (content[first] === zero) first++;
		receive(content[first] === directoryByte && space - first === 5, content.toString("latin1", nul + 1, end), space + 1, nul, at);
		at = end;
	}
}

/** Where something is in a tree: ids, one character a byte, and their offsets. */
export interface Ids {
	readonly ids: readonly string[];
	readonly offsets: readonly number[];
}

/** A tree with what may have to be replaced in it. */
export interface ScannedTree {
	readonly content: Buffer;
	readonly directories: Ids;
	/** Files with an id of those asked for. */
	readonly files: Ids;
}

/** Looks through a tree once: one string for all of it costs less than one for each id. @param idLength bytes @param wanted ids of files */
export function scanTree(content: Buffer, idLength: number, wanted: { has(id: string): boolean }): ScannedTree {
	const text = content.toString("latin1");
	const directories: { ids: string[]; offsets: number[] } = { ids: [], offsets: [] };
	const files: { ids: string[]; offsets: number[] } = { ids: [], offsets: [] };
	for (let at = 0; at < text.length; ) {
		let first = at;
		while (text.charCodeAt(first) === zero) first++;
		// Modes have five digits or six.
		const space = text.charCodeAt(first + 5) === blank ? first + 5 : text.indexOf(" ", first);
		const nul = text.indexOf("\0", space + 1);
		if (space < 0 || nul < 0 || nul + 1 + idLength > text.length) break;
		const end = nul + 1 + idLength;
		const id = text.slice(nul + 1, end);
		if (text.charCodeAt(first) === directoryByte && space - first === 5) {
			directories.ids.push(id);
			directories.offsets.push(nul + 1);
		} else if (wanted.has(id)) {
			files.ids.push(id);
			files.offsets.push(nul + 1);
		}
		at = end;
	}
	return { content, directories, files };
}
