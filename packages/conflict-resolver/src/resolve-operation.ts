import { mkdirSync } from "node:fs";
import {
	changeIndex,
	checkoutFromIndex,
	commitParents,
	commitTree,
	diffIndex,
	displayPath,
	type GitPath,
	gitPathIfAllowed,
	mergeByLines,
	mergeHeads,
	type Oid,
	openMergeStore,
	type Repository,
	readDiskFile,
	readHead,
	readStatus,
	readUnmerged,
	type Stages,
	type TreeEntry,
	updateRef,
	withObjectReader,
	withScratchIndex,
	writeTree,
} from "@robust-sync/git";
import {
	isOwnPath,
	type Resolution,
	type ResolvedFile,
	resolveApplied,
	resolveMerge,
	resolveOctopus,
	resolveStages,
	saveVersionsOf,
	trackedOwnFiles,
	type VersionsToSave,
	withNodeTrailer,
} from "@robust-sync/resolve";
import { printable } from "@robust-sync/service/printable";
import type { Lock } from "@robust-sync/system/lock";
import { Backup } from "./backup.ts";
import { conflictType } from "./conflicts.ts";
import { findDecisions } from "./decisions.ts";
import { automaticMerge, mergeMessageOf, type OperationState } from "./operation-state.ts";
import type { ResolveReport } from "./resolve-report.ts";
import type { ResolverContext } from "./resolver-context.ts";

/** The result for every open path. */
interface Plan {
	/** For the index and the working tree; null: deleted. */
	readonly entries: Map<GitPath, TreeEntry | null>;
	/** Resolved by hand: taken from disk. */
	readonly byHand: readonly GitPath[];
	readonly files: readonly VersionsToSave[];
}

/** A person's changes of paths that git did not leave unmerged. */
interface Touched {
	/** Staged with another content than in git's own merge; null: that merge is unknown. */
	readonly staged: ReadonlySet<GitPath>;
	/** Edited in the working tree and not staged. */
	readonly edited: ReadonlySet<GitPath>;
}

/** The tree of git's own merge: as git recorded it, else (for other strategies than its own) recomputed. */
async function treeLeftByGit(repository: Repository, commits: readonly Oid[]): Promise<Oid> {
	const noted = automaticMerge(repository);
	if (noted !== null) {
		const [known] = await withObjectReader(repository, (reader) => reader.infos([noted]));
		if (known?.type === "tree") return noted;
	}
	return await mergeByLines(openMergeStore(repository), commits);
}

async function touchedPaths(repository: Repository, left: Oid): Promise<Touched> {
	const [staged, status] = await Promise.all([diffIndex(repository, left), readStatus(repository)]);
	const edited = status.entries.filter(({ kind, worktree }) => kind === "changed" && (worktree === "M" || worktree === "T"));
	return { staged: new Set(staged.map(({ path }) => path)), edited: new Set(edited.map(({ path }) => path)) };
}

const withoutAside = (path: GitPath) => gitPathIfAllowed(path.replace(/~[^/~]+$/, "")) ?? path;

function byHandFile(path: GitPath, stages: Stages, winner: VersionsToSave["winner"]): VersionsToSave {
	const versions = { ours: stages.first, theirs: stages.second, base: stages.base };
	return { path, type: conflictType(stages), strategy: "by-hand", winner, save: true, versions };
}

/**
 * Brings index and files from git's own merge to our merge of the same commits, path by path; a path that a person
 * changed meanwhile stays unchanged.
 */
async function planMerge(
	{ repository }: ResolverContext,
	unmerged: ReadonlyMap<GitPath, Stages>,
	resolution: Resolution,
	commits: readonly Oid[],
	beganAt: number,
): Promise<Plan> {
	const decisions = new Map((await findDecisions(repository, unmerged, beganAt)).map((decision) => [decision.path, decision]));
	// One after the other: both read the index.
	const { staged, edited } = await touchedPaths(repository, await treeLeftByGit(repository, commits));
	const wanted = new Map((await diffIndex(repository, resolution.tree)).map(({ path, before }) => [path, before]));
	const byPath = new Map<GitPath, ResolvedFile[]>();
	for (const file of resolution.files) {
		for (const path of new Set([file.path, ...file.results.map((result) => result.path)]))
			byPath.set(path, [...(byPath.get(path) ?? []), file]);
	}
	const filesAt = (path: GitPath) => byPath.get(path) ?? byPath.get(withoutAside(path)) ?? [];
	const files = new Map<ResolvedFile | GitPath, VersionsToSave>();
	const entries = new Map<GitPath, TreeEntry | null>();
	const byHand: GitPath[] = [];
	const decided = new Set<ResolvedFile>();
	for (const [path, { winner }] of decisions) {
		byHand.push(path);
		files.set(path, byHandFile(path, unmerged.get(path) as Stages, winner));
		for (const file of filesAt(path)) decided.add(file);
	}
	for (const path of wanted.keys()) {
		if (unmerged.has(path)) continue;
		const isEdited = edited.has(path) && readDiskFile(repository, path)?.oid !== wanted.get(path)?.oid;
		if (!staged.has(path) && !isEdited) continue;
		if (!staged.has(path)) byHand.push(path);
		for (const file of filesAt(path)) {
			decided.add(file);
			// A path that was staged by hand is resolved with git, and its versions are not saved here.
			if (!staged.has(path)) files.set(path, { ...file, strategy: "by-hand", winner: "merged", save: true });
		}
		wanted.delete(path);
	}
	const resolved = new Set<ResolvedFile>();
	for (const [path, entry] of wanted) {
		if (decisions.has(path)) continue;
		const about = filesAt(path);
		// A further result of a file that a person resolved under one of its names.
		if (!unmerged.has(path) && about.length > 0 && about.every((file) => decided.has(file))) continue;
		entries.set(path, entry);
		for (const file of about) resolved.add(file);
	}
	for (const file of resolution.files) {
		if (decided.has(file)) continue;
		if (resolved.has(file) || file.save) files.set(file, { ...file, save: true });
	}
	return { entries, byHand, files: [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

/** Resolves unmerged paths by their stages alone: where git does not record which commits were merged. */
async function planStages({ repository, paths }: ResolverContext, unmerged: ReadonlyMap<GitPath, Stages>, beganAt: number): Promise<Plan> {
	const decisions = new Map((await findDecisions(repository, unmerged, beganAt)).map((decision) => [decision.path, decision]));
	const entries = new Map<GitPath, TreeEntry | null>();
	const files: VersionsToSave[] = [];
	const open = new Map<GitPath, Stages>();
	for (const [path, stages] of unmerged) {
		const decision = decisions.get(path);
		if (decision) {
			files.push(byHandFile(path, stages, decision.winner));
			continue;
		}
		entries.set(path, null);
		// Renamed or deleted by both: its results have other names.
		if (stages.first || stages.second) open.set(path, stages);
	}
	if (open.size > 0) {
		const gone = new Map<GitPath, TreeEntry | null>([...unmerged.keys()].map((path) => [path, null]));
		const tree = await withScratchIndex(repository, paths.staging, async (scratch) => {
			await changeIndex(scratch, { entries: gone, fromDisk: [] });
			return await writeTree(scratch);
		});
		for (const file of await resolveStages(repository, { stages: open, tree, staging: paths.staging })) {
			files.push({ ...file, save: true });
			for (const { path, entry } of file.results) entries.set(path, entry);
		}
	}
	const byHand = [...decisions.keys()];
	for (const path of byHand) entries.delete(path);
	return { entries, byHand, files: files.sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

/** Our merge of the commits that the operation merges or applies; null: they are not recorded. */
async function resolutionOf(
	repository: Repository,
	operation: OperationState,
	head: Oid | null,
	heads: readonly Oid[],
	hasUnmerged: boolean,
): Promise<{ resolution: Resolution; commits: readonly Oid[] } | null> {
	if (head === null) return null;
	const [theirs] = heads;
	if (operation.name === "merge" && theirs !== undefined) {
		const commits = [head, ...heads];
		return {
			resolution: heads.length === 1 ? await resolveMerge(repository, head, theirs) : await resolveOctopus(repository, commits),
			commits,
		};
	}
	// For other operations, only git's own record shows its merge.
	if (!hasUnmerged || automaticMerge(repository) === null || operation.theirs === null) return null;
	const parents = await commitParents(repository, operation.theirs);
	const [parent] = parents;
	if (parents.length !== 1 || parent === undefined) return null;
	const [base, applied] = operation.name === "revert" ? [operation.theirs, parent] : [parent, operation.theirs];
	if (!["cherry-pick", "rebase", "revert"].includes(operation.name ?? "")) return null;
	return { resolution: await resolveApplied(repository, { base, ours: head, theirs: applied }), commits: [head, applied] };
}

/** Files of our own are never resolved: this node's are not touched. */
function withoutOwn({ entries, byHand, files }: Plan): Plan {
	return {
		entries: new Map([...entries].filter(([path]) => !isOwnPath(path))),
		byHand: byHand.filter((path) => !isOwnPath(path)),
		files: files.filter(({ path }) => !isOwnPath(path)),
	};
}

/** Checks the result out: every file in its way is backed up first. */
async function place(context: ResolverContext, { entries }: Plan, scratch: Repository): Promise<string | null> {
	const backup = new Backup(context.repository, context.paths, context.now());
	const missing: GitPath[] = [];
	for (const [path, entry] of entries) {
		const disk = readDiskFile(context.repository, path);
		if (disk && entry && disk.oid === entry.oid && disk.mode === entry.mode) continue;
		if (disk) backup.take(path);
		if (entry && entry.mode !== "160000") missing.push(path);
	}
	await checkoutFromIndex(scratch, missing);
	return backup.name;
}

function commitMessage({ repository, config }: ResolverContext, files: readonly VersionsToSave[]): string {
	const listed = files.slice(0, 100).map(({ strategy, path }) => `Resolved: ${strategy} ${printable(displayPath(path))}`);
	if (files.length > listed.length) listed.push(`Resolved: ${files.length - listed.length} more`);
	const message = [mergeMessageOf(repository), ...(listed.length > 0 ? [listed.join("\n")] : [])].join("\n\n");
	return `${withNodeTrailer(message, config.nodeName)}\n`;
}

/**
 * Resolves every path that a merge, rebase, cherry-pick, revert or stash left unmerged. A merge is completed and committed; of anything
 * else the result is staged, and the report names the git command that continues. Versions are saved before anything is changed. A run that is
 * interrupted is repeated from the start.
 * @throws GitError, the file system's errors; then nothing was changed, or the next run continues
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
	const known = await resolutionOf(repository, operation, head, heads, unmerged.size > 0);
	const plan = withoutOwn(
		known
			? await planMerge(context, unmerged, known.resolution, known.commits, operation.beganAt)
			: await planStages(context, unmerged, operation.beganAt),
	);
	const report = {
		operation: operation.name,
		next: operation.next,
		files: plan.files.map(({ path, type, strategy, winner }) => ({ path: displayPath(path), type, strategy, winner })),
	};
	if (dryRun) return { ...report, commit: null, saved: [], setAside: null };
	mkdirSync(paths.staging, { recursive: true, mode: 0o700 });
	return await withScratchIndex(repository, paths.staging, async (scratch) => {
		// Own files leave the index, whatever commit added them; on disk they stay.
		const own = (await trackedOwnFiles(repository)).map((path) => [path, null] as const);
		const changes = { entries: new Map([...plan.entries, ...own]), fromDisk: plan.byHand };
		await changeIndex(scratch, changes);
		let commit: Oid | null = null;
		if (operation.name === "merge" && head !== null)
			commit = await commitTree(repository, await writeTree(scratch), [head, ...heads], commitMessage(context, plan.files));
		const saved = await saveVersionsOf(
			repository,
			paths,
			{ commit, ours: head, theirs: operation.theirs, base: known?.resolution.base ?? null, files: plan.files },
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
