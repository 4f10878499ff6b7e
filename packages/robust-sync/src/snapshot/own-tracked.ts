import { renameSync } from "node:fs";
import {
	beneath,
	displayPath,
	type GitPath,
	type Oid,
	openMergeStore,
	readHead,
	readRef,
	readTreePaths,
	rewriteCommits,
	trackingRef,
	updateRef,
	writeIndexEntries,
} from "@robust-sync/git";
import { forgetAttributes, isOwnPath, markedAsMade, ownPathspecs, trackedOwnFiles } from "@robust-sync/resolve";
import { faultPoint } from "@robust-sync/system/fault-points";
import type { Items } from "@robust-sync/system/items";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { compactTimestamp } from "@robust-sync/system/timestamps";
import { isMadeByUs, isOwnName, isReadAsState, type SkippedFile, unmistakableNames, type WorkspacePaths } from "@robust-sync/workspace";
import { refusedPath } from "../checkout/skipped-files.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { remadeSnapshot } from "../context/remade-snapshot.ts";
import { publishedTips, syncedBranch } from "../remote/upstream.ts";
import type { Snapshot } from "./snapshot.ts";

function setAside(paths: WorkspacePaths, names: readonly GitPath[], now: number): string | null {
	const directory = `${paths.backups.slice(paths.root.length + 1)}/${compactTimestamp(now)}/files`;
	let moved = 0;
	for (const name of names) {
		const to = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, "latin1")]);
		try {
			beneath(paths.root, name, (from) => beneath(paths.root, to, (file) => renameSync(from, file), { makeParents: true }));
			moved++;
		} catch (error) {
			if (!["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
		}
	}
	return moved > 0 ? directory : null;
}

/** The part of some paths that the remote's branch has, as far as this node knows; all if its tip is unknown. */
async function cameWithClone({ repository, config, memory }: CycleContext, names: readonly GitPath[]): Promise<GitPath[]> {
	const { branch } = await readHead(repository);
	const tip = await readRef(repository, trackingRef(config.syncRemote, memory.branch ?? config.syncBranch ?? branch ?? ""));
	if (tip === null) return [...names];
	return [...(await readTreePaths(repository, tip, names)).keys()];
}

/**
 * If HEAD is not where this process left it or last saw it, another program has moved it. Files of ours, attributes and losses are then
 * looked for again.
 * @param head null: unborn, or unreadable
 */
export function noticeOtherHead({ repository, memory }: CycleContext, head: Oid | null): void {
	if (head === memory.knownHead) return;
	memory.knownHead = head;
	memory.ownTrackedChecked = false;
	memory.changes.noticeOthers();
	forgetAttributes(repository, null);
}

/** Records that this process moved HEAD. If it was not at `from`, another program had moved it before, which is noticed later. */
export function followOwnHead({ memory }: CycleContext, from: Oid | null, to: Oid | null): void {
	if (memory.knownHead === from) memory.knownHead = to;
}

/**
 * Moves tracked files below `sync/` aside that came from the remote and would be read as state of this node. A person's own commit of them
 * is state of this node, and they stay. Runs before any read, whenever another program has moved HEAD.
 */
export async function setAsideTrackedState(context: CycleContext): Promise<void> {
	const { repository, paths, memory, log, now } = context;
	// An index or a HEAD that cannot be read is recovered first.
	noticeOtherHead(context, (await readHead(repository).catch(() => null))?.oid ?? null);
	if (memory.ownTrackedChecked) return;
	const names = (await trackedOwnFiles(repository).catch(() => [])).filter((name) => isReadAsState(name));
	if (names.length === 0) return;
	const directory = setAside(paths, await cameWithClone(context, names), now());
	if (directory !== null) log.warn(`what came with the repository below sync/ is no state of this node: it is in ${directory} now`);
}

/**
 * Removes own files from the index that a person or a peer has added, once in the life of a process and when the status shows
 * one: the next commit no longer has them. On disk they stay unchanged.
 * @returns whether there were any
 */
export async function untrackOwnFiles({ repository, memory, lock, log }: CycleContext): Promise<boolean> {
	if (memory.ownTrackedChecked) return false;
	const names = await trackedOwnFiles(repository);
	if (names.length > 0) {
		lock.assertHeld();
		await writeIndexEntries(
			repository,
			names.map((name) => ({ path: name, entry: null })),
		);
	}
	// After a failure the next cycle tries again.
	memory.ownTrackedChecked = true;
	if (names.length === 0) return false;
	memory.dirty.invalidate();
	memory.ownTracked = [...new Set([...memory.ownTracked, ...names.filter((name) => !isMadeByUs(name)).map(displayPath)])];
	const shown = names.slice(0, 3).map((name) => JSON.stringify(displayPath(name)));
	log.warn(
		`no longer tracked, because robust-sync keeps files of its own under these names: ${shown.join(", ")}${names.length > shown.length ? ", …" : ""}: rename what you want to sync`,
	);
	return true;
}

/** A node that has never seen the remote's branch may get a history with directories of these names, from before it was a workspace. */
const firstPathspecs = unmistakableNames.map((name) => `:(top,icase)${name}`);
/** Replaced commits stay reachable under these names, which are never pushed. */
const replacedRefs = "refs/robust-sync/replaced/";

/** Commits that the remote lacks and that hold own files, or descend from such; parents first. Almost always one process, and none. */
async function commitsWithOwnFiles(context: CycleContext, head: Oid): Promise<Oid[]> {
	const { repository, memory } = context;
	const known = (await publishedTips(context)).map((tip) => `^${tip}`);
	const checked = memory.publishable === null ? [] : [`^${memory.publishable}`];
	const pathspecs = known.length === 0 ? firstPathspecs : ownPathspecs;
	const found = await repository.run([
		"rev-list",
		"--full-history",
		"--max-count=1",
		"--ignore-missing",
		head,
		...known,
		...checked,
		"--",
		...pathspecs,
	]);
	if (found.stdout.length === 0) return [];
	const { stdout } = await repository.run(["rev-list", "--topo-order", "--reverse", head, ...known, "--"]);
	return stdout.toString("latin1").split("\n").filter(Boolean);
}

/**
 * Own files that a person has committed must not reach the remote in a later commit's history either: unpublished commits
 * are rewritten without them, before any push or merge. The old ones stay reachable here.
 * @param touched the paths that unpublished, unchecked commits change; null: not known
 * @returns the snapshot after the rewrite
 * @throws GitError, LockLostError
 */
export async function withoutOwnFiles(context: CycleContext, snapshot: Snapshot, touched: Items<GitPath> | null): Promise<Snapshot> {
	const { repository, memory, lock, log } = context;
	const { head, status } = snapshot;
	if (head === null || head === memory.publishable) return snapshot;
	const isOurs = snapshot.isDirect === true && status.head === memory.publishable;
	const isWithout = isOurs || (touched !== null && !touched.some(isOwnPath));
	const commits = isWithout ? [] : await commitsWithOwnFiles(context, head);
	const messageOf = (message: string) => markedAsMade(message, context.config.nodeName);
	const replaced =
		commits.length === 0 ? new Map<Oid, Oid>() : await rewriteCommits(openMergeStore(repository), commits, isOwnName, messageOf);
	const newHead = replaced.get(head) ?? head;
	if (newHead !== head) {
		lock.assertHeld();
		const ref = `${replacedRefs}${head}`;
		if ((await readRef(repository, ref)) === null) await updateRef(repository, ref, head, null, "robust-sync: keep what was committed");
		faultPoint("own-files-kept");
		await updateRef(repository, `refs/heads/${syncedBranch(context)}`, newHead, head, "robust-sync: leave out own files");
		memory.dirty.invalidate();
		log.warn(
			`commits that were not published yet held files of robust-sync's own: made again without them (${newHead.slice(0, 12)} instead of ${head.slice(0, 12)}, which is kept as ${ref})`,
		);
	}
	memory.publishable = newHead;
	return remadeSnapshot(snapshot, replaced, newHead);
}

/** Files that were tracked and are not synced any more, as long as they are on disk. */
export function ownTrackedFiles({ memory, paths }: CycleContext): SkippedFile[] {
	memory.ownTracked = memory.ownTracked.filter((name) => {
		try {
			return beneath(paths.root, Buffer.from(name), (file) => lstatIfThere(file) !== null);
		} catch {
			return false;
		}
	});
	return memory.ownTracked.map((name) => refusedPath(Buffer.from(name).toString("latin1")));
}
