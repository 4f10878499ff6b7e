import fs from "node:fs";
import {
	directoriesAbove,
	displayPath,
	excludedAmong,
	fileSystemPath,
	type GitPath,
	mountStoreName,
	readStatus,
	type Status,
	withoutSlash,
	withSlash,
} from "@robust-sync/git";
import { isOwnPath } from "@robust-sync/resolve";
import { Column, type Items, viewOf } from "@robust-sync/system/items";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { neverCommitted, type SkippedFile } from "@robust-sync/workspace";
import { type HeldView, mountsNow, viewHeld } from "../checkout/held.ts";
import { findSpecialFiles, isDatabase, isStillSpecial, liveDatabaseOf, reasonToSkip, skippedFile } from "../checkout/skipped-files.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { refusedFiles } from "../remote/refused-list.ts";
import { findBareLinks, openNestedRepositories } from "./nested-repositories.ts";
import { noticeOtherHead } from "./own-tracked.ts";

// The step scan of a cycle: the entries of git and of the disk, sorted into those to commit and those to leave out.

/** The entries to commit now, sorted for git: deletions first, so that a file can become a directory. */
export interface Candidates {
	readonly status: Status;
	readonly changed: Items<GitPath>;
	readonly skipped: readonly SkippedFile[];
	readonly held: HeldView;
	/** Databases that a program has open: the file on disk must not be committed, a copy by the database itself may. */
	readonly databases: readonly GitPath[];
}

/** Sockets and the like come and go without a trace in git; a search for them costs a walk. */
const scanIntervalMs = 10 * 60_000;

/** Reads the status and leaves out the paths that are never committed (docs/contract.md). Opens nested repositories by SYNC_NESTED. */
export async function findCandidates(context: CycleContext): Promise<Candidates> {
	const { repository, config, memory, now } = context;
	const scan = now() - memory.scannedAt >= scanIntervalMs || now() < memory.scannedAt;
	const mountedBefore = mountsNow(context);
	await memory.placed.settleBeforeScan(repository);
	const untouched = memory.placed.untouched(repository);
	const [first, specialFiles, bareLinks] = await Promise.all([
		readStatus(repository, untouched),
		scan ? findSpecialFiles(repository.root) : memory.specialFiles,
		scan ? findBareLinks(repository) : memory.bareLinks,
	]);
	if (scan) {
		memory.scannedAt = now();
		memory.specialFiles = specialFiles;
		memory.bareLinks = bareLinks;
	}
	let status = first;
	noticeOtherHead(context, status.head);
	const nested = new Set<GitPath>();
	if (bareLinks.length > 0) {
		// Another tool's `git add` committed a link in place of the files.
		const { skipped, opened } = await openNestedRepositories(repository, bareLinks, config.syncNested);
		for (const directory of skipped) nested.add(withSlash(directory));
		memory.bareLinks = skipped;
		if (opened) status = await readStatus(repository, untouched);
	}
	// One round opens the repositories of one depth; a repository inside them shows up in the next.
	for (let depth = 0; depth < 16; depth++) {
		const directories = status.entries
			.filter((entry) => entry.kind === "untracked" && entry.path.endsWith("/") && !nested.has(entry.path))
			.map((entry) => entry.path);
		if (directories.length === 0) break;
		const { skipped, opened } = await openNestedRepositories(repository, directories, config.syncNested);
		for (const directory of skipped) nested.add(withSlash(directory));
		if (!opened) break;
		status = await readStatus(repository, untouched);
	}
	const mounted = mountsNow(context);
	const held = await viewHeld(context, status, new Set([...mountedBefore].filter((mount) => mounted.has(mount))));
	const skipped: SkippedFile[] = [...nested].map((directory) => skippedFile(withoutSlash(directory), "nested-repository"));
	skipped.push(
		...specialFiles.filter((file) => isStillSpecial(repository, file)).map((file) => ({ path: file, reason: "special-file" as const })),
	);
	skipped.push(...status.refused.map((name) => skippedFile(name, "refused-path")));
	skipped.push(...status.unreadable.map((directory) => skippedFile(directory, "unreadable")));
	/** The indexes of the entries to commit. */
	const chosen = new Column();
	const refused = refusedFiles(context);
	const databases = new Set<GitPath>();
	const isUntracked = untrackedAmong(status);
	const paths = viewOf(status.entries, (entry) => entry.path);
	const excluded = await excludedAmong(repository, paths);
	for (const [number, entry] of status.entries.entries()) {
		const { path: name, submodule, kind, index } = entry;
		if (held.hides(entry) || refused.has(name) || excluded.has(name)) continue;
		// `git rm --cached` of an ignored file: the person wants it here and not in commits.
		if (kind === "changed" && index === "D" && !isUntracked(name) && !isGone(repository.root, name)) continue;
		// A link that files below it have replaced is removed from the index already.
		if (isOwnPath(name)) {
			// A person has added it to the index.
			if (index !== "?" && index !== "D") memory.ownTrackedChecked = false;
			else if (index === "?" && !isExactlyOurs(name)) skipped.push(skippedFile(name, "refused-path"));
			continue;
		}
		// Own files there, or an entry in their place; its own `.gitignore` may be gone.
		if (kind === "untracked" && isInMountStore(name, mounted)) {
			if (!isGone(repository.root, name)) skipped.push(skippedFile(name, "refused-path"));
			continue;
		}
		if (submodule && index === "D") continue;
		if (name.endsWith("/") || nested.has(withSlash(name))) continue;
		if (submodule && kind === "changed" && fs.existsSync(Buffer.concat([fileSystemPath(repository.root, name), Buffer.from("/.git")]))) {
			chosen.push(number);
			continue;
		}
		const reason = reasonToSkip(repository, name, config.maxFileMb);
		if (reason === null && memory.forget.isWaiting(name)) {
			// A copy of it is cleaned. Any other file is reported, and waits.
			if (isDatabase(repository, name) && !held.state.paths.has(name)) databases.add(name);
		} else if (reason === null) chosen.push(number);
		else if (reason === "live-database") {
			const database = liveDatabaseOf(repository, name) ?? name;
			// A database that waits for its program has an older version than HEAD.
			if (!held.state.paths.has(database)) databases.add(database);
		} else if (!skipped.some((entry) => entry.path === displayPath(name))) skipped.push(skippedFile(name, reason));
	}
	return { status, changed: paths.select(chosen), skipped, held, databases: [...databases] };
}

/** Whether a path is untracked. They are listed at the first question: a tree may have a million of them. */
export function untrackedAmong({ entries }: Status): (name: GitPath) => boolean {
	let untracked: Set<GitPath> | null = null;
	return (name) => {
		if (untracked === null) {
			untracked = new Set();
			for (const { kind, path } of entries) if (kind === "untracked") untracked.add(path);
		}
		return untracked.has(name);
	};
}

/** Whether a path is the directory that we keep at the top of a file system below the workspace, or in it. */
function isInMountStore(name: GitPath, mounts: ReadonlySet<GitPath>): boolean {
	return [...mounts].some((mount) => `${name}/`.startsWith(`${mount}/${mountStoreName}/`));
}

// Excluded by .git/info/exclude, but a `.gitignore` may override that.
function isExactlyOurs(name: GitPath): boolean {
	return neverCommitted.some((own) => name === own || name.startsWith(`${own}/`));
}

/** Whether the path has no file: it is gone, or a directory. */
export function isGone(root: string, name: GitPath): boolean {
	try {
		const stats = lstatIfThere(fileSystemPath(root, name));
		return !stats || stats.isDirectory();
	} catch {
		return false;
	}
}

export function hasLinkAbove(root: string, name: GitPath): boolean {
	return directoriesAbove(name).some((above) => lstatIfThere(fileSystemPath(root, above))?.isSymbolicLink());
}

/** Whether there is nothing at a path; unknown counts as something. */
export function isNothing(root: string, name: GitPath): boolean {
	try {
		return lstatIfThere(fileSystemPath(root, name)) === null;
	} catch {
		return false;
	}
}
