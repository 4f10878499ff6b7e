import {
	excludedAmong,
	excludePatterns,
	type GitPath,
	isIndexMissing,
	isLeaving,
	readHead,
	readTreeWhole,
	type Status,
	setExcludePatterns,
	trackedExcluded,
	wouldExclude,
	writeExcludeLines,
	writeFlaggedIndexEntries,
} from "@robust-sync/git";
import { leaveExcluded, placeIncluded } from "@robust-sync/resolve";
import { counted } from "@robust-sync/system/counted";
import { fileStamp } from "@robust-sync/system/file-stamp";
import { isLinkedWorkTree } from "@robust-sync/workspace";
import { type CycleContext, integrateContext } from "../context/cycle-context.ts";

// SYNC_EXCLUDE: the configured patterns, and those in effect. A path that is excluded from now on is published first.

const isEqual = (a: readonly string[], b: readonly string[]) => a.length === b.length && a.every((pattern, index) => pattern === b[index]);

/** Whether fewer paths are excluded than before, and none in addition: then nothing has to be published first. */
function onlyFewer(before: readonly string[], after: readonly string[]): boolean {
	const isPlain = [...before, ...after].every((pattern) => !pattern.startsWith("!"));
	return after.length === 0 || (isPlain && after.every((pattern) => before.includes(pattern)));
}

const stampOfIndex = ({ repository }: CycleContext): string | null => fileStamp(`${repository.gitDirectory}/index`);

/** Applies the patterns in effect to index and files. Does nothing if neither the index nor the patterns have changed since. */
async function enforce(context: CycleContext): Promise<readonly GitPath[]> {
	const { repository, memory, log } = context;
	if (excludePatterns(repository).length === 0) {
		memory.excluded = { stamp: null, files: 0 };
		return [];
	}
	const again = isLeaving(repository);
	if (!again && memory.excluded.stamp !== null && memory.excluded.stamp === stampOfIndex(context)) return [];
	const { oid: head } = await readHead(repository);
	if (head === null || isIndexMissing(repository)) return [];
	const { count, left } = await leaveExcluded(integrateContext(context), head, again);
	memory.excluded = { stamp: stampOfIndex(context), files: count };
	if (left.length > 0) {
		memory.dirty.invalidate();
		log.info(`SYNC_EXCLUDE: ${counted(left.length, "file")} removed here; the other nodes and the history keep them`);
	}
	return left;
}

/** Replaces the patterns in effect by the configured ones. @returns the paths that were placed or removed */
async function switchTo(context: CycleContext, wanted: readonly string[]): Promise<readonly GitPath[]> {
	const { repository, memory, log } = context;
	const { oid: head } = await readHead(repository);
	const before = await trackedExcluded(repository);
	const hidden = [...before].flatMap(([name, bits]) => (bits.skipWorktree ? [name] : []));
	let placed: readonly GitPath[] = [];
	if (hidden.length > 0 && head !== null) {
		const still = await wouldExclude(repository, wanted, hidden);
		const back = hidden.filter((name) => !still.has(name));
		if (back.length > 0) {
			placed = await placeIncluded(integrateContext(context), head, back);
			log.info(`SYNC_EXCLUDE: ${counted(placed.length, "file")} brought back`);
		}
	}
	context.lock.assertHeld();
	putIntoEffect(context, wanted);
	memory.dirty.invalidate();
	memory.excluded = { stamp: null, files: 0 };
	return [...placed, ...(await enforce(context))];
}

function putIntoEffect({ repository, paths }: CycleContext, wanted: readonly string[]): void {
	// The lines of a linked working tree apply to others as well.
	if (!isLinkedWorkTree(paths.root)) writeExcludeLines(repository, wanted);
	setExcludePatterns(repository, wanted);
}

/** Whether the patterns in effect are the configured ones. */
const isSettled = ({ repository, config }: CycleContext) => isEqual(excludePatterns(repository), config.syncExclude);

/**
 * If nothing was ever checked out or committed, the configured patterns apply at once: no excluded path is placed or published.
 * @throws the file system's error
 */
export async function excludeFromTheStart(context: CycleContext): Promise<void> {
	const { repository, config } = context;
	if (isSettled(context)) return;
	if (isIndexMissing(repository) || (await readHead(repository)).oid === null) putIntoEffect(context, config.syncExclude);
}

/**
 * At the start of a cycle: applies the patterns in effect, and brings back paths that are not excluded any more.
 * @returns the paths that were placed or removed
 * @throws GitError, the file system's errors, LockLostError
 */
export async function keepExcluded(context: CycleContext): Promise<readonly GitPath[]> {
	const { repository, config } = context;
	if (isSettled(context)) return await enforce(context);
	if (onlyFewer(excludePatterns(repository), config.syncExclude)) return await switchTo(context, config.syncExclude);
	return await enforce(context);
}

/**
 * At the end of a cycle: applies SYNC_EXCLUDE to the incoming files, and once all is published, removes the files of newly excluded paths.
 * @returns the paths that were placed or removed
 * @throws GitError, the file system's errors, LockLostError
 */
export async function excludeFromNowOn(context: CycleContext, isAllPublished: boolean): Promise<readonly GitPath[]> {
	if (isSettled(context) || !isAllPublished) return await enforce(context);
	return await switchTo(context, context.config.syncExclude);
}

/** Logs how many of a person's paths are excluded here; null: none. @throws GitError */
export async function excludedText({ repository }: Pick<CycleContext, "repository">, names: readonly GitPath[]): Promise<string | null> {
	const { size } = await excludedAmong(repository, names);
	return size === 0 ? null : `SYNC_EXCLUDE: ${counted(size, "file")} of these changed on the other nodes and in history only, not here`;
}

/** The part of some paths that is not excluded here. @throws GitError */
export async function withoutExcluded({ repository }: CycleContext, names: readonly GitPath[]): Promise<readonly GitPath[]> {
	const excluded = await excludedAmong(repository, names);
	return excluded.size === 0 ? names : names.filter((name) => !excluded.has(name));
}

/**
 * Unstages a person's changes at excluded paths (`git add -A` after the index was rebuilt): our commits do not contain them.
 * @returns whether there were any
 * @throws GitError
 */
export async function unstageExcluded({ repository }: CycleContext, { head, entries }: Status): Promise<boolean> {
	const staged = entries.filter(({ kind, index }) => kind === "changed" && index !== ".").map(({ path: name }) => name);
	const excluded = [...(await excludedAmong(repository, staged))];
	if (excluded.length === 0) return false;
	const now = head === null ? new Map() : await readTreeWhole(repository, head);
	const bits = { skipWorktree: true, assumeUnchanged: false };
	await writeFlaggedIndexEntries(
		repository,
		excluded.map((name) => ({ path: name, entry: now.get(name) ?? null })),
		new Map(excluded.map((name) => [name, bits])),
	);
	return true;
}
