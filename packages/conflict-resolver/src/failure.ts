import { GitError } from "@robust-sync/git";
import { CommandError, ExitCode } from "@robust-sync/service";

const fileSystemCodes: Readonly<Record<string, readonly [code: string, advice: string]>> = {
	ENOSPC: ["DISK_FULL", "the disk is full: free some space, then run it again"],
	EDQUOT: ["DISK_FULL", "the disk quota is used up: free some space, then run it again"],
	EACCES: ["PERMISSION_DENIED", "a file cannot be read or written: run as the owner of the workspace"],
	EPERM: ["PERMISSION_DENIED", "a file may not be changed: run as the owner of the workspace"],
	EROFS: ["PERMISSION_DENIED", "the file system is read-only: mount it read-write"],
};

/** Any failure with its code of docs/contract.md, section 5, and one line with the remedy. Errors with an exit code of their own pass. */
export function failure(error: unknown): unknown {
	if (error instanceof GitError) return new CommandError(`${error.code}: ${error.message}`, ExitCode.failed, { cause: error });
	const { code, path: file } = (error ?? {}) as NodeJS.ErrnoException;
	const known = fileSystemCodes[code ?? ""];
	if (known) return new CommandError(`${known[0]}: ${known[1]}${file ? ` (${file})` : ""}`, ExitCode.failed, { cause: error });
	return error;
}
