import type { ErrorCode } from "./state-schemas.ts";

const problems: Readonly<Record<string, readonly [code: ErrorCode, advice: string]>> = {
	ENOSPC: ["DISK_FULL", "the disk is full: free some space"],
	EDQUOT: ["DISK_FULL", "the disk quota is used up: free some space"],
	EACCES: ["PERMISSION_DENIED", "a file cannot be read or written: run as the owner of the workspace"],
	EPERM: ["PERMISSION_DENIED", "a file may not be changed: run as the owner of the workspace"],
	EROFS: ["PERMISSION_DENIED", "the file system is read-only: mount it read-write"],
};

/** The code of docs/contract.md, section 5, for an error of the file system, and one line with the remedy; null: it is another error. */
export function fileSystemProblem(error: unknown): { readonly code: ErrorCode; readonly message: string } | null {
	const { code, path } = (error ?? {}) as NodeJS.ErrnoException;
	const known = problems[code ?? ""];
	return known === undefined ? null : { code: known[0], message: `${known[1]}${path ? ` (${path})` : ""}` };
}
