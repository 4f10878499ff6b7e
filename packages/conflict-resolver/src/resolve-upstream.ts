import {
	changeIndex,
	commitTree,
	displayPath,
	isAncestor,
	type Oid,
	readHead,
	readRef,
	readStatus,
	trackingRef,
	updateRef,
	withScratchIndex,
	writeTree,
} from "@robust-sync/git";
import {
	integrate,
	resolveMerge,
	resumeIntegration,
	saveDecidedForUpstream,
	trackedOwnFiles,
	type VersionsToSave,
	withNodeTrailer,
} from "@robust-sync/resolve";
import { CommandError, ExitCode } from "@robust-sync/service";
import { printable, shellPath } from "@robust-sync/service/printable";
import type { Lock } from "@robust-sync/system/lock";
import { listSavedVersions } from "@robust-sync/workspace";
import { pendingPaths } from "./pending-changes.ts";
import type { ResolveReport } from "./resolve-report.ts";
import type { ResolverContext } from "./resolver-context.ts";

type Entry = ResolveReport["files"][number];

const nothing: ResolveReport = { operation: "upstream", commit: null, files: [], saved: [], setAside: null, next: null };
/** Limit of attempts: programs that write at every step are left to the sync cycle. */
const maxRounds = 5;

const listed = ({ path, type, strategy, winner }: Pick<VersionsToSave, "path" | "type" | "strategy" | "winner">): Entry => ({
	path: displayPath(path),
	type,
	strategy,
	winner,
});

interface Pending {
	readonly head: Oid | null;
	readonly decided: readonly VersionsToSave[];
	readonly saved: string | null;
}

/** Commits the working tree, as a sync cycle does before it merges. */
async function commitPending(context: ResolverContext, head: Oid | null, tip: Oid, lock: Lock): Promise<Pending> {
	const { repository, paths, config, now } = context;
	const status = await readStatus(repository);
	const staged = status.entries.some(({ index }) => index !== "." && index !== "?");
	const pending = pendingPaths(repository, status, config.maxFileMb);
	const own = await trackedOwnFiles(repository);
	if (pending.length === 0 && !staged && own.length === 0) return { head, decided: [], saved: null };
	// A sync cycle commits all changes: only in a workspace, to which a person has consented. Without a merge there is no reason to.
	if (!context.isWorkspace && head !== null && (await isAncestor(repository, tip, head))) return { head, decided: [], saved: null };
	if (!context.isWorkspace)
		throw new CommandError(
			`${shellPath(paths.root)} is no workspace, and has changes that are not committed: commit or stash them first, or make it a workspace with 'robust-sync --init'`,
			ExitCode.usage,
		);
	return await withScratchIndex(repository, paths.staging, async (scratch) => {
		// Files of our own that a person or a peer has committed leave the index, and stay on disk.
		const changes = { entries: new Map(own.map((path) => [path, null])), fromDisk: pending };
		await changeIndex(scratch, changes);
		const names = status.entries.map(({ path }) => printable(displayPath(path)));
		const subject = `${config.nodeName}: ${names.length} ${names.length === 1 ? "file" : "files"} (${names.slice(0, 2).join(", ")}${names.length > 2 ? ", …" : ""})`;
		const tree = await writeTree(scratch);
		const commit = await commitTree(repository, tree, head === null ? [] : [head], `${withNodeTrailer(subject, config.nodeName)}\n`);
		const { files: decided, saved } = await saveDecidedForUpstream(repository, paths, { head, commit, tip }, now());
		lock.assertHeld();
		await changeIndex(repository, changes);
		await updateRef(repository, "HEAD", commit, head, "robust-sync: snapshot");
		return { head: commit, decided, saved };
	});
}

/**
 * Merges the fetched upstream, as a sync cycle would: uncommitted changes are committed first, nothing is fetched, nothing
 * is pushed.
 * @throws GitError, the file system's errors; the next run continues
 */
export async function resolveUpstream(context: ResolverContext, lock: Lock, dryRun: boolean): Promise<ResolveReport> {
	const { repository, paths, config, log, now } = context;
	const warn = (message: string, details: Record<string, unknown>) => log.warn(message, details);
	const guard = config.guard ? { files: config.guardFiles, percent: config.guardPercent } : null;
	const integrateContext = { repository, paths, lock, now, guard, warn };
	const { oid: before } = await readHead(repository);
	const resumed = dryRun ? null : await resumeIntegration(integrateContext);
	const { branch, oid } = await readHead(repository);
	const tip = branch === null ? null : await readRef(repository, trackingRef(config.syncRemote, config.syncBranch ?? branch));
	if (branch === null || tip === null) return nothing;
	if (dryRun) {
		if (oid === null || (await isAncestor(repository, tip, oid)) || (await isAncestor(repository, oid, tip))) return nothing;
		return { ...nothing, files: (await resolveMerge(repository, oid, tip)).files.map(listed) };
	}
	// The merge of an earlier run that was interrupted has not been reported yet.
	const earlier = resumed ? listSavedVersions(paths).find(({ manifest }) => manifest?.merge_commit === resumed.head) : undefined;
	const files: Entry[] = (earlier?.manifest?.files ?? []).map(({ path, type, strategy, winner }) => ({ path, type, strategy, winner }));
	const saved: string[] = earlier ? [earlier.name] : [];
	let head = oid;
	for (let round = 0; round < maxRounds; round++) {
		if (!context.isWorkspace && round > 0) break;
		const pending = await commitPending(context, head, tip, lock);
		head = pending.head;
		files.push(...pending.decided.map(listed));
		if (pending.saved !== null) saved.push(pending.saved);
		const integration = await integrate(integrateContext, `refs/heads/${branch}`, head, tip);
		head = integration.head;
		files.push(...(integration.resolution?.files.map(listed) ?? []));
		saved.push(...integration.saved);
		if (integration.rescued.length === 0) break;
		const names = integration.rescued.map(displayPath);
		log.warn("files were written while they were replaced: the next cycle of robust-sync merges what is in sync/backups/", { names });
	}
	return { ...nothing, commit: head === before ? null : head, files, saved };
}
