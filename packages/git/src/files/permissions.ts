import path from "node:path";
import type { FileName, FileStats, Files } from "@robust-sync/system/files";
import { isArgument } from "../objects/tree-paths.ts";
import { displayPath, fileSystemPath, type GitPath, parentOf } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";
import { fileMode } from "./disk-file.ts";

// git carries one permission bit, the owner's x. All else of a file's permissions is local, and stays when its content is replaced.

/** The permission bits of a file that replaces another: those of the old one, with x from git's mode. */
export function keptBits(bits: number, gitMode: string | undefined): number {
	const isExecutable = (bits & 0o100) !== 0;
	if (gitMode === "100755") return isExecutable ? bits & 0o777 : (bits & 0o777) | ((bits & 0o444) >> 2);
	return isExecutable ? bits & 0o666 : bits & 0o777;
}

/**
 * Gives a new file the owner, group and permission bits of the one that it will replace. An owner or group that this user cannot give
 * stays as it is. @param gitMode of the new file @returns whether the new file has changed
 */
export function keepPermissions(files: Files, file: FileName, replaced: FileStats, gitMode: string | undefined): boolean {
	const own = files.lstat(file);
	if (own.isSymbolicLink() || !replaced.isFile()) return false;
	const isOwned = own.uid === replaced.uid && own.gid === replaced.gid;
	if (!isOwned) {
		try {
			files.lchown(file, replaced.uid, replaced.gid);
		} catch {
			try {
				files.lchown(file, own.uid, replaced.gid);
			} catch {
				// Only root can give files away; a group must be one's own.
			}
		}
	}
	// If the group differs, its bits would apply to another group.
	const now = isOwned ? own : files.lstat(file);
	const bits = keptBits(replaced.mode, gitMode) & (now.gid === replaced.gid ? 0o777 : 0o707);
	const hasBits = (now.mode & 0o7777) === bits;
	if (!hasBits) setBits(files, file, bits);
	return !isOwned || !hasBits;
}

/** Sets the permission bits of a file of ours. Some file systems have none. */
function setBits(files: Files, file: FileName, bits: number): void {
	try {
		files.chmod(file, bits);
	} catch (error) {
		if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
	}
}

/**
 * The mode of a file after a checkout has replaced its content. A program's change of the executable bit since the last commit stays.
 * @param before as it was committed @param onDisk the file that is replaced @param after as it comes in
 */
export function mergedMode(before: string | undefined, onDisk: FileStats, after: string | undefined): string | undefined {
	if (!onDisk.isFile() || after === "120000" || (before !== "100644" && before !== "100755")) return after;
	const there = fileMode(onDisk);
	return there === before ? after : there;
}

/** The permission bits of a new file in open(2): the umask restricts them. */
export const newFileBits = (gitMode: string | undefined): number => (gitMode === "100755" ? 0o777 : 0o666);

/** Gives our file the permission bits that a program set on the old file at the moment of the swap. @returns whether our file has changed */
export function carryBits(files: Files, file: string, before: FileStats, after: FileStats): boolean {
	const changed = (before.mode ^ after.mode) & 0o777;
	if (changed === 0 || !before.isFile() || !after.isFile()) return false;
	const own = files.lstat(file);
	if (own.isFile()) setBits(files, file, (own.mode & 0o777 & ~changed) | (after.mode & changed));
	return own.isFile();
}

/** With more directories than this, their ACLs are not read one by one. */
const maxAsked = 1_000;

/** The directories that have an access control list; none if there are too many to ask. */
async function withAcl(files: Files, root: string, directories: readonly string[]): Promise<ReadonlySet<string>> {
	if (directories.length === 0 || directories.length > maxAsked) return new Set();
	const found = await files.withAccessLists(directories.map((name) => path.join(root, name)));
	return new Set(directories.filter((name) => found.has(path.join(root, name))));
}

/**
 * The directories that pass a group (setgid) or a default access control list on to new files in them. For a directory that does not
 * exist yet, its nearest existing parent decides.
 * @param parents directories of the working tree; null: its top
 */
export async function inheritingDirectories(
	{ root, files }: Pick<Repository, "root" | "files">,
	parents: Iterable<GitPath | null>,
): Promise<Set<GitPath | null>> {
	const nearest = new Map<GitPath | null, GitPath | null>();
	const stats = new Map<GitPath | null, FileStats | null>();
	const statOf = (name: GitPath | null) => {
		const known = stats.get(name);
		if (known !== undefined) return known;
		let found: FileStats | null = null;
		try {
			found = files.lstatIfThere(name === null ? root : fileSystemPath(root, name));
		} catch {
			// No permission to read it: placing the file reports that.
		}
		stats.set(name, found);
		return found;
	};
	for (const parent of new Set(parents)) {
		let at = parent;
		while (at !== null && statOf(at) === null) at = parentOf(at);
		nearest.set(parent, at);
		statOf(at);
	}
	const existing = [...new Set(nearest.values())];
	const setgid = new Set(existing.filter((name) => ((statOf(name)?.mode ?? 0) & 0o2000) !== 0));
	const others = existing.filter((name) => !setgid.has(name) && (name === null || isArgument(name)));
	const acl = await withAcl(
		files,
		root,
		others.map((name) => (name === null ? "." : displayPath(name))),
	);
	const special = new Set([...setgid, ...others.filter((name) => acl.has(name === null ? "." : displayPath(name)))]);
	return new Set([...nearest].filter(([, at]) => special.has(at)).map(([parent]) => parent));
}

/**
 * Makes an empty file in a directory, so that the kernel applies the directory's defaults, and moves it to `file`.
 * @param beside a free name in that directory @param gitMode of the new file @returns whether that could be done
 */
export function makeInheritingFile(files: Files, beside: Buffer, file: string, gitMode: string | undefined): boolean {
	try {
		files.writeFile(beside, Buffer.alloc(0), { mode: newFileBits(gitMode), isNew: true });
	} catch {
		return false;
	}
	try {
		files.rename(beside, file);
		return true;
	} catch {
		files.unlinkIfThere(beside);
		return false;
	}
}
