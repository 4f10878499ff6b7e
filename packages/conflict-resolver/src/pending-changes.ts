import fs from "node:fs";
import { fileSystemPath, type GitPath, type Repository, type Status } from "@robust-sync/git";
import { isOwnPath } from "@robust-sync/resolve";

/** Whether a path can be committed now; others are left to the sync cycle, which handles them. */
function isCommittable(repository: Repository, name: GitPath, maxFileMb: number): boolean {
	if (name.endsWith("/")) return false;
	const file = fileSystemPath(repository.root, name);
	const beside = (suffix: string) => fs.existsSync(Buffer.concat([file, Buffer.from(suffix)]));
	try {
		const stats = fs.lstatSync(file, { throwIfNoEntry: false });
		if (!stats || stats.isSymbolicLink() || stats.isDirectory()) return true;
		if (!stats.isFile() || stats.size > maxFileMb * 1_000_000) return false;
		// A database that is open in a program.
		if (beside("-wal") || beside("-journal") || /-(wal|shm|journal)$/.test(name)) return false;
		fs.accessSync(file, fs.constants.R_OK);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === "ENOTDIR";
	}
}

/** Paths with uncommitted changes that may be committed. */
export function pendingPaths(repository: Repository, status: Status, maxFileMb: number): GitPath[] {
	return status.entries
		.filter(
			({ path, kind, submodule }) => kind !== "unmerged" && !submodule && !isOwnPath(path) && isCommittable(repository, path, maxFileMb),
		)
		.map(({ path }) => path);
}
