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
	before?: unknown;
	size?: unknown;
	mtime_ms?: unknown;
}

/** A kept file that was changed. */
interface ChangedFile {
	readonly file: string;
	/** Its content before, and after that, as blobs. */
	readonly from: Oid;
	readonly to: Oid;
	readonly before: fs.Stats;
	readonly after: fs.Stats;
}

/** Bytes of kept files in memory at once. */
const batchBytes = 32 * 1_048_576;

/** Stores contents as blobs. */
type Store = (contents: readonly Buffer[]) => Promise<unknown>;

/** Cleans kept files in place. A program that had one open before it was replaced still has. */
async function* cleanKept(directory: string, kept: readonly string[], scrub: Scrub, store: Store): AsyncGenerator<ChangedFile> {
	let batch: { readonly name: string; readonly file: string; readonly content: Buffer; readonly cleaned: Buffer }[] = [];
	let bytes = 0;
	const flush = async () => {
		// What a program adds later is compared with it.
		if (batch.length > 0) await store(batch.map(({ cleaned }) => cleaned));
		const done = batch.map(({ name, file, content, cleaned }): ChangedFile => {
			const before = fs.lstatSync(textBytes(name));
			overwrite(name, cleaned, content);
			return { file, from: scrub.blobId(content), to: scrub.blobId(cleaned), before, after: fs.lstatSync(textBytes(name)) };
		});
		batch = [];
		bytes = 0;
		return done;
	};
	for (const root of kept)
		for (const name of filesBelow(root)) {
			const file = path.relative(root, name);
			if (root === directory && /^manifest(?:-\d+)?\.json$/.test(file)) continue;
			const content = contentOfFile(name);
			if (content === null) continue;
			const cleaned = scrubbed(content, scrub, true);
			if (cleaned === content || cleaned.equals(content)) continue;
			batch.push({ name, file, content, cleaned });
			bytes += 2 * content.length;
			if (bytes > batchBytes) yield* await flush();
		}
	yield* await flush();
}

/**
 * One directory of replaced files with its manifests: a file that matches its manifest still matches it, so that no late write is found, and one to
 * which a program adds later differs from the cleaned version by that alone.
 * @param kept the directory of the files: on another file system below the workspace they are separate @throws the file system's error; GitError
 */
export async function scrubBackup(directory: string, kept: readonly string[], scrub: Scrub, store: Store): Promise<number> {
	const changed = new Map<string, ChangedFile>();
	for await (const one of cleanKept(directory, kept, scrub, store)) changed.set(one.file, one);
	for (const name of fs.readdirSync(directory).filter((one) => /^manifest(?:-\d+)?\.json$/.test(one))) {
		const file = path.join(directory, name);
		const text = contentOfFile(file)?.toString("utf8");
		if (text === undefined) continue;
		let manifest: { files?: KeptEntry[] };
		let old: { files?: KeptEntry[] };
		try {
			old = JSON.parse(text) as { files?: KeptEntry[] };
			manifest = JSON.parse(withNewIds(text, scrub)) as { files?: KeptEntry[] };
		} catch {
			continue;
		}
		for (const [index, entry] of (Array.isArray(manifest.files) ? manifest.files : []).entries()) {
			const one = typeof entry.file === "string" ? changed.get(textOfBytes(Buffer.from(entry.file, "latin1"))) : undefined;
			if (one === undefined) continue;
			if (old.files?.[index]?.before === one.from) entry.before = one.to;
			if (entry.size !== one.before.size || entry.mtime_ms !== one.before.mtimeMs) continue;
			entry.size = one.after.size;
			entry.mtime_ms = one.after.mtimeMs;
		}
		const next = `${JSON.stringify(manifest)}\n`;
		if (next !== text) overwrite(file, Buffer.from(next));
	}
	return changed.size;
}
