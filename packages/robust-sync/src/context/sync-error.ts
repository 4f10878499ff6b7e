import { GitError } from "@robust-sync/git";
import { LockLostError } from "@robust-sync/system/lock";
import { NotOursError } from "@robust-sync/system/own-directory";
import { type ErrorCode, fileSystemProblem } from "@robust-sync/workspace";

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

/** Converts any error of a cycle to one with a code of the contract. LockLostError passes: it ends the process. */
export function toSyncError(error: unknown): SyncError {
	if (error instanceof SyncError) return error;
	if (error instanceof LockLostError) throw error;
	if (error instanceof NotOursError) return new SyncError("PERMISSION_DENIED", error.message, { cause: error });
	if (error instanceof GitError) {
		const { code, message, retryAfterMs } = error;
		return new SyncError(code, message, { cause: error, remoteMessage: cleanRemoteMessage(error.remoteMessage), retryAfterMs });
	}
	const problem = fileSystemProblem(error);
	if (problem !== null) return new SyncError(problem.code, problem.message, { cause: error });
	const { message = String(error) } = (error ?? {}) as Error;
	return new SyncError("INTERNAL", `unexpected: ${message.split("\n")[0]}`, { cause: error });
}

/** Another branch than the synced one is checked out. */
export function wrongBranch(attached: string, synced: string): SyncError {
	return new SyncError(
		"WRONG_BRANCH",
		`'${attached}' is checked out, but '${synced}' is what is synced: run 'git checkout ${synced}' (or set SYNC_BRANCH and restart)`,
	);
}
