import { GitError } from "@robust-sync/git";
import { LockLostError } from "@robust-sync/system/lock";
import { NotOursError } from "@robust-sync/system/own-directory";
import type { ErrorCode } from "@robust-sync/workspace";

import { cleanRemoteMessage } from "./remote-message.ts";

/** A failed cycle. `code` is the contract's (section 5); `message` is one line with the remedy. */
export class SyncError extends Error {
	override readonly name = "SyncError";
	readonly code: ErrorCode;
	/** The remote's text for people: printable lines. */
	readonly remoteMessage: string | null;
	/** The remote's Retry-After, milliseconds; null: it gave none. */
	readonly retryAfterMs: number | null;

	constructor(code: ErrorCode, message: string, options?: ErrorOptions & { remoteMessage?: string | null; retryAfterMs?: number | null }) {
		super(message, options);
		this.code = code;
		this.remoteMessage = options?.remoteMessage ?? null;
		this.retryAfterMs = options?.retryAfterMs ?? null;
	}
}

const fileSystemCodes: Readonly<Record<string, readonly [code: ErrorCode, advice: string]>> = {
	ENOSPC: ["DISK_FULL", "the disk is full: free some space"],
	EDQUOT: ["DISK_FULL", "the disk quota is used up: free some space"],
	EACCES: ["PERMISSION_DENIED", "a file cannot be read or written: run as the owner of the workspace"],
	EPERM: ["PERMISSION_DENIED", "a file may not be changed: run as the owner of the workspace"],
	EROFS: ["PERMISSION_DENIED", "the file system is read-only: mount it read-write"],
};

/** Converts any error of a cycle to one with a code of the contract. LockLostError passes: it ends the process. */
export function toSyncError(error: unknown): SyncError {
	if (error instanceof SyncError) return error;
	if (error instanceof LockLostError) throw error;
	if (error instanceof NotOursError) return new SyncError("PERMISSION_DENIED", error.message, { cause: error });
	if (error instanceof GitError) {
		const { code, message, retryAfterMs } = error;
		return new SyncError(code, message, { cause: error, remoteMessage: cleanRemoteMessage(error.remoteMessage), retryAfterMs });
	}
	const { code, message = String(error), path } = (error ?? {}) as NodeJS.ErrnoException;
	const known = fileSystemCodes[code ?? ""];
	if (known) return new SyncError(known[0], `${known[1]}${path ? ` (${path})` : ""}`, { cause: error });
	return new SyncError("INTERNAL", `unexpected: ${message.split("\n")[0]}`, { cause: error });
}

/** Another branch than the synced one is checked out. */
export function wrongBranch(attached: string, synced: string): SyncError {
	return new SyncError(
		"WRONG_BRANCH",
		`'${attached}' is checked out, but '${synced}' is what is synced: run 'git checkout ${synced}' (or set SYNC_BRANCH and restart)`,
	);
}
