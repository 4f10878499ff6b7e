import { isUtf8 } from "node:buffer";
import fs from "node:fs";
import { setImmediate } from "node:timers/promises";
import {
	displayPath,
	fileSystemPath,
	type GitPath,
	gitPathBytes,
	hasOtherNameBelow,
	isFileMode,
	type Oid,
	parentOf,
	parseGitPathList,
	type Repository,
	readDiskFile,
	readIndexFlags,
	readObjectsWhole,
	storeBlobs,
	writeFlaggedIndexEntries,
} from "@robust-sync/git";
import { isOwnPath, isWithin } from "@robust-sync/resolve";
import { formatSize } from "@robust-sync/system/format-size";
import type { HoldReason } from "@robust-sync/workspace";
import { replaceOnDisk } from "../checkout/replace-on-disk.ts";
import { liveDatabaseOf } from "../checkout/skipped-files.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { blobId } from "./find-maps.ts";
import { type Values, withoutValues } from "./value.ts";
import { databaseBeside, removeBesideDatabase } from "./waiting-files.ts";

/** Bytes of the working tree in memory at once. */
const batchBytes = 32 * 1_048_576;
const batchFiles = 2_000;
/** Files that are read without a pause. */
const filesAtOnce = 200;
const maxFileBytes = 512 * 1_048_576;
/** A file that its writer fills with the value repeatedly is left to the scanner. */
const maxRounds = 3;

/** Files of the working tree that git does not ignore. @param below one of these paths; none: all @throws GitError */
export async function workingFiles(repository: Repository, below: readonly string[] = []): Promise<GitPath[]> {
	// Pathspecs that are not UTF-8 cannot be operands: all files are listed.
	const { stdout } = await repository.run(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
	const isBelow = (name: GitPath) => below.length === 0 || below.some((one) => isWithin(name, one));
	return [...new Set(parseGitPathList(stdout))].filter((name) => isBelow(name) && !isOwnPath(name));
}

/** The result of cleaning working copies. */
export interface CleanedCopies {
	/** Old blobs of files that had a value, with the cleaned ones. */
	readonly replaced: ReadonlyMap<Oid, Oid>;
	/** Files that still have one, or whose programs have one still to write, and the obstacles. */
	readonly waiting: ReadonlyMap<GitPath, HoldReason>;
}

/**
 * Replaces values in the files of the working tree, as a person would, by an exchange that keeps the old file, which is cleaned later. A database that a
 * program has open stays, and what SQLite writes beside it.
 * @param names only these files; absent: all
 * @param inPlace what takes the place of a blob in history: of a file that has it, too, so that it is not a change @throws GitError, the file system's error
 */
export async function cleanWorkingCopies(
	context: CycleContext,
	values: Values,
	{ names, inPlace }: { readonly names?: readonly GitPath[]; readonly inPlace?: (oid: Oid) => Oid | undefined } = {},
): Promise<CleanedCopies> {
	const { repository, paths, log } = context;
	const replaced = new Map<Oid, Oid>();
	const waiting = new Map<GitPath, HoldReason>();
	/** Blobs of history that took the place of others. */
	const settled = new Set<Oid>();
	if (values.size === 0) return { replaced, waiting };
	const wait = (name: GitPath, reason: HoldReason) => {
		log.warn(`${JSON.stringify(displayPath(name))} cannot be replaced now (${reason}): it still has forgotten content`);
		waiting.set(name, reason);
	};
	for (let round = 1; round <= maxRounds; round++) {
		let changed = 0;
		let batch: { path: GitPath; mode: string; content: Buffer; replaces: Buffer }[] = [];
		let bytes = 0;
		const flush = async () => {
			if (batch.length === 0) return;
			const stored = await storeBlobs(
				repository,
				paths.staging,
				batch.flatMap(({ content, replaces }) => [content, replaces]),
			);
			const changes = batch.map(({ path: name, mode }, index) => ({
				path: name,
				before: { mode, oid: stored[2 * index + 1] as Oid },
				after: { mode, oid: stored[2 * index] as Oid },
			}));
			const { held } = await replaceOnDisk(context, changes, false);
			for (const { path: name, obstacle } of held) wait(name, obstacle);
			batch = [];
			bytes = 0;
		};
		let visited = 0;
		for (const name of names ?? (await workingFiles(repository))) {
			if (waiting.has(name)) continue;
			// Timers, such as that of the lock, run meanwhile.
			if (++visited % filesAtOnce === 0) await setImmediate();
			let file: ReturnType<typeof readDiskFile>;
			try {
				const stats = fs.lstatSync(fileSystemPath(repository.root, name));
				if (stats.size > maxFileBytes || !(stats.isFile() || stats.isSymbolicLink())) {
					if (stats.isFile())
						log.warn(
							`${JSON.stringify(displayPath(name))} is larger than ${formatSize(maxFileBytes)}: it is not searched for forgotten content`,
						);
					continue;
				}
				file = readDiskFile(repository, name);
			} catch {
				continue;
			}
			if (file === null) continue;
			const cleaned = withoutValues(file.content, values);
			if (cleaned.equals(file.content)) continue;
			const before = blobId(repository, file.content);
			if (settled.has(before)) continue;
			const after = inPlace?.(before);
			if (after !== undefined) settled.add(after);
			const isSame = after === undefined || after === blobId(repository, cleaned);
			const content = isSame ? cleaned : ((await readObjectsWhole(repository, [after])).get(after) ?? cleaned);
			const database = databaseBeside(repository.root, name, file.content);
			if (database !== null) {
				for (const one of [name, database]) if (!waiting.has(one)) wait(one, "live-database");
				continue;
			}
			changed++;
			replaced.set(before, blobId(repository, content));
			if (file.mode === "120000") {
				const link = fileSystemPath(repository.root, name);
				fs.unlinkSync(link);
				fs.symlinkSync(content, link);
			} else if (isFileMode(file.mode)) {
				batch.push({ path: name, mode: file.mode === "100755" ? "100755" : "100644", content, replaces: Buffer.from(file.content) });
				bytes += 2 * content.length;
			}
			if (bytes > batchBytes || batch.length >= batchFiles) await flush();
		}
		await flush();
		if (changed === 0) break;
	}
	return { replaced, waiting };
}

/** Removes files of the working tree at, and below, some paths. Ignored ones stay. @throws GitError, the file system's error */
export async function removeWorkingCopies({ repository }: CycleContext, paths: readonly string[]): Promise<void> {
	if (paths.length === 0) return;
	for (const name of await workingFiles(repository, paths)) {
		if (hasOtherNameBelow(repository, name)) continue;
		const file = fileSystemPath(repository.root, name);
		// A directory is another repository in this one, which is not part of the history.
		if (fs.lstatSync(file, { throwIfNoEntry: false })?.isDirectory()) continue;
		const isInUse = liveDatabaseOf(repository, name) === name;
		fs.rmSync(file, { force: true, recursive: false });
		if (isInUse) removeBesideDatabase(file);
		for (let above = parentOf(name); above !== null; above = parentOf(above)) {
			try {
				fs.rmdirSync(fileSystemPath(repository.root, above));
			} catch {
				break;
			}
		}
	}
}

/**
 * Replaces or removes index entries of blobs.
 * @param replaced the replacement of a blob; null: the entry is removed @param paths whose entries are removed
 * @returns the blobs that the index has now @throws GitError
 */
export async function rewriteIndex(
	repository: Repository,
	replaced: (oid: Oid) => Oid | undefined,
	paths: readonly string[],
): Promise<Set<Oid>> {
	const { stdout } = await repository.run(["ls-files", "-s", "-z"]);
	const left = new Set<Oid>();
	const entries: { path: GitPath; entry: { mode: string; oid: Oid } | null }[] = [];
	for (const record of stdout.toString("latin1").split("\0").filter(Boolean)) {
		const tab = record.indexOf("\t");
		const [mode = "", oid = ""] = record.slice(0, tab).split(" ");
		const [name] = parseGitPathList(Buffer.from(record.slice(tab + 1), "latin1"));
		if (name === undefined) continue;
		const isGone = paths.some((one) => isWithin(name, one));
		const now = replaced(oid);
		if (isGone) entries.push({ path: name, entry: null });
		else if (now !== undefined) entries.push({ path: name, entry: { mode, oid: now } });
		if (!isGone) left.add(now ?? oid);
	}
	if (entries.length > 0) {
		const flags = await readIndexFlags(
			repository,
			entries.map(({ path: name }) => name),
		);
		await writeFlaggedIndexEntries(repository, entries, flags);
	}
	return left;
}

/** The leading part of a path that is UTF-8, as an operand has to be. "": none, so that all paths are compared. */
function textPart(name: GitPath): string {
	const parts = gitPathBytes(name).toString("latin1").split("/");
	const end = parts.findIndex((part) => !isUtf8(Buffer.from(part, "latin1")));
	return Buffer.from((end < 0 ? parts : parts.slice(0, end)).join("/"), "latin1").toString("utf8");
}

/** Blobs of commits at, and below, some paths. @throws GitError */
export async function blobsAt(repository: Repository, commits: readonly Oid[], paths: readonly GitPath[]): Promise<Map<GitPath, Set<Oid>>> {
	const found = new Map<GitPath, Set<Oid>>();
	for (const name of paths) {
		const options = ["--stdin", "--no-commit-id", "--raw", "-z", "-r", "-m", "--root", "--no-abbrev", "--no-renames"];
		const part = textPart(name);
		const { stdout } = await repository.run(["diff-tree", ...options, "--", ...(part === "" ? [] : [`:(top,literal)${part}`])], {
			input: `${commits.join("\n")}\n`,
		});
		const oids = new Set<Oid>();
		const records = stdout.toString("latin1").split("\0");
		// Two each: the modes and ids before and after (git-diff-tree(1), RAW OUTPUT FORMAT).
		for (let index = 0; index + 1 < records.length; index += 2) {
			const [, , before = "", after = ""] = (records[index] ?? "").split(" ");
			const at = records[index + 1] ?? "";
			if (!isWithin(at, name)) continue;
			for (const oid of [before, after]) if (!/^0+$/.test(oid)) oids.add(oid);
		}
		found.set(name, oids);
	}
	return found;
}
