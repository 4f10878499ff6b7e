import {
	cleanEntries,
	displayPath,
	excludePattern,
	type GitPath,
	hasOtherNameBelow,
	isFileMode,
	isSameEntry,
	localExcludes,
	type Repository,
	readObjectsWhole,
	readTreeFiles,
	type Status,
	type StatusEntry,
	stampOf,
	storeBlobs,
	storeCopy,
	type TreeEntry,
	withoutSlash,
	writeIndexEntries,
} from "@robust-sync/git";
import { filtersApply, isBelow, isWithin, mergeContents, stillIgnored } from "@robust-sync/resolve";
import {
	type HeldPath,
	type HeldState,
	hasHeldNotes,
	heldAbove,
	holdRemedies,
	mountPointsBelow,
	neverCommitted,
	nothingHeld,
	readHeld,
	type SkippedFile,
	writeHeld,
} from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { reasonToSkip } from "./skipped-files.ts";

// A held path is as its writers left it, while HEAD and the index have the incoming version. A snapshot must not commit the difference as the
// user's change. A later write there was made from the file on disk: that is its base, not HEAD.

/** Held paths, compared with git status. */
export interface HeldView {
	/** Whether an entry of the status is not the user's change. */
	hides(entry: StatusEntry): boolean;
	/** Held paths with a later write. */
	readonly written: readonly HeldPath[];
	/** Held paths whose entry someone staged unchanged, by `git add -A`: it is no change. */
	readonly staged: readonly HeldPath[];
	/** The paths held before. */
	readonly before: HeldState;
	/** The paths held from now on, including those with a later write. */
	readonly state: HeldState;
}

/** A held path with a later write: the next version of HEAD, and the file that the writer left on disk. */
interface HeldWrite {
	readonly held: HeldPath;
	readonly disk: TreeEntry;
	readonly stamp: string;
	readonly merged: TreeEntry;
}

const hidesNothing: HeldView = { hides: () => false, written: [], staged: [], before: nothingHeld, state: nothingHeld };

/** As `stampOf`. A file of another name is not at the path. */
function stampOfHeld(repository: Repository, name: GitPath): string | null {
	return hasOtherNameBelow(repository, name) ? "absent" : stampOf(repository, name);
}

/** Mount points inside the workspace. Read before and after a status: a mount point in both lists was mounted all the time. */
export function mountsNow({ repository }: CycleContext): Set<GitPath> {
	const points = [...mountPointsBelow(repository.root)];
	return new Set(points.filter((point) => !isWithin(point, ".git") && !neverCommitted.some((own) => isWithin(point, own))));
}

/** A directory whose file system is missing: nothing below it is a deletion. A directory with all its files again is an ordinary one. */
function stillMissing(held: HeldState, mounted: ReadonlySet<GitPath>, entries: Status["entries"]): GitPath[] {
	return [...held.mounts].filter(
		(mount) =>
			!mounted.has(mount) &&
			(entries.some(({ path: name, worktree }) => worktree === "D" && isBelow(name, mount)) ||
				[...held.paths.values()].some(({ path: name, reason }) => reason === "missing-mount" && isBelow(name, mount))),
	);
}

/**
 * Compares held paths with git status. Changes nothing.
 * @param mounted mount points that existed before the status and after it
 * @throws GitError
 */
export async function viewHeld(context: CycleContext, status: Status, mounted: ReadonlySet<GitPath>): Promise<HeldView> {
	const { repository, paths, config } = context;
	const held = readHeld(paths);
	if (held.paths.size === 0 && held.mounts.size === 0 && mounted.size === 0) return hidesNothing;
	const entries = new Map(status.entries.map((entry) => [entry.path as string, entry]));
	const missing = stillMissing(held, mounted, status.entries);
	const isMissing = (name: string) => missing.some((mount) => isBelow(name, mount));
	const local = [...held.paths.values()].filter(({ reason }) => reason === "ignored-here");
	const [heads, ignored] = await Promise.all([
		headEntries(context, status, [...held.paths.keys()]),
		stillIgnored(
			repository,
			local.map((entry) => entry.path),
		),
	]);
	const lines = local.some(({ excluded }) => excluded) ? localExcludes(repository) : new Set<GitPath>();
	/** A negation overrode our line, and its user has removed the line. */
	const isReleased = ({ path: name, excluded }: HeldPath) =>
		excluded === true && !ignored.has(name) && !lines.has(name) && excludePattern(name) !== null;
	const next = new Map<GitPath, HeldPath>();
	const written: HeldPath[] = [];
	const staged: HeldPath[] = [];
	const toCompare: { readonly held: HeldPath; readonly stamp: string; readonly isStaged: boolean }[] = [];
	for (const was of held.paths.values()) {
		const name = was.path;
		const target = heads.has(name) ? (heads.get(name) ?? null) : was.target;
		const entry = { ...was, target };
		const listed = entries.get(name);
		if (isMissing(name)) next.set(name, entry);
		else if (entry.reason === "ignored-here") {
			const isStaged = listed?.kind === "changed" && listed.index !== "." && listed.index !== "D";
			// An index bit or a rule hides it from `git add -A`: its user has named it.
			if (isStaged && (target === null ? entry.covered === true : !repository.isSparse)) continue;
			const outcome = localNow(isReleased(entry) ? { ...entry, covered: true } : entry, ignored.has(name), stampOfHeld(repository, name));
			if (outcome === "written") written.push(entry);
			else if (outcome !== null) {
				next.set(name, outcome);
				if (isStaged) staged.push(entry);
			}
		} else {
			const stamp = stampOfHeld(repository, name);
			const isStaged = listed?.kind === "changed" && listed.index !== ".";
			// A huge file has an index bit: git does not list it.
			const isHidden = entry.reason === "too-large";
			// An ignored file that waits for its deletion is not listed either.
			const isKept = entry.reason === "guard" && target === null;
			// Its user deletes it as well.
			if (isKept && stamp === "absent") continue;
			// No version is to be placed, and there is no file: a newer commit has ended the hold.
			if (stamp === "absent" && target === null && entry.base === null) continue;
			if (stamp === null || (stamp === entry.seen && !isStaged && (listed || isHidden || isKept || stamp === "absent")))
				next.set(name, entry);
			// Equal to HEAD.
			else if (!listed && !isHidden && !isKept && !(stamp === "absent" && target !== null)) continue;
			else if (stamp === "absent") {
				// Removed here, changed there: the changed version is placed as soon as possible.
				if (entry.base === null || !isSameEntry(entry.base, target))
					next.set(name, { ...entry, base: null, seen: "absent", ...(entry.reason === "guard" ? { approved: true } : {}) });
			} else if (context.memory.forget.isWaiting(name) || reasonToSkip(context.repository, name, config.maxFileMb) !== null)
				next.set(name, { ...entry, seen: null });
			else toCompare.push({ held: entry, stamp, isStaged });
		}
	}
	const filters = toCompare.length > 0 && (await filtersApply(repository));
	const disk = await cleanEntries(
		repository,
		toCompare.map((entry) => entry.held.path),
		filters,
		new Map(toCompare.map(({ held: entry }) => [entry.path, entry.base])),
		true,
	);
	for (const { held: entry, stamp, isStaged } of toCompare) {
		const found = disk.get(entry.path);
		if (found === undefined || isSameEntry(found, entry.base)) {
			next.set(entry.path, { ...entry, seen: found === undefined ? null : stamp });
			if (isStaged) staged.push(entry);
		} else if (!isSameEntry(found, entry.target)) written.push(entry);
	}
	const state: HeldState = { paths: next, mounts: new Set([...mounted, ...missing]) };
	const hidden: HeldState = { ...state, paths: new Map([...next, ...written.map((entry) => [entry.path, entry] as const)]) };
	return {
		written,
		staged,
		before: held,
		state,
		hides({ path: name, kind }) {
			if (isMissing(name)) return true;
			// A directory represents the untracked files below it.
			const above = heldAbove(hidden, withoutSlash(name));
			return above !== null && (above.path === name || kind === "untracked");
		},
	};
}

/**
 * If `sync/held.json` is lost, the lines in `.git/info/exclude` still list the paths that were ignored here. A file that a negation un-ignored
 * meanwhile is held again before a snapshot could publish it.
 * @returns their number
 * @throws GitError, the file system's error
 */
export async function restoreLocalNotes({ repository, paths }: Pick<CycleContext, "repository" | "paths">): Promise<number> {
	if (hasHeldNotes(paths)) return 0;
	const names = [...localExcludes(repository)].filter((name) => stampOf(repository, name) !== "absent");
	if (names.length === 0) return 0;
	const covered = await stillIgnored(repository, names);
	const exposed = names.filter((name) => !covered.has(name));
	if (exposed.length === 0) return 0;
	const note = { reason: "ignored-here", base: null, target: null, seen: null, covered: false, excluded: true } as const;
	writeHeld(paths, { ...nothingHeld, paths: new Map(exposed.map((name) => [name, { path: name, ...note }])) });
	return exposed.length;
}

/** The entry of a local file. Null: it is no local file any more; "written": its user publishes it, though another node has that name too. */
function localNow(held: HeldPath, covered: boolean, stamp: string | null): HeldPath | "written" | null {
	if (held.covered === true && !covered && !held.flag) return held.target === null ? null : "written";
	const { target, excluded, flag } = held;
	if (target === null && covered && !flag && (!excluded || stamp === "absent")) return null;
	return { ...held, covered };
}

/** HEAD's entries at held paths; null: none. */
async function headEntries(
	{ repository }: CycleContext,
	{ head }: Status,
	names: readonly GitPath[],
): Promise<Map<GitPath, TreeEntry | null>> {
	if (head === null) return new Map();
	const entries = await readTreeFiles(repository, head, names);
	return new Map(names.map((name) => [name, entries.get(name) ?? null]));
}

/**
 * Stages writes to held paths: merged with the incoming version, from the version that the writer had read, although they cannot be placed. Also
 * unstages those that `git add -A` staged.
 * @returns the records for `noteHeld` after the commit
 */
export async function stageHeldWrites(context: CycleContext, { written, staged }: HeldView): Promise<HeldWrite[]> {
	const { repository } = context;
	const writes: HeldWrite[] = [];
	for (const held of written) {
		const name = held.path;
		const stamp = stampOf(repository, name);
		const disk = await storeCopy(repository, name);
		if (disk === null || stamp === null) continue;
		writes.push({ held, disk, stamp, merged: await mergeHeld(context, held, disk) });
	}
	const entries = [
		...writes.map(({ held, merged }) => ({ path: held.path, entry: merged })),
		...staged.map(({ path: name, target }) => ({ path: name, entry: target })),
	];
	if (entries.length > 0) await writeIndexEntries(repository, entries);
	return writes;
}

async function mergeHeld(
	context: Pick<CycleContext, "repository" | "paths" | "now">,
	{ path: name, base, target }: HeldPath,
	disk: TreeEntry,
): Promise<TreeEntry> {
	const { repository, paths } = context;
	const isText = (entry: TreeEntry | null) => isFileMode(entry?.mode) && entry?.mode !== "120000";
	// A link is no text, and a deletion has no content to merge: the later version stays whole.
	if (target === null || !isText(disk) || !isText(target)) return disk;
	const from = isText(base) ? base : null;
	const contents = await readObjectsWhole(
		repository,
		[disk, target, from].flatMap((entry) => (entry ? [entry.oid] : [])),
	);
	const content = await mergeContents(context, {
		path: name,
		base: contents.get(from?.oid ?? "") ?? null,
		written: contents.get(disk.oid) ?? Buffer.alloc(0),
		incoming: contents.get(target.oid) ?? Buffer.alloc(0),
	});
	const [oid = disk.oid] = await storeBlobs(repository, paths.staging, [content]);
	return { mode: base !== null && disk.mode === base.mode ? target.mode : disk.mode, oid };
}

/** Records the paths held from now on. Called after the commit of the snapshot. @throws the file system's error */
export function noteHeld({ paths }: CycleContext, { before, state }: HeldView, writes: readonly HeldWrite[]): void {
	// Paths that the snapshot itself could not restore are held since.
	const since = [...readHeld(paths).paths].filter(([name]) => !before.paths.has(name));
	const next = new Map([...state.paths, ...since]);
	for (const { held, disk, stamp, merged } of writes) {
		if (isSameEntry(disk, merged)) continue;
		const reason = held.reason === "ignored-here" ? "in-the-way" : held.reason;
		next.set(held.path, { path: held.path, reason, base: disk, target: merged, seen: stamp });
	}
	writeHeld(paths, { ...state, paths: next });
}

/** Held paths for `skipped`. A missing mount represents everything below it. */
export function heldSkipped({ repository, paths }: CycleContext): SkippedFile[] {
	const held = readHeld(paths);
	const mounted = held.mounts.size > 0 ? mountPointsBelow(repository.root) : new Set<GitPath>();
	const missing = [...held.mounts].filter((mount) => !mounted.has(mount));
	const entry = (name: GitPath, reason: HeldPath["reason"]): SkippedFile => ({
		path: displayPath(name),
		reason,
		remedy: holdRemedies[reason],
	});
	return [
		...missing.map((mount) => entry(mount, "missing-mount")),
		...[...held.paths.values()]
			// Thousands of files that wait for one decision: the state has their number, and names the first.
			.filter(({ path: name, reason }) => reason !== "guard" && !missing.some((mount) => isBelow(name, mount)))
			.map(({ path: name, reason }) => entry(name, reason)),
	];
}

/**
 * The part of some paths that an incremental scan can handle: local files are left out. Null: a held path is among them, and a full scan
 * is needed.
 */
export function withoutHeld({ repository, paths }: CycleContext, names: readonly GitPath[]): readonly GitPath[] | null {
	const held = readHeld(paths);
	if (held.paths.size === 0 && held.mounts.size === 0) return names;
	const rest = names.filter((name) => held.paths.get(name)?.reason !== "ignored-here");
	if (rest.some((name) => heldAbove(held, name) !== null)) return null;
	const mounted = held.mounts.size > 0 ? mountPointsBelow(repository.root) : new Set<GitPath>();
	return rest.some((name) => [...held.mounts].some((mount) => !mounted.has(mount) && isBelow(name, mount))) ? null : rest;
}
