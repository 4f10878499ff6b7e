import fs from "node:fs";
import path from "node:path";
import { type Oid, type Repository, textBytes } from "@robust-sync/git";
import { textOfBytes } from "@robust-sync/service/exact-operands";
import { writeAtomicSync } from "@robust-sync/system/atomic-write";
import { faultPoint } from "@robust-sync/system/fault-points";
import { blobId } from "./find-maps.ts";
import { type Values, withoutValues, withoutValuesInPlace } from "./value.ts";

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

/** The part of it that removes values. */
export const scrubOfValues = (repository: Repository, values: Values): Pick<Scrub, "clean" | "cleanInPlace" | "blobId"> => ({
	clean: (content) => withoutValues(content, values),
	cleanInPlace: (content) => withoutValuesInPlace(content, values),
	blobId: (content) => blobId(repository, content),
});

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

/** The content of a file after cleaning. @param isInPlace whether its length is kept */
export function scrubbed(content: Buffer, scrub: Scrub, isInPlace = false): Buffer {
	return scrub.instead(scrub.blobId(content)) ?? (isInPlace ? scrub.cleanInPlace(content) : scrub.clean(content));
}

/**
 * All files below a directory, such as saved versions, waiting messages and logs.
 * @param areOpen whether programs may have them open, as for {@link scrubFile}
 * @returns the number of changed files @throws the file system's error
 */
export function scrubFiles(
	directory: string,
	scrub: Scrub,
	{ skips, areOpen }: { readonly skips?: (file: string) => boolean; readonly areOpen?: boolean } = {},
): number {
	let count = 0;
	for (const file of filesBelow(directory, skips)) if (scrubFile(file, scrub, areOpen)) count++;
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
	if (cleaned.equals(content)) return false;
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

/** A kept file to be changed. */
interface KeptChange {
	readonly name: string;
	/** Its name in the manifest. */
	readonly file: string;
	readonly content: Buffer;
	readonly cleaned: Buffer;
	readonly before: fs.Stats;
}

/** Bytes of kept files in memory at once. */
const batchBytes = 32 * 1_048_576;

/** The objects of the repository, as far as kept files are compared with them. */
export interface KeptObjects {
	/** Stores contents as blobs. */
	store(contents: readonly Buffer[]): Promise<unknown>;
	/** The existing ones of some blobs. */
	read(oids: readonly Oid[]): Promise<ReadonlyMap<Oid, Buffer>>;
}

/** The kept files to be changed, a limited number of bytes at once. */
function* keptChanges(directory: string, kept: readonly string[], scrub: Scrub): Generator<KeptChange[]> {
	let batch: KeptChange[] = [];
	let bytes = 0;
	for (const root of kept)
		for (const name of filesBelow(root)) {
			const file = path.relative(root, name);
			if (root === directory && isManifest(file)) continue;
			const before = fs.lstatSync(textBytes(name), { throwIfNoEntry: false });
			const content = contentOfFile(name);
			if (content === null || before === undefined) continue;
			const cleaned = scrubbed(content, scrub, true);
			if (cleaned.equals(content)) continue;
			batch.push({ name, file, content, cleaned, before });
			bytes += 2 * content.length;
			if (bytes <= batchBytes) continue;
			yield batch;
			[batch, bytes] = [[], 0];
		}
	yield batch;
}

const isManifest = (file: string) => /^manifest(?:-\d+)?\.json$/.test(file);

/**
 * Replaces what changes in the parts of a backup's manifest. A reader finds the old or the new one of each; the first part is written last, and whenever
 * another one is, so that it shows a change of any.
 * @throws the file system's error; GitError
 */
async function changeManifests(directory: string, change: (entries: KeptEntry[]) => unknown, ids = (text: string) => text): Promise<void> {
	let isChanged = false;
	for (const name of fs.readdirSync(directory).filter(isManifest).sort()) {
		const file = path.join(directory, name);
		const text = contentOfFile(file)?.toString("utf8");
		if (text === undefined) continue;
		let manifest: { files?: KeptEntry[] };
		try {
			manifest = JSON.parse(ids(text)) as { files?: KeptEntry[] };
		} catch {
			continue;
		}
		if (Array.isArray(manifest.files)) await change(manifest.files);
		const next = `${JSON.stringify(manifest)}\n`;
		if (next === text && !(isChanged && name === "manifest.json")) continue;
		writeAtomicSync(file, next);
		isChanged = true;
	}
}

/**
 * The versions with which late writes are compared: each becomes what cleaning in place makes of it, so that a write before or after that is
 * the only difference.
 */
async function changeBefores(entries: readonly KeptEntry[], changed: ReadonlyMap<string, KeptChange>, scrub: Scrub, objects: KeptObjects) {
	const written: { readonly entry: KeptEntry; readonly before: Oid }[] = [];
	for (const entry of entries) {
		const one = changeOf(entry, changed);
		if (one === undefined || typeof entry.before !== "string") continue;
		if (entry.before === scrub.blobId(one.content)) entry.before = scrub.blobId(one.cleaned);
		else written.push({ entry, before: entry.before });
	}
	if (written.length === 0) return;
	const contents = await objects.read(written.map(({ before }) => before));
	for (const { entry, before } of written) {
		const content = contents.get(before);
		if (content === undefined) continue;
		const cleaned = scrubbed(content, scrub, true);
		if (cleaned.equals(content)) continue;
		await objects.store([cleaned]);
		entry.before = scrub.blobId(cleaned);
	}
}

function changeOf({ file }: KeptEntry, changed: ReadonlyMap<string, KeptChange>): KeptChange | undefined {
	return typeof file === "string" ? changed.get(textOfBytes(Buffer.from(file, "latin1"))) : undefined;
}

/** Size and time of a file that matched its manifest. */
function changeTimes(entries: readonly KeptEntry[], changed: ReadonlyMap<string, KeptChange>): void {
	for (const entry of entries) {
		const one = changeOf(entry, changed);
		if (one === undefined || entry.size !== one.before.size || entry.mtime_ms !== one.before.mtimeMs) continue;
		const after = fs.lstatSync(textBytes(one.name));
		entry.size = after.size;
		entry.mtime_ms = after.mtimeMs;
	}
}

/**
 * One directory of replaced files with its manifests: a file that matches its manifest still matches it, so that no late write is found, and one to
 * which a program adds later differs from the cleaned version by that alone. The manifest names the cleaned versions before a file is cleaned: after
 * a kill, one that was cleaned already equals its version.
 * @param kept the directory of the files: on another file system below the workspace they are separate @throws the file system's error; GitError
 */
export async function scrubBackup(directory: string, kept: readonly string[], scrub: Scrub, objects: KeptObjects): Promise<number> {
	let count = 0;
	for (const batch of keptChanges(directory, kept, scrub)) {
		if (batch.length === 0) continue;
		const changed = new Map(batch.map((one) => [one.file, one]));
		await objects.store(batch.map(({ cleaned }) => cleaned));
		await changeManifests(directory, (entries) => changeBefores(entries, changed, scrub, objects));
		faultPoint("forget-kept");
		// A program that had one open before it was replaced still has.
		for (const { name, content, cleaned } of batch) overwrite(name, cleaned, content);
		faultPoint("forget-kept-cleaned");
		await changeManifests(directory, (entries) => changeTimes(entries, changed));
		count += batch.length;
	}
	await changeManifests(
		directory,
		() => undefined,
		(text) => withNewIds(text, scrub),
	);
	return count;
}
