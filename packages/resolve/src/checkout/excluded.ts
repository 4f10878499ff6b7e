import path from "node:path";
import {
	type CheckoutReport,
	checkOutTree,
	cleanEntries,
	type GitPath,
	type IndexFlags,
	type Oid,
	Repository,
	readTreeWhole,
	setLeaving,
	type TreeEntry,
	trackedExcluded,
	withScratchIndex,
	writeFlaggedIndexEntries,
} from "@robust-sync/git";
import { type HeldPath, mountPointsBelow, readHeld, writeHeld } from "@robust-sync/workspace";
import { filtersApply } from "./filters-apply.ts";
import { commitWithout } from "./first-checkout.ts";
import { type IntegrateContext, newJournal, recordBackup, removeIfEmpty } from "./integrate.ts";
import { isAddition, mergeFiltered } from "./late-writes.ts";
import { inPlaceOf, isDirectory, isNoFile } from "./local-only.ts";

// SYNC_EXCLUDE: git's own way to have a path in the index and not on disk is its skip-worktree bit, as a sparse checkout sets it. All
// commits hold the path even so, and it is a deletion nowhere.

const hidden: IndexFlags = { skipWorktree: true, assumeUnchanged: false };

const isSame = (a: TreeEntry | undefined, b: TreeEntry | undefined) => a !== undefined && a.oid === b?.oid && a.mode === b.mode;

/** A file on disk at an excluded path: once no rule covers it any more, it is merged with HEAD's version. */
const localNote = (name: GitPath, target: TreeEntry): HeldPath => ({
	path: name,
	reason: "ignored-here",
	base: null,
	target,
	seen: null,
	covered: true,
});

/** Records held paths, and replaces older records that differ. @throws the file system's error */
function noteHeld({ paths }: IntegrateContext, notes: readonly HeldPath[]): void {
	if (notes.length === 0) return;
	const held = readHeld(paths);
	const known = new Map(held.paths);
	for (const note of notes) if (known.get(note.path)?.reason !== note.reason) known.set(note.path, note);
	writeHeld(paths, { ...held, paths: known });
}

/** Moves files between two trees that differ in some paths only; no branch moves. */
async function moveFiles(context: IntegrateContext, repository: Repository, from: Oid, to: Oid, ownBits: ReadonlySet<GitPath>) {
	const { paths, lock } = context;
	const { backup } = newJournal(context, { from, to, ref: "", theirs: null, branch_at: null });
	const directory = path.join(paths.backups, backup);
	const report: CheckoutReport = await checkOutTree(
		repository,
		{
			from,
			to,
			ref: null,
			ownBits,
			staging: paths.staging,
			backup: directory,
			mounts: mountPointsBelow(repository.root),
			versions: paths.versions,
			keepsVersions: context.keepsVersions === true,
			mergeFiltered,
			isAddition,
			checkpoint: () => lock.assertHeld(),
			async onHeld(held) {
				const notes = held.map(({ path: name, before, after, obstacle, seen }): HeldPath => {
					return { path: name, reason: obstacle, base: before, target: after, seen };
				});
				// A file that could not be removed stays as a file of this node.
				noteHeld(
					context,
					notes.filter(({ target }) => target !== null),
				);
			},
		},
		await filtersApply(repository),
	);
	context.onPlaced?.(report.placed);
	recordBackup({ ...context, files: repository.files }, backup, report.kept);
	removeIfEmpty(directory);
	return report;
}

/**
 * Sets the skip-worktree bit on every tracked path that SYNC_EXCLUDE covers, and moves its file to the backup where
 * it equals HEAD's version. Any other file there belongs to this node from now on, and stays. May be killed at any instant, and called again.
 * @param head the commit of HEAD @param again removes files of paths with the bit as well: an earlier call was interrupted
 * @returns the number of excluded tracked paths, and the paths whose files were removed
 * @throws GitError, the file system's errors, LockLostError
 */
export async function leaveExcluded(
	context: IntegrateContext,
	head: Oid,
	again: boolean,
): Promise<{ readonly count: number; readonly left: readonly GitPath[] }> {
	const { repository, lock, paths } = context;
	const tracked = await trackedExcluded(repository);
	const unhidden = [...tracked].flatMap(([name, bits]) => (again || !bits.skipWorktree ? [name] : []));
	if (unhidden.length === 0) return { count: tracked.size, left: [] };
	const entries = await readTreeWhole(repository, head);
	const names = unhidden.filter((name) => entries.has(name));
	const present = names.filter((name) => inPlaceOf(repository.root, name) !== null);
	const onDisk = await cleanEntries(repository, present, await filtersApply(repository), entries);
	const left = present.filter((name) => isSame(onDisk.get(name), entries.get(name)));
	const leaving = new Set(left);
	lock.assertHeld();
	noteHeld(
		context,
		present.flatMap((name) => {
			const target = entries.get(name);
			const isSubmodule = target !== undefined && isNoFile(target) && isDirectory(repository.root, name);
			return leaving.has(name) || target === undefined || isSubmodule ? [] : [localNote(name, target)];
		}),
	);
	setLeaving(repository, true);
	// Hidden first: no file is ever missing for git.
	await writeFlaggedIndexEntries(
		repository,
		names.map((name) => ({ path: name, entry: entries.get(name) ?? null })),
		new Map(names.map((name) => [name, { ...hidden, assumeUnchanged: tracked.get(name)?.assumeUnchanged ?? false }])),
	);
	if (left.length > 0) {
		const without = await commitWithout(context, { commit: head, head, without: left });
		await withScratchIndex(repository, paths.staging, async (scratch) => {
			// A person's sparse checkout is applied to the index itself only: a file that only the copy hides would look deleted.
			await moveFiles(context, new Repository({ ...scratch, isSparse: false }), head, without, new Set());
		});
	}
	setLeaving(repository, false);
	return { count: tracked.size, left };
}

/**
 * Places the files of formerly excluded paths from HEAD, and clears their index bits. A file of this
 * node that exists meanwhile stays, and the next snapshot merges it with HEAD's.
 * @param head the commit of HEAD @param names tracked paths with the index bit
 * @returns the paths that were placed
 * @throws GitError, the file system's errors, LockLostError
 */
export async function placeIncluded(context: IntegrateContext, head: Oid, names: readonly GitPath[]): Promise<readonly GitPath[]> {
	const { repository } = context;
	const entries = await readTreeWhole(repository, head);
	const known = names.filter((name) => entries.has(name));
	const isLocal = (name: GitPath) => inPlaceOf(repository.root, name) === name && !isDirectory(repository.root, name);
	const local = known.filter(isLocal);
	noteHeld(
		context,
		local.flatMap((name) => {
			const target = entries.get(name);
			return target === undefined ? [] : [localNote(name, target)];
		}),
	);
	const missing = known.filter((name) => !isLocal(name));
	if (missing.length === 0) return [];
	const from = await commitWithout(context, { commit: head, head, without: missing });
	const report = await moveFiles(context, repository, from, head, new Set(missing));
	return report.changes.map((change) => change.path);
}
