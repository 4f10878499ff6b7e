import fs from "node:fs";
import { blobOid, fileSystemPath, type GitPath, type Oid, type Repository } from "@robust-sync/git";

/** What lies at a path of the working tree. */
export interface DiskFile {
	readonly content: Buffer;
	/** As git writes it: 100644 100755 120000. */
	readonly mode: string;
	readonly oid: Oid;
	readonly mtimeMs: number;
}

/** Reads a file or link; null where there is none (or a directory, or something special). @throws the file system's error */
export function readDiskFile(repository: Repository, name: GitPath): DiskFile | null {
	const file = fileSystemPath(repository.root, name);
	let stats: fs.Stats | undefined;
	try {
		stats = fs.lstatSync(file, { throwIfNoEntry: false });
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return null;
		throw error;
	}
	if (!stats || !(stats.isFile() || stats.isSymbolicLink())) return null;
	const content = stats.isSymbolicLink() ? fs.readlinkSync(file, { encoding: "buffer" }) : fs.readFileSync(file);
	const mode = stats.isSymbolicLink() ? "120000" : (stats.mode & 0o100) !== 0 ? "100755" : "100644";
	return { content, mode, oid: blobOid(content, repository.objectFormat), mtimeMs: stats.mtimeMs };
}
