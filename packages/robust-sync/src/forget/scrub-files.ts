import fs from "node:fs";
import path from "node:path";
import { type Oid, textBytes } from "@robust-sync/git";
import { textOfBytes } from "@robust-sync/service/exact-operands";

/** The replacements for files outside of the working tree. */
export interface Scrub {
	/** The same content without values; the argument itself if it holds none. */
	clean(content: Buffer): Buffer;
	/** The same with the length kept, for a file that a program may have open. */
	cleanInPlace(content: Buffer): Buffer;
	/** The replacement of an object; absent: it stays. */
	replacement(oid: Oid): Oid | undefined;
	/** The id of a content as a blob. */
	blobId(content: Buffer): Oid;
	/** The placeholder for a file whose content was removed by its path; null: it was not. */
	instead(oid: Oid): Buffer | null;
}

/** Larger files are skipped, as in a search. */
const maxBytes = 512 * 1_048_576;

/** All regular files below a directory, as text for `textBytes`; no link is followed. */
export function* filesBelow(directory: string, skips: (file: string) => boolean = () => false): Generator<string> {
	let entries: fs.Dirent<Buffer>[];
	try {
		entries = fs.readdirSync(textBytes(directory), { withFileTypes: true, encoding: "buffer" });
	} catch {
		return;
	}
	for (const entry of entries) {
		const file = path.join(directory, textOfBytes(entry.name));
		if (skips(file)) continue;
		if (entry.isDirectory()) yield* filesBelow(file, skips);
		else if (entry.isFile()) yield file;
	}
}

const rawName = (file: string | Buffer): Buffer => (typeof file === "string" ? textBytes(file) : file);

/** The content of a regular file; null: it is none, too large, or cannot be read. */
export function contentOfFile(name: string | Buffer): Buffer | null {
	const file = rawName(name);
	try {
		const stats = fs.lstatSync(file);
		return stats.isFile() && stats.size <= maxBytes ? fs.readFileSync(file) : null;
	} catch {
		return null;
	}
}

/** The ranges in which two contents of the same length differ. */
function* differences(one: Buffer, other: Buffer): Generator<{ start: number; end: number }> {
	for (let at = 0; at < one.length; at++) {
		if (one[at] === other[at]) continue;
		const start = at;
		while (at < one.length && one[at] !== other[at]) at++;
		yield { start, end: at };
	}
}

/**
 * In place, so that a process that appends to it can continue.
 * @param before its content when it was read: of the same length, only what differs is written, and what a process adds meanwhile stays
 */
function overwrite(name: string | Buffer, content: Buffer, before?: Buffer): void {
	const file = rawName(name);
	const { mode } = fs.lstatSync(file);
	const isReadOnly = (mode & 0o200) === 0;
	if (isReadOnly) fs.chmodSync(file, mode | 0o200);
	const descriptor = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_NOFOLLOW);
	try {
		const isInPlace = before?.length === content.length;
		for (const { start, end } of isInPlace ? differences(before, content) : [{ start: 0, end: content.length }])
			for (let at = start; at < end; ) at += fs.writeSync(descriptor, content, at, end - at, at);
		if (!isInPlace) fs.ftruncateSync(descriptor, content.length);
		fs.fsyncSync(descriptor);
	} finally {
		fs.closeSync(descriptor);
		if (isReadOnly) fs.chmodSync(file, mode);
	}
}

/** Ids of objects in a text: each replaced one becomes its replacement. */
export function withNewIds(text: string, scrub: Pick<Scrub, "replacement">): string {
	return text.replace(/\b(?:[0-9a-f]{64}|[0-9a-f]{40})\b/g, (oid) => scrub.replacement(oid) ?? oid);
}

function scrubbed(content: Buffer, scrub: Scrub, isInPlace = false): Buffer {
	return scrub.instead(scrub.blobId(content)) ?? (isInPlace ? scrub.cleanInPlace(content) : scrub.clean(content));
}

/** Saved versions, kept files, waiting messages. @returns the number of changed files @throws the file system's error */
export function scrubFiles(directory: string, scrub: Scrub, skips: (file: string) => boolean = () => false): number {
	let count = 0;
	for (const file of filesBelow(directory, skips)) if (scrubFile(file, scrub)) count++;
	return count;
}

/** Logs, to which processes append: with their lengths kept. @returns as {@link scrubFiles} */
export function scrubLogs(directory: string, scrub: Scrub): number {
	let count = 0;
	for (const file of filesBelow(directory)) if (scrubFile(file, scrub, true)) count++;
	return count;
}

/**
 * One file or link, in place.
 * @param isOpen whether a program may have it open: then it keeps its length @returns whether it was changed @throws the file system's error
 */
export function scrubFile(file: string | Buffer, scrub: Scrub, isOpen = false): boolean {
	const content = contentOfFile(file);
	if (content === null) return scrubLink(rawName(file), scrub);
	const cleaned = scrubbed(content, scrub, isOpen);
	if (cleaned === content || cleaned.equals(content)) return false;
	overwrite(file, cleaned, content);
	return true;
}

function scrubLink(file: Buffer, scrub: Scrub): boolean {
	let target: Buffer;
	try {
		target = fs.readlinkSync(file, { encoding: "buffer" });
	} catch {
		return false;
	}
	const cleaned = scrub.clean(target);
	if (cleaned.equals(target)) return false;
	fs.unlinkSync(file);
	fs.symlinkSync(cleaned, file);
	return true;
}

/** State and manifests that name objects by their ids. @throws the file system's error */
export function scrubIds(directory: string, scrub: Scrub, isState: (file: string) => boolean): void {
	for (const file of filesBelow(directory)) {
		if (!isState(file)) continue;
		const text = contentOfFile(file)?.toString("utf8");
		if (text === undefined) continue;
		const changed = withNewIds(text, scrub);
		if (changed !== text) overwrite(file, Buffer.from(changed));
	}
}

interface KeptEntry {
	file?: unknown;
	size?: unknown;
	mtime_ms?: unknown;
}

/**
 * One directory of replaced files with its manifests: a file that matches its manifest still matches it, so that no late write is found.
 * @param kept the directory of the files: on another file system below the workspace they are separate @throws the file system's error
 */
export function scrubBackup(directory: string, kept: readonly string[], scrub: Scrub): number {
	let count = 0;
	const changed = new Map<string, { readonly before: fs.Stats; readonly after: fs.Stats }>();
	for (const root of kept)
		for (const file of filesBelow(root)) {
			if (root === directory && /^manifest(?:-\d+)?\.json$/.test(path.relative(root, file))) continue;
			const content = contentOfFile(file);
			if (content === null) continue;
			// A program that had it open before it was replaced still has.
			const cleaned = scrubbed(content, scrub, true);
			if (cleaned === content || cleaned.equals(content)) continue;
			const before = fs.lstatSync(textBytes(file));
			overwrite(file, cleaned, content);
			changed.set(path.relative(root, file), { before, after: fs.lstatSync(textBytes(file)) });
			count++;
		}
	for (const name of fs.readdirSync(directory).filter((one) => /^manifest(?:-\d+)?\.json$/.test(one))) {
		const file = path.join(directory, name);
		const text = contentOfFile(file)?.toString("utf8");
		if (text === undefined) continue;
		let manifest: { files?: KeptEntry[] };
		try {
			manifest = JSON.parse(withNewIds(text, scrub)) as { files?: KeptEntry[] };
		} catch {
			continue;
		}
		for (const entry of Array.isArray(manifest.files) ? manifest.files : []) {
			const stats = typeof entry.file === "string" ? changed.get(textOfBytes(Buffer.from(entry.file, "latin1"))) : undefined;
			if (stats === undefined || entry.size !== stats.before.size || entry.mtime_ms !== stats.before.mtimeMs) continue;
			entry.size = stats.after.size;
			entry.mtime_ms = stats.after.mtimeMs;
		}
		const next = `${JSON.stringify(manifest)}\n`;
		if (next !== text) overwrite(file, Buffer.from(next));
	}
	return count;
}
