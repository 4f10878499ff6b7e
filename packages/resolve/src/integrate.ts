import { existsSync } from "node:fs";
import path from "node:path";
import {
	type GitPath,
	type LateWrite,
	type MoveReport,
	moveWorkingTree,
	type Oid,
	type Repository,
	readRef,
	relation,
	usesAttributes,
} from "@robust-sync/git";
import { mergeContents } from "@robust-sync/merge";
import {
	compactTimestamp,
	faultPoint,
	type Journal,
	type Lock,
	listSavedVersions,
	readJournal,
	removeJournal,
	timestamp,
	type WorkspacePaths,
	writeBackupManifest,
	writeJournal,
} from "@robust-sync/workspace";
import type { Resolution } from "./resolution.ts";
import { resolutionsBetween } from "./resolutions-between.ts";
import { resolveMerge } from "./resolve-merge.ts";
import { saveVersions } from "./save-versions.ts";

/** What moving a node to another commit needs. */
export interface IntegrateContext {
	readonly repository: Repository;
	readonly paths: WorkspacePaths;
	/** Held by the caller; asserted before every durable step. */
	readonly lock: Lock;
	readonly now: () => number;
	/** What a late write should have been, had its writer read the newest version. */
	readonly bringUpToDate?: (late: LateWrite) => Promise<Buffer>;
}

/** What came of it. */
export interface Integration {
	/** Where HEAD is now. */
	readonly head: Oid;
	readonly kind: "nothing" | "fast-forward" | "merge";
	readonly resolution: Resolution | null;
	readonly changed: readonly GitPath[];
	/** Paths at which somebody wrote while the files were moved; merged in, not committed yet. */
	readonly rescued: readonly GitPath[];
	/** Names of the directories below sync/conflicts/ that were written. */
	readonly saved: readonly string[];
}

/** Content that keeps both a late write and what came in; the late write is the later side. */
export function mergeLateWrite({ path: name, before, written, incoming }: LateWrite): Buffer {
	if (incoming === null) return written;
	const { content } = mergeContents({ path: Buffer.from(name, "latin1"), base: before, a: written, b: incoming, later: "a" });
	return Buffer.from(content.buffer, content.byteOffset, content.byteLength);
}

/** Saves what each resolution left out, unless that was done before (a move that is taken up again). */
async function saveAll(context: IntegrateContext, resolutions: readonly Resolution[]): Promise<string[]> {
	const { repository, paths, now } = context;
	if (resolutions.length === 0) return [];
	const known = new Set(listSavedVersions(paths, 1_000).map(({ manifest }) => manifest?.merge_commit));
	const saved: string[] = [];
	for (const resolution of resolutions) {
		if (known.has(resolution.commit)) continue;
		const name = await saveVersions(repository, paths, resolution, now());
		if (name !== null) saved.push(name);
	}
	return saved;
}

/** The saved versions that a node makes which only receives a merge: the merges on the way are computed again. */
async function resolutionsOnTheWay(repository: Repository, from: Oid | null, to: Oid): Promise<Resolution[]> {
	if (from === null) return [];
	const resolutions: Resolution[] = [];
	for (const { ours, theirs } of await resolutionsBetween(repository, from, to))
		resolutions.push(await resolveMerge(repository, ours, theirs));
	return resolutions;
}

// Asked once, and again when a move brings a .gitattributes.
const attributesMemory = new WeakMap<Repository, boolean>();

/** Whether any file on disk may differ from its blob (gitattributes(5)). */
export async function filtersApply(repository: Repository): Promise<boolean> {
	if (existsSync(path.join(repository.root, ".gitattributes"))) return true;
	const known = attributesMemory.get(repository);
	if (known !== undefined) return known;
	const uses = await usesAttributes(repository);
	attributesMemory.set(repository, uses);
	return uses;
}

function forgetAttributes(repository: Repository, changed: readonly GitPath[]): void {
	if (changed.some((name) => name === ".gitattributes" || name.endsWith("/.gitattributes"))) attributesMemory.delete(repository);
}

async function carryOut(context: IntegrateContext, journal: Journal, resume: boolean, known: Resolution | null): Promise<Integration> {
	const { repository, paths, lock } = context;
	const { from, to, ref, backup } = journal;
	const options = {
		from,
		to,
		ref,
		staging: paths.staging,
		backup: path.join(paths.backups, backup),
		resume,
		mergeLate: async (late: LateWrite) =>
			mergeLateWrite(context.bringUpToDate ? { ...late, written: await context.bringUpToDate(late) } : late),
		checkpoint(step: string) {
			lock.assertHeld();
			faultPoint(`move-${step}`);
		},
	};
	// What this node loses is saved in the same breath; the journal stays until both are on disk.
	const [report, saved] = await Promise.all([
		filtersApply(repository).then((filters) => moveWorkingTree(repository, options, filters)),
		(async () => {
			if (known) return await saveAll(context, [known]);
			if (journal.theirs !== null && from !== null) return await saveAll(context, [await resolveMerge(repository, from, journal.theirs)]);
			return await saveAll(context, await resolutionsOnTheWay(repository, from, to));
		})(),
	]);
	faultPoint("move-saved");
	recordBackup(context, backup, report);
	removeJournal(paths);
	faultPoint("move-done");
	const changed = report.changes.map((change) => change.path);
	forgetAttributes(repository, changed);
	return { head: to, kind: journal.theirs === null ? "fast-forward" : "merge", resolution: known, changed, rescued: report.rescued, saved };
}

function recordBackup({ paths, now }: IntegrateContext, backup: string, report: MoveReport): void {
	if (report.kept.length === 0) return;
	writeBackupManifest(paths, backup, {
		schema: 1,
		replaced_at: timestamp(now()),
		files: report.kept.map(({ path: name, file, before, after, size, mtimeMs }) => ({
			path: name,
			file,
			before,
			after,
			size,
			mtime_ms: mtimeMs,
		})),
	});
}

/** Where a node should go to contain both sides; nothing has moved yet. */
export interface Plan {
	readonly kind: Integration["kind"];
	readonly from: Oid | null;
	readonly to: Oid;
	/** The other side of a merge; null: a fast-forward, or nothing to do. */
	readonly theirs: Oid | null;
	readonly resolution: Resolution | null;
}

/**
 * Finds the commit that contains `ours` (where HEAD is; null: no commit yet) and `theirs`: one of them, or a merge computed in
 * the object database. Touches no ref, no index and no file, so its result can be published before anything moves.
 * @throws GitError
 */
export async function planIntegration(repository: Repository, ours: Oid | null, theirs: Oid): Promise<Plan> {
	const plan = { from: ours, to: theirs, theirs: null, resolution: null };
	const standing = ours === null ? "behind" : await relation(repository, ours, theirs);
	if (standing === "behind") return { ...plan, kind: "fast-forward" };
	if (ours === null || standing !== "diverged") return { ...plan, to: ours ?? theirs, kind: "nothing" };
	const resolution = await resolveMerge(repository, ours, theirs);
	faultPoint("integrate-resolved");
	return { kind: "merge", from: ours, to: resolution.commit, theirs, resolution };
}

/**
 * Carries a plan out: branch, index and working tree follow in one journalled step that destroys no byte. The working tree
 * should have just been committed.
 *
 * @param ref full name of the branch
 * @throws GitError, the file system's errors, LockLostError; `resumeIntegration` then goes on
 */
export async function carryOutPlan(context: IntegrateContext, ref: string, plan: Plan): Promise<Integration> {
	if (plan.kind === "nothing") return { head: plan.to, kind: "nothing", resolution: null, changed: [], rescued: [], saved: [] };
	const { paths, now } = context;
	const { from, to, theirs, resolution } = plan;
	const journal: Journal = { schema: 1, from, to, ref, theirs, backup: compactTimestamp(now()), started_at: timestamp(now()) };
	context.lock.assertHeld();
	writeJournal(paths, journal);
	faultPoint("integrate-journalled");
	return await carryOut(context, journal, false, resolution);
}

/** Both at once: brings this node from `ours` to a commit that contains `theirs`. */
export async function integrate(context: IntegrateContext, ref: string, ours: Oid | null, theirs: Oid): Promise<Integration> {
	return await carryOutPlan(context, ref, await planIntegration(context.repository, ours, theirs));
}

/** Goes on with a move that was interrupted (killed, out of disk). Null when there was none. */
export async function resumeIntegration(context: IntegrateContext): Promise<Integration | null> {
	const journal = readJournal(context.paths);
	if (!journal) return null;
	const at = await readRef(context.repository, journal.ref);
	if (at !== journal.from && at !== journal.to) {
		// A person moved the branch since. What was moved already is an ordinary uncommitted change now.
		removeJournal(context.paths);
		return null;
	}
	return await carryOut(context, journal, true, null);
}
