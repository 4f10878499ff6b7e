import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Items } from "@robust-sync/system/items";
import { idLengthOf } from "../objects/object-id.ts";
import { readHead } from "../objects/refs.ts";
import { type GitPath, gitPathList } from "../paths/git-path.ts";
import { GitError } from "../process/errors.ts";
import { type Oid, Repository } from "../process/repository.ts";
import { editSmallIndex } from "./edit-index.ts";
import { entryToWrite, type IndexEntry } from "./index-entries.ts";
import type { IndexFlags } from "./index-flags.ts";

/**
 * Whether the index can be read (gitformat-index(5)): git does not fsync it, so a power cut may leave it empty or torn. A missing
 * one is whole: there is nothing in it.
 * @param thorough check its hash too; else its first bytes only
 */
export function isIndexWhole({ gitDirectory, objectFormat, config }: Repository, thorough: boolean): boolean {
	const file = path.join(gitDirectory, "index");
	const hashLength = idLengthOf({ objectFormat });
	let descriptor: number;
	try {
		descriptor = fs.openSync(file, "r");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
		throw error;
	}
	try {
		if (!thorough) {
			const signature = Buffer.alloc(4);
			return fs.readSync(descriptor, signature, 0, 4, 0) === 4 && signature.toString("latin1") === "DIRC";
		}
		const content = fs.readFileSync(descriptor);
		if (content.length < 12 + hashLength || content.toString("latin1", 0, 4) !== "DIRC") return false;
		const hash = content.subarray(-hashLength);
		const mayBeZero = config.get("index.skiphash") === "true" || config.get("feature.manyfiles") === "true";
		return (
			(mayBeZero && hash.every((byte) => byte === 0)) ||
			createHash(objectFormat).update(content.subarray(0, -hashLength)).digest().equals(hash)
		);
	} finally {
		fs.closeSync(descriptor);
	}
}

/** Whether there is no index: git makes it when it checks out for the first time, and a clone whose checkout it refused has none. */
export function isIndexMissing({ gitDirectory }: Pick<Repository, "gitDirectory">): boolean {
	return !fs.existsSync(path.join(gitDirectory, "index"));
}

/** Makes the index hold exactly what a tree or commit has, without reading the working tree. @throws GitError */
export async function readTreeIntoIndex(repository: Repository, tree: Oid): Promise<void> {
	await repository.run(["read-tree", "--end-of-options", tree]);
}

/**
 * Sets the index aside and makes it again from HEAD. Files are not touched: what differs from HEAD shows as changed.
 * @returns where the old one went
 */
export async function rebuildIndex(repository: Repository, label: string): Promise<string> {
	const directory = path.join(repository.commonDirectory, "robust-sync/torn-indexes");
	fs.mkdirSync(directory, { recursive: true });
	const destination = path.join(directory, label);
	const index = path.join(repository.gitDirectory, "index");
	if (fs.existsSync(index)) fs.renameSync(index, destination);
	if ((await readHead(repository)).oid !== null) await repository.run(["read-tree", "HEAD"]);
	return destination;
}

/** The input for git is written in pieces of this many entries. */
const entriesAPiece = 512;

/** The input of `git update-index -z --index-info`, in pieces. All paths are removed first, so that a file can become a directory. */
function* indexInfo(entries: Items<IndexEntry>, zeroOid: Oid): Generator<Buffer> {
	const lines: string[] = [];
	const piece = () => Buffer.from(lines.splice(0).join(""), "latin1");
	for (const { path: name } of entries) if (lines.push(`0 ${zeroOid}\t${name}\0`) >= entriesAPiece) yield piece();
	for (const each of entries) {
		const entry = entryToWrite(each);
		if (entry && lines.push(`${entry.mode} ${entry.oid}\t${each.path}\0`) >= entriesAPiece) yield piece();
	}
	yield piece();
}

/** Sets index entries as given, by one process at most; nothing is read from the working tree. Their index bits are gone afterwards. */
export async function writeIndexEntries(repository: Repository, entries: Items<IndexEntry>): Promise<void> {
	if (editSmallIndex(repository, entries)) return;
	await repository.run(["update-index", "-z", "--index-info"], {
		input: { [Symbol.iterator]: () => indexInfo(entries, repository.zeroOid) },
	});
}

/** How long to wait for a live git that holds the index. */
const lockTimeoutMs = 10_000;
const lockPauseMs = 25;

/** The index bits of those paths that get an entry. */
function flaggedAmong(entries: Items<IndexEntry>, flags: ReadonlyMap<GitPath, IndexFlags>): [GitPath, IndexFlags][] {
	const present = new Set<GitPath>();
	for (const { path: name, entry } of entries) if (entry && flags.has(name)) present.add(name);
	return [...flags].filter(([name]) => present.has(name));
}

/**
 * The same, with index bits on some of the paths, in one step: no process ever sees the new entry without its bits, whose content could then
 * be committed. The index is written under git's own lock and renamed.
 * @throws GitError INDEX_LOCKED, the file system's error
 */
export async function writeFlaggedIndexEntries(
	repository: Repository,
	entries: Items<IndexEntry>,
	flags: ReadonlyMap<GitPath, IndexFlags>,
): Promise<void> {
	const flagged = flags.size === 0 ? [] : flaggedAmong(entries, flags);
	if (flagged.length === 0) {
		await writeIndexEntries(repository, entries);
		return;
	}
	const index = path.join(repository.gitDirectory, "index");
	const lock = `${index}.lock`;
	const deadline = performance.now() + lockTimeoutMs;
	for (;;) {
		try {
			fs.copyFileSync(index, lock, fs.constants.COPYFILE_EXCL);
			break;
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			// A repository without an index: nothing in it has bits to lose yet.
			if (code === "ENOENT") {
				await writeIndexEntries(repository, entries);
				continue;
			}
			if (code !== "EEXIST") throw error;
			if (performance.now() > deadline)
				throw new GitError("INDEX_LOCKED", `${lock} is held by another git process: wait until it is done, or end it`);
			await sleep(lockPauseMs);
		}
	}
	try {
		const staged = new Repository({ ...repository, env: { ...repository.env, GIT_INDEX_FILE: lock } });
		await writeIndexEntries(staged, entries);
		const withBit = async (option: string, has: (flags: IndexFlags) => boolean) => {
			const names = flagged.filter(([, bits]) => has(bits)).map(([name]) => name);
			if (names.length > 0) await staged.run(["update-index", option, "-z", "--stdin"], { input: gitPathList(names) });
		};
		await withBit("--skip-worktree", (bits) => bits.skipWorktree);
		await withBit("--assume-unchanged", (bits) => bits.assumeUnchanged);
		fs.renameSync(lock, index);
	} catch (error) {
		fs.rmSync(lock, { force: true });
		throw error;
	}
}
