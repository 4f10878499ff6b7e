import {
	changeIndex,
	commitTree,
	diffTrees,
	displayPath,
	gitPathBytes,
	isAncestor,
	mergeBases,
	type Oid,
	type Repository,
	readHead,
	readRef,
	readStatus,
	trackingRef,
	updateRef,
	withObjectReader,
	withScratchIndex,
	writeTree,
} from "@robust-sync/git";
import { integrate, resolveMerge, resumeIntegration, saveVersionsOf, type VersionsToSave } from "@robust-sync/resolve";
import type { Lock } from "@robust-sync/workspace";
import { pendingPaths } from "./pending-changes.ts";
import type { ResolveReport } from "./resolve-report.ts";
import type { ResolverContext } from "./resolver-context.ts";

type Entry = ResolveReport["files"][number];

const nothing: ResolveReport = { operation: "upstream", commit: null, files: [], saved: [], setAside: null, next: null };
/** Programs that write at every step are left to the sync cycle after this many. */
const maxRounds = 5;

const listed = ({ path, type, strategy, winner }: Pick<VersionsToSave, "path" | "type" | "strategy" | "winner">): Entry => ({
	path: displayPath(path),
	type,
	strategy,
	winner,
});

/** Where a person has put the upstream's version in the place of their own: that is decided, and both versions are saved. */
async function decidedForUpstream(
	repository: Repository,
	head: Oid | null,
	base: Oid | null,
	commit: Oid,
	tip: Oid,
): Promise<VersionsToSave[]> {
	if (head === null) return [];
	const changes = (await diffTrees(repository, head, commit)).filter(({ before }) => before !== null);
	if (changes.length === 0) return [];
	const at = (tree: Oid) => changes.map(({ path }) => Buffer.concat([Buffer.from(`${tree}:`), gitPathBytes(path)]));
	return await withObjectReader(repository, async (reader) => {
		const [theirs, common] = [await reader.infos(at(tip)), base ? await reader.infos(at(base)) : []];
		return changes.flatMap(({ path, before, after }, index) => {
			const [their, shared] = [theirs[index] ?? null, common[index] ?? null];
			if (their?.type !== "blob" || after?.oid !== their.oid || before?.oid === shared?.oid) return [];
			const versions = { ours: before, theirs: after, base: shared ? { mode: "100644", oid: shared.oid } : null };
			return [{ path, type: shared ? "content" : "add/add", strategy: "by-hand", winner: "theirs", save: true, versions } as const];
		});
	});
}

interface Pending {
	readonly head: Oid | null;
	readonly decided: readonly VersionsToSave[];
	readonly saved: string | null;
}

/** Commits what is there, as a sync cycle does before it merges. */
async function commitPending(context: ResolverContext, head: Oid | null, tip: Oid, lock: Lock): Promise<Pending> {
	const { repository, paths, config, now } = context;
	const status = await readStatus(repository);
	const staged = status.entries.some(({ index }) => index !== "." && index !== "?");
	const pending = pendingPaths(repository, status, config.maxFileMb);
	if (pending.length === 0 && !staged) return { head, decided: [], saved: null };
	return await withScratchIndex(repository, paths.staging, async (scratch) => {
		const changes = { entries: new Map(), fromDisk: pending };
		await changeIndex(scratch, changes);
		const names = status.entries.map(({ path }) => displayPath(path).replaceAll(/\p{Cc}/gu, "?"));
		const message = `${config.nodeName}: ${names.length} ${names.length === 1 ? "file" : "files"} (${names.slice(0, 2).join(", ")}${names.length > 2 ? ", …" : ""})\n`;
		const tree = await writeTree(scratch);
		const commit = await commitTree(repository, tree, head === null ? [] : [head], message);
		const [base = null] = head === null ? [] : await mergeBases(repository, head, tip);
		const decided = await decidedForUpstream(repository, head, base, commit, tip);
		const saved = await saveVersionsOf(repository, paths, { commit, ours: head, theirs: tip, base, files: decided }, now());
		lock.assertHeld();
		await changeIndex(repository, changes);
		await updateRef(repository, "HEAD", commit, head, "robust-sync: snapshot");
		return { head: commit, decided, saved };
	});
}

/**
 * Merges what was fetched from the upstream, as a sync cycle would: what is uncommitted is committed first, nothing is fetched, nothing
 * is pushed.
 * @throws GitError, the file system's errors; the next run goes on
 */
export async function resolveUpstream(context: ResolverContext, lock: Lock, dryRun: boolean): Promise<ResolveReport> {
	const { repository, paths, config, now } = context;
	const integrateContext = { repository, paths, lock, now };
	if (!dryRun) await resumeIntegration(integrateContext);
	const { branch, oid } = await readHead(repository);
	const tip = branch === null ? null : await readRef(repository, trackingRef(config.syncRemote, config.syncBranch ?? branch));
	if (branch === null || tip === null) return nothing;
	if (dryRun) {
		if (oid === null || (await isAncestor(repository, tip, oid)) || (await isAncestor(repository, oid, tip))) return nothing;
		return { ...nothing, files: (await resolveMerge(repository, oid, tip)).files.map(listed) };
	}
	const files: Entry[] = [];
	const saved: string[] = [];
	let head = oid;
	for (let round = 0; round < maxRounds; round++) {
		const pending = await commitPending(context, head, tip, lock);
		head = pending.head;
		files.push(...pending.decided.map(listed));
		if (pending.saved !== null) saved.push(pending.saved);
		const integration = await integrate(integrateContext, `refs/heads/${branch}`, head, tip);
		head = integration.head;
		files.push(...(integration.resolution?.files.map(listed) ?? []));
		saved.push(...integration.saved);
		if (integration.rescued.length === 0) break;
	}
	return { ...nothing, commit: head === oid ? null : head, files, saved };
}
