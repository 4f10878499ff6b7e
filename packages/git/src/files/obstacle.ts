import type { Files } from "@robust-sync/system/files";
import { GitError } from "../process/errors.ts";

/** Why one path cannot be placed or removed here. The names are those of docs/contract.md (`skipped`). */
export type Obstacle =
	| "other-file-system"
	| "not-permitted"
	| "read-only"
	| "name-too-long"
	| "name-not-allowed"
	| "mount-point"
	| "in-the-way"
	| "impossible-link"
	| "no-hard-links"
	| "filter-failed"
	| "unreadable"
	| "too-large"
	| "disk-full"
	| "live-database";

// A code that is not listed (no space, no descriptors, no memory) is a failure of the machine, not of one path. The exception is a file
// system mounted inside the workspace: it can be full by itself (obstacleOf).
const byCode: Readonly<Record<string, Obstacle>> = {
	EXDEV: "other-file-system",
	EACCES: "not-permitted",
	EPERM: "not-permitted",
	ETXTBSY: "not-permitted",
	EROFS: "read-only",
	ENAMETOOLONG: "name-too-long",
	EILSEQ: "name-not-allowed",
	EINVAL: "name-not-allowed",
	EBUSY: "mount-point",
	ENOTDIR: "in-the-way",
	EISDIR: "in-the-way",
	EEXIST: "in-the-way",
	ENOTEMPTY: "in-the-way",
	ELOOP: "in-the-way",
	EMLINK: "in-the-way",
	ENOTSUP: "no-hard-links",
	EOPNOTSUPP: "no-hard-links",
	ENOSYS: "no-hard-links",
	EIO: "unreadable",
	ESTALE: "unreadable",
	ENXIO: "unreadable",
	EUCLEAN: "unreadable",
	EBADMSG: "unreadable",
	ERR_FS_FILE_TOO_LARGE: "too-large",
	ERR_STRING_TOO_LONG: "too-large",
};

/** An obstacle that was recognized before a system call failed. */
export class ObstacleError extends Error {
	override readonly name = "ObstacleError";
	readonly obstacle: Obstacle;

	constructor(obstacle: Obstacle) {
		super(obstacle);
		this.obstacle = obstacle;
	}
}

/**
 * The obstacle at one path behind an error; null: the error concerns more than that path.
 * @param onMount the path is on another file system than the workspace: only that file system may be full
 */
export function obstacleOf(error: unknown, onMount = false): Obstacle | null {
	if (error instanceof ObstacleError) return error.obstacle;
	if (error instanceof GitError) return null;
	const code = (error as NodeJS.ErrnoException).code ?? "";
	return byCode[code] ?? (onMount && (code === "ENOSPC" || code === "EDQUOT") ? "disk-full" : null);
}

/** Whether files of a directory can have a second name (link(2)). @param files of that directory @param file an existing file of ours @param probe a free name beside it */
export function canLink(files: Files, file: string, probe: string): boolean {
	try {
		files.link(file, probe);
		files.unlink(probe);
		return true;
	} catch {
		return false;
	}
}
