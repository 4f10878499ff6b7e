import type { FileName, FileStats, Files } from "@robust-sync/system/files";
import { fileMode } from "./disk-file.ts";

/** A file or link with its content. */
export interface Found {
	readonly content: Buffer;
	readonly stats: FileStats;
}

/** Whether a file system's error means that nothing is at the path. */
export const isGone = (error: unknown) => ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");

/** Whether it is a file or a link: what git can keep. */
export const isContent = (stats: FileStats | null): stats is FileStats => stats?.isFile() === true || stats?.isSymbolicLink() === true;

/** Whether a pipe, socket or device is at a path. */
export function isSpecial(files: Files, file: FileName): boolean {
	const stats = files.lstatIfThere(file);
	return stats !== null && !stats.isFile() && !stats.isSymbolicLink() && !stats.isDirectory();
}

/** The bytes of a file, or where a link leads; null: it is neither. Access times stay. */
export function readContent(files: Files, file: FileName, stats: FileStats): Buffer | null {
	if (stats.isSymbolicLink()) return files.readlink(file);
	return stats.isFile() ? files.readUnseen(file) : null;
}

/** As readContent; null also if the file is gone since, or a directory has taken its place. */
function readIfThere(files: Files, file: Buffer, stats: FileStats): Buffer | null {
	try {
		return readContent(files, file, stats);
	} catch (error) {
		if (isGone(error) || (error as NodeJS.ErrnoException).code === "EISDIR") return null;
		throw error;
	}
}

/** The file or link at a path, which stays there; null: there is none, or it is a directory, pipe, socket or device. */
export function peek(files: Files, file: Buffer): Found | null {
	const stats = files.lstatIfThere(file);
	if (!stats || stats.isDirectory()) return null;
	const content = readIfThere(files, file, stats);
	return content === null ? null : { content, stats };
}

/** Whether two files, or two links, have the same content. */
export function isSame(files: Files, file: Buffer, other: string): boolean {
	const [a, b] = [files.lstatIfThere(file), files.lstat(other)];
	if (!a || a.isSymbolicLink() !== b.isSymbolicLink() || a.size !== b.size) return false;
	const content = readIfThere(files, file, a);
	return content?.equals(readContent(files, other, b) ?? Buffer.alloc(0)) ?? false;
}

/** The mode that git would give it; null: no file and no link. */
export function modeOnDisk(files: Files, file: Buffer): string | null {
	const stats = files.lstatIfThere(file);
	if (stats?.isSymbolicLink()) return "120000";
	return stats?.isFile() ? fileMode(stats) : null;
}
