import { mkdirSync } from "node:fs";
import { readUnmerged } from "@robust-sync/git";
import { pruneSavedVersions } from "@robust-sync/resolve";
import { readOperation } from "./operation-state.ts";
import { resolveOperation } from "./resolve-operation.ts";
import type { ResolveReport } from "./resolve-report.ts";
import { resolveUpstream } from "./resolve-upstream.ts";
import { type ResolverContext, withCycleLock } from "./resolver-context.ts";

/**
 * Resolves an operation of git in progress, or unmerged paths without one, or else merges the fetched upstream.
 * @throws LockedError after waiting a minute for a cycle in progress; GitError; the file system's errors
 */
export async function resolveConflicts(context: ResolverContext, { dryRun = false } = {}): Promise<ResolveReport> {
	return await withCycleLock(context, "conflict-resolver --resolve", async (lock) => {
		mkdirSync(context.paths.conflicts, { recursive: true, mode: 0o700 });
		pruneSavedVersions(context.paths);
		const operation = readOperation(context.repository);
		const open = operation.name !== null || (await readUnmerged(context.repository)).size > 0;
		if (open) return await resolveOperation(context, operation, lock, dryRun);
		return await resolveUpstream(context, lock, dryRun);
	});
}
