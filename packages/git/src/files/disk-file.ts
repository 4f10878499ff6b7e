import type { ExactStats, FileStats } from "@robust-sync/system/files";
import { blobOid } from "../objects/objects.ts";
import { beneath } from "../paths/beneath.ts";
import type { GitPath } from "../paths/git-path.ts";
import type { Oid, Repository } from "../process/repository.ts";

/** What is at a path of the working tree. */
export interface DiskFile {
	readonly content: Buffer;
	/** As git writes it: 100644 100755 120000. */
	readonly mode: string;
	readonly oid: Oid;
	readonly mtimeMs: number;
}

const isGone = (error: unknown) => ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");

/** How git writes the mode of a plain file. */
export function fileMode(stats: FileStats | ExactStats): "100644" | "100755" {
	return (Number(stats.mode) & 0o100) !== 0 ? "100755" : "100644";
}

/** Whether the mode of a tree entry is that of a plain file or a link: no directory, no submodule. */
export const isFileMode = (mode: string | undefined): mode is "100644" | "100755" | "120000" =>
	mode === "100644" || mode === "100755" || mode === "120000";

/**
 * Reads a file or link; null where there is none (or a directory, or something special).
 * @param leavesTrace a person decides by it: its access time shows the read. Else that stays as it is @throws the file system's error
 */
export function readDiskFile(repository: Repository, name: GitPath, leavesTrace = false): DiskFile | null {
	try {
		// A link's target is no file of the workspace.
		return beneath(repository.root, name, (file) => readFileAt(repository, file, leavesTrace), { files: repository.files });
	} catch (error) {
		if (isGone(error)) return null;
		throw error;
	}
}

function readFileAt(repository: Repository, file: Buffer, leavesTrace: boolean): DiskFile | null {
	const { files } = repository;
	const stats = files.lstatIfThere(file);
	if (!stats || !(stats.isFile() || stats.isSymbolicLink())) return null;
	const content = stats.isSymbolicLink() ? files.readlink(file) : leavesTrace ? files.readFile(file) : files.readUnseen(file);
	const mode = stats.isSymbolicLink() ? "120000" : fileMode(stats);
	return { content, mode, oid: blobOid(content, repository.objectFormat), mtimeMs: stats.mtimeMs };
}
