import { mkdirSync } from "node:fs";
import {
	changeIndex,
	checkoutFromIndex,
	commitTree,
	displayPath,
	type GitPath,
	mergeHeads,
	type Oid,
	type Repository,
	readDiskFile,
	readHead,
	readUnmerged,
	type Stages,
	type TreeEntry,
	updateRef,
	withObjectReader,
	withScratchIndex,
	writeTree,
} from "@robust-sync/git";
import { type Resolution, type ResolvedFile, resolveMerge, resolveStages, saveVersionsOf, type VersionsToSave } from "@robust-sync/resolve";
import { printable } from "@robust-sync/service/printable";
import type { Lock } from "@robust-sync/workspace";
import { conflictType } from "./conflicts.ts";
import { findDecisions } from "./decisions.ts";
import { automaticMerge, mergeMessageOf, type OperationState } from "./operation-state.ts";
import type { ResolveReport } from "./resolve-report.ts";
import type { ResolverContext } from "./resolver-context.ts";
import { SetAside } from "./set-aside.ts";

/** What is to become of every path that is open. */
interface Plan {
	/** For the index and the working tree; null: gone. */
	readonly entries: Map<GitPath, TreeEntry | null>;
	/** Settled by hand: taken from disk. */
	readonly byHand: readonly GitPath[];
	readonly files: readonly VersionsToSave[];
}

const sameVersion = (entry: TreeEntry | null, version: TreeEntry | null) => entry?.oid === version?.oid;

/** The resolution of the whole merge that says what becomes of one unmerged path, if it is about the same versions. */
function findResolved(path: GitPath, stages: Stages, byPath: ReadonlyMap<GitPath, ResolvedFile>): ResolvedFile | null {
	const direct = byPath.get(path);
	if (direct?.type === "rename/rename") return direct;
	// git put it aside as "<path>~<branch>".
	const aside = direct ?? byPath.get(path.replace(/~[^/~]+$/, "") as GitPath);
	if (!aside) return null;
	const { ours, theirs } = aside.versions;
	return (stages.first === null || sameVersion(stages.first, ours)) && (stages.second === null || sameVersion(stages.second, theirs))
		? aside
		: null;
}

/** Files that git merged line by line without a conflict, and that are still so: they are merged by their kind as well. */
async function mergedByLines(
	repository: Repository,
	resolution: Resolution,
	unmerged: ReadonlyMap<GitPath, Stages>,
): Promise<ResolvedFile[]> {
	const tree = automaticMerge(repository);
	const candidates = resolution.files.filter(
		({ path, results }) => !unmerged.has(path) && results.length === 1 && results[0]?.path === path,
	);
	if (tree === null || candidates.length === 0) return [];
	const named = (prefix: string) => candidates.map(({ path }) => Buffer.concat([Buffer.from(prefix), Buffer.from(path, "latin1")]));
	const infos = await withObjectReader(repository, (reader) => reader.infos([...named(`${tree}:`), ...named(":0:")]));
	return candidates.filter(({ path, results }, index) => {
		const [automatic, staged] = [infos[index]?.oid, infos[candidates.length + index]?.oid];
		return (
			automatic !== undefined && automatic === staged && results[0]?.entry.oid !== staged && readDiskFile(repository, path)?.oid === staged
		);
	});
}

async function planPaths(
	context: ResolverContext,
	unmerged: ReadonlyMap<GitPath, Stages>,
	resolution: Resolution | null,
	beganAt: number,
): Promise<Plan> {
	const { repository, paths } = context;
	const decisions = new Map((await findDecisions(repository, unmerged, beganAt)).map((decision) => [decision.path, decision]));
	const entries = new Map<GitPath, TreeEntry | null>();
	const files = new Map<GitPath, VersionsToSave>();
	const byPath = new Map(resolution?.files.map((file) => [file.path, file]));
	const open = new Map<GitPath, Stages>();
	const settle = (file: ResolvedFile) => {
		files.set(file.path, { ...file, save: true });
		for (const { path, entry } of file.results) entries.set(path, entry);
	};
	for (const [path, stages] of unmerged) {
		const decision = decisions.get(path);
		if (decision) {
			const versions = { ours: stages.first, theirs: stages.second, base: stages.base };
			files.set(path, { path, type: conflictType(stages), strategy: "by-hand", winner: decision.winner, save: true, versions });
			continue;
		}
		entries.set(path, entries.get(path) ?? null);
		// Renamed or deleted by both: what became of it has other names.
		if (!stages.first && !stages.second) continue;
		const resolved = findResolved(path, stages, byPath);
		if (resolved) settle(resolved);
		else open.set(path, stages);
	}
	if (resolution) for (const file of await mergedByLines(repository, resolution, unmerged)) settle(file);
	if (open.size > 0) {
		const gone = new Map<GitPath, TreeEntry | null>([...unmerged.keys()].map((path) => [path, null]));
		const tree = await withScratchIndex(repository, paths.staging, async (scratch) => {
			await changeIndex(scratch, { entries: gone, fromDisk: [] });
			return await writeTree(scratch);
		});
		for (const file of await resolveStages(repository, { stages: open, tree, staging: paths.staging })) settle(file);
	}
	const byHand = [...decisions.keys()];
	for (const path of byHand) entries.delete(path);
	return { entries, byHand, files: [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

/** Brings the working tree to what was decided: what lies there is set aside first, whatever it is. */
async function place(context: ResolverContext, { entries }: Plan, scratch: Repository): Promise<string | null> {
	const aside = new SetAside(context.repository, context.paths, context.now());
	const missing: GitPath[] = [];
	for (const [path, entry] of entries) {
		const disk = readDiskFile(context.repository, path);
		if (disk && entry && disk.oid === entry.oid && disk.mode === entry.mode) continue;
		if (disk) aside.take(path);
		if (entry && entry.mode !== "160000") missing.push(path);
	}
	await checkoutFromIndex(scratch, missing);
	return aside.name;
}

function commitMessage(repository: Repository, files: readonly VersionsToSave[]): string {
	const listed = files.slice(0, 100).map(({ strategy, path }) => `Resolved: ${strategy} ${printable(displayPath(path))}`);
	if (files.length > listed.length) listed.push(`Resolved: ${files.length - listed.length} more`);
	return `${[mergeMessageOf(repository), ...(listed.length > 0 ? [listed.join("\n")] : [])].join("\n\n")}\n`;
}

/**
 * Settles every path that a merge, rebase, cherry-pick, revert or stash left unmerged. A merge is completed and committed; of anything
 * else the result is staged, and the report says which git command goes on. Versions are saved before anything is changed; a run that is
 * interrupted is done again from the start.
 * @throws GitError, the file system's errors; then nothing was changed, or the next run goes on
 */
export async function resolveOperation(
	context: ResolverContext,
	operation: OperationState,
	lock: Lock,
	dryRun: boolean,
): Promise<ResolveReport> {
	const { repository, paths, now } = context;
	const [unmerged, { oid: head }] = await Promise.all([readUnmerged(repository), readHead(repository)]);
	const heads = operation.name === "merge" ? mergeHeads(repository.gitDirectory) : [];
	const resolution =
		heads.length === 1 && head !== null && unmerged.size > 0 ? await resolveMerge(repository, head, heads[0] as Oid) : null;
	const plan = await planPaths(context, unmerged, resolution, operation.beganAt);
	const report = {
		operation: operation.name,
		next: operation.next,
		files: plan.files.map(({ path, type, strategy, winner }) => ({ path: displayPath(path), type, strategy, winner })),
	};
	if (dryRun) return { ...report, commit: null, saved: [], setAside: null };
	mkdirSync(paths.staging, { recursive: true });
	return await withScratchIndex(repository, paths.staging, async (scratch) => {
		const changes = { entries: plan.entries, fromDisk: plan.byHand };
		await changeIndex(scratch, changes);
		let commit: Oid | null = null;
		if (operation.name === "merge" && head !== null)
			commit = await commitTree(repository, await writeTree(scratch), [head, ...heads], commitMessage(repository, plan.files));
		const saved = await saveVersionsOf(
			repository,
			paths,
			{ commit, ours: head, theirs: operation.theirs, base: resolution?.base ?? null, files: plan.files },
			now(),
		);
		lock.assertHeld();
		const setAside = await place(context, plan, scratch);
		await changeIndex(repository, changes);
		if (commit !== null) {
			await updateRef(repository, "HEAD", commit, head, "robust-sync: resolve");
			await repository.run(["merge", "--quit"]);
		}
		return { ...report, commit, saved: saved === null ? [] : [saved], setAside };
	});
}
