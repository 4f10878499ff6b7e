import { spawn } from "node:child_process";
import {
	displayPath,
	fileSystemPath,
	type GitPath,
	gitPathIfAllowed,
	isSpecial,
	type RawPath,
	type Repository,
	sqliteMagic,
} from "@robust-sync/git";
import { type FileStats, type Files, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "@robust-sync/system/files";
import { neverCommitted, type SkippedFile } from "@robust-sync/workspace";

/** The working tree of a repository, and the files that it is on. */
type Tree = Pick<Repository, "root" | "files">;

function exists({ root, files }: Tree, name: string): boolean {
	const file = gitPathIfAllowed(name);
	return file !== null && files.lstatIfThere(fileSystemPath(root, file)) !== null;
}

function startsWith(files: Files, file: Buffer, magic: Buffer): boolean {
	const descriptor = files.open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	try {
		const head = Buffer.alloc(magic.length);
		return files.read(descriptor, head) === magic.length && head.equals(magic);
	} finally {
		files.close(descriptor);
	}
}

/** Whether a file begins as an SQLite database does. */
export function isDatabase({ root, files }: Tree, name: GitPath): boolean {
	try {
		return startsWith(files, fileSystemPath(root, name), sqliteMagic);
	} catch {
		return false;
	}
}

/** The database that a file is beside, by its name: `-wal`, `-journal` or `-shm`. Null: it has no such name. */
export const databaseByName = (name: GitPath): GitPath | null => gitPathIfAllowed(/^(.+)-(?:wal|journal|shm)$/s.exec(name)?.[1] ?? "");

/** The database that a file belongs to while a program has it open: the file itself, or the database of a `-wal` file. Null: none. */
export function liveDatabaseOf(tree: Tree, name: GitPath): GitPath | null {
	const owner = databaseByName(name);
	const database = owner !== null && exists(tree, owner) ? owner : name;
	if (!exists(tree, `${database}-wal`) && !exists(tree, `${database}-journal`)) return null;
	return isDatabase(tree, database) ? database : null;
}

/** The reason why a path cannot be committed now; null: it can (also a deleted one, which is a change like any other). */
export function reasonToSkip(tree: Tree, name: GitPath, maxFileMb: number): SkippedFile["reason"] | null {
	const { root, files } = tree;
	const file = fileSystemPath(root, name);
	let stats: FileStats | null;
	try {
		stats = files.lstatIfThere(file);
	} catch {
		return "unreadable";
	}
	if (!stats || stats.isSymbolicLink() || stats.isDirectory()) return null;
	if (!stats.isFile()) return "special-file";
	if (stats.size > maxFileMb * 1_000_000) return "too-large";
	try {
		files.checkReadable(file);
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === "ENOENT" ? null : "unreadable";
	}
	return liveDatabaseOf(tree, name) ? "live-database" : null;
}

/** One entry of `skipped` in sync_state.json. */
export function skippedFile(name: GitPath | RawPath, reason: SkippedFile["reason"]): SkippedFile {
	return { path: displayPath(name), reason };
}

/** The same for a path that no working tree may have. @param name one character for each byte */
export function refusedPath(name: string): SkippedFile {
	return { path: Buffer.from(name, "latin1").toString("utf8"), reason: "refused-path" };
}

/** find(1) takes a path as a pattern. */
function escapePattern(name: string): string {
	return name.replaceAll(/[*?[\]\\]/g, "\\$&");
}

/**
 * Sockets, fifos and devices below `root`: git does not even list them. One find(1), not a walk of our own, so that 100,000
 * files cost little. Our own directories, and every `.git`, are left out.
 */
export async function findSpecialFiles(root: string): Promise<string[]> {
	const args = [
		root,
		"-xdev",
		"(",
		"-name",
		".git",
		...neverCommitted.flatMap((name) => ["-o", "-path", `${escapePattern(root)}/${name}`]),
		")",
		"-prune",
		"-o",
		"(",
		"-type",
		"p",
		"-o",
		"-type",
		"s",
		"-o",
		"-type",
		"b",
		"-o",
		"-type",
		"c",
		")",
		"-printf",
		"%P\\0",
	];
	return await new Promise((resolve) => {
		const chunks: Buffer[] = [];
		const child = spawn("find", args, { stdio: ["ignore", "pipe", "ignore"] });
		child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
		child.on("error", () => resolve([]));
		child.on("close", () =>
			resolve(
				Buffer.concat(chunks)
					.toString("utf8")
					.split("\0")
					.filter((name) => name !== ""),
			),
		);
	});
}

/** Whether a special file that was found still exists, and was not replaced by another type. */
export function isStillSpecial({ root, files }: Tree, name: string): boolean {
	try {
		return isSpecial(files, `${root}/${name}`);
	} catch {
		return false;
	}
}
