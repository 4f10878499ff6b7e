// Above 400 lines: late writes, lost updates and what was interrupted are three entries to one merge and one way back to the disk.
import fs from "node:fs";
import path from "node:path";
import {
	blobOid,
	displayPath,
	type FileReplacement,
	fileMode,
	fileSystemPath,
	type GitPath,
	gitPathBytes,
	type HeldChange,
	type LateWrite,
	lstatIfThere,
	readHead,
	readObjectsWhole,
	readUnseen,
	replaceFiles,
	storeBlobs,
	withObjectReader,
} from "@robust-sync/git";
import { mayStemFrom, originAmong } from "@robust-sync/merge";
import { isAddition, type LateMergeContext, mergeLateWriteAside, replacedFile } from "@robust-sync/resolve";
import { printable } from "@robust-sync/service/printable";
import {
	compactTimestamp,
	faultPoint,
	keptFilePath,
	mountPointsBelow,
	type RescueJournal,
	readHeld,
	readRescueJournal,
	removeRescueJournal,
	timestamp,
	writeHeld,
	writeRescueJournal,
} from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { savedText } from "../context/cycle-text.ts";
import { sinceFirstChange } from "../context/first-changes.ts";
import { accessTimesOf } from "./access-times.ts";
import { lateWritePlace } from "./late-write-place.ts";
import { type Replacement, replacementsWindowMs, staleWriteWindowMs, unreadWindowMs } from "./replaced-files.ts";

/** More kept files than this are looked at in turns, so that a huge checkout does not slow every cycle for an hour. */
const looksPerCycle = 2_000;

function readFile(file: Buffer): { content: Buffer; stats: fs.Stats } | null {
	try {
		const stats = fs.lstatSync(file);
		return stats.isFile() ? { content: readUnseen(file), stats } : null;
	} catch {
		return null;
	}
}

function merge(context: CycleContext, name: GitPath, base: Buffer | null, written: Buffer, current: Buffer): Promise<Buffer> {
	const late = { path: name, before: base, written, writtenAt: null, appeared: false, incoming: current, exposed: [] };
	return mergeLateWriteAside(saving(context), late);
}

/** What a merge leaves out is saved, and that is logged. */
function saving({ repository, paths, now, log }: CycleContext): LateMergeContext {
	return { repository, paths, now, onSaved: (name) => log.info(savedText(paths, name)) };
}

/**
 * Puts merged content into the working tree, keeping what it replaces, and notes that in a manifest of its own. In a journal first.
 * @returns files that could not be replaced, and are as they were
 */
export async function putBack(context: CycleContext, files: readonly FileReplacement[]): Promise<readonly HeldChange[]> {
	if (files.length === 0) return [];
	const { repository, paths, now } = context;
	context.lock.assertHeld();
	const { branch } = await readHead(repository);
	const contents = files.flatMap(({ content, replaces }) => (replaces ? [content, replaces] : [content]));
	await storeBlobs(repository, paths.staging, contents);
	const oidOf = (content: Buffer) => blobOid(content, repository.objectFormat);
	const journal: RescueJournal = {
		schema: 1,
		ref: `refs/heads/${branch}`,
		backup: compactTimestamp(now()),
		files: files.map(({ path: name, mode, content, replaces }) => ({
			path: name,
			mode,
			content: oidOf(content),
			replaces: replaces && oidOf(replaces),
		})),
		started_at: timestamp(now()),
	};
	writeRescueJournal(paths, journal);
	faultPoint("rescue-journalled");
	return await replaceAsJournalled(context, journal, files, false);
}

async function replaceAsJournalled(
	context: CycleContext,
	{ backup }: RescueJournal,
	files: readonly FileReplacement[],
	resume: boolean,
): Promise<readonly HeldChange[]> {
	const { repository, paths, config, lock, now, memory } = context;
	const merging = saving(context);
	const options = {
		staging: paths.staging,
		backup: path.join(paths.backups, backup),
		mounts: mountPointsBelow(repository.root),
		versions: paths.versions,
		keepsVersions: config.syncAtime === "auto",
		resume,
		mergeLate: (late: LateWrite) => mergeLateWriteAside(merging, late),
		checkpoint(step: string) {
			lock.assertHeld();
			if (step === "swap") faultPoint("rescue-swap");
			if (step === "swapped") faultPoint("rescue-swapped");
		},
	};
	// HEAD does not have what is put back: git must look at it, to commit it.
	const { kept, held } = await replaceFiles(repository, options, files);
	faultPoint("rescue-replaced");
	memory.replaced.write(backup, kept.map(replacedFile), now());
	faultPoint("rescue-recorded");
	removeRescueJournal(paths);
	return held;
}

/** Goes on with files that were being put back when the process was killed. @returns how many; null: there was nothing */
export async function finishPutBack(context: CycleContext): Promise<number | null> {
	const { repository, paths } = context;
	const journal = readRescueJournal(paths);
	// A person has another branch checked out: their files are not touched. It goes on when they are back.
	if (!journal || `refs/heads/${(await readHead(repository)).branch}` !== journal.ref) return null;
	const contents = await readKnown(
		context,
		journal.files.flatMap(({ content, replaces }) => (replaces ? [content, replaces] : [content])),
	);
	const files = journal.files.flatMap(({ path: name, mode, content: oid, replaces }) => {
		const content = contents.get(oid);
		return content ? [{ path: name, mode, content, replaces: contents.get(replaces ?? "") ?? null }] : [];
	});
	await replaceAsJournalled(context, journal, files, true);
	return files.length;
}

/**
 * Looks at the files that checkouts of the last hour took away, and at older ones that a process has open: it may have gone on writing into
 * them. What was written there since is merged into the live file.
 * @returns how many files were rescued
 */
export async function rescueLateWrites(context: CycleContext): Promise<number> {
	const { repository, now, memory } = context;
	let looks = 0;
	let rescued = 0;
	for (const backup of memory.replaced.watched(now())) {
		if (!backup.manifest) continue;
		if (looks > looksPerCycle && now() - backup.takenAt > 60_000 && Math.floor(now() / 1000) % 10 !== 0) continue;
		const changed: { index: number; written: Buffer; stats: fs.Stats; place: GitPath }[] = [];
		for (const [index, entry] of backup.manifest.files.entries()) {
			looks++;
			const kept = keptFilePath(context.paths, backup.name, entry);
			const stats = kept === null ? null : lstatIfThere(kept);
			if (!kept || !stats?.isFile() || (stats.size === entry.size && stats.mtimeMs === entry.mtime_ms)) continue;
			const read = readFile(kept);
			if (read) changed.push({ index, written: read.content, stats: read.stats, place: lateWritePlace(repository, backup.name, entry) });
		}
		if (changed.length === 0) continue;
		const files = backup.manifest.files;
		const bases = await readObjectsWhole(
			repository,
			changed.map(({ index }) => files[index]?.before ?? ""),
		);
		const replacements: FileReplacement[] = [];
		for (const { index, written, place: name } of changed) {
			const entry = files[index];
			if (!entry) continue;
			const base = bases.get(entry.before) ?? null;
			if (base?.equals(written)) continue;
			const live = readFile(fileSystemPath(repository.root, name));
			const merged = live ? await merge(context, name, base, written, live.content) : written;
			rescued++;
			if (live && merged.equals(live.content)) continue;
			replacements.push({ path: name, mode: live ? fileMode(live.stats) : "100644", content: merged, replaces: live?.content ?? null });
		}
		// What could not be merged in is found again in the next cycle.
		const held = new Set((await putBack(context, replacements)).map((change) => change.path));
		const seen = await storeBlobs(
			repository,
			context.paths.staging,
			changed.map(({ written }) => written),
		);
		const updated = [...files];
		for (const [position, { index, stats, place }] of changed.entries()) {
			const entry = files[index];
			if (entry && !held.has(place))
				updated[index] = { ...entry, before: seen[position] ?? entry.before, size: stats.size, mtime_ms: stats.mtimeMs };
		}
		memory.replaced.write(backup.name, updated, now());
		faultPoint("rescue-late-recorded");
	}
	return rescued;
}

/** What took the place of one or several versions of a path. */
interface Step {
	readonly after: string;
	readonly placed: Replacement["placed"];
	/** The likeliest first. */
	readonly befores: readonly string[];
	/** Within 10 s before the write: its writer may have read what was there before. */
	readonly isRecent: boolean;
}

/**
 * The latest replacements of a path, oldest first, after which a writer may not have seen what they brought: it was brought within 10 s
 * before the write, or no program has read it since. An older version counts only where what followed was brought by us, too.
 * @param writtenMs how long ago the first write was @param byReads whether access times tell what was read
 */
function unseenSteps(
	{ memory }: CycleContext,
	name: GitPath,
	replacements: readonly Replacement[],
	writtenMs: number,
	byReads: boolean,
): Step[] {
	const steps: (Step & { readonly befores: string[] })[] = [];
	for (const { before, after, ageMs, placed } of replacements) {
		const last = steps.at(-1);
		const isRecent = ageMs <= replacementsWindowMs && ageMs - writtenMs <= staleWriteWindowMs;
		if (last?.after === after && last.isRecent === isRecent) last.befores.unshift(before);
		else steps.push({ after, placed, befores: [before], isRecent });
	}
	const isUnread = (index: number) => {
		const [step, next] = [steps[index] as Step, steps[index + 1]];
		const isFollowed = next === undefined || next.befores.includes(step.after);
		return byReads && isFollowed && step.placed !== undefined && memory.placed.isUnread(name, step.placed);
	};
	let first = steps.length;
	while (first > 0 && (steps[first - 1]?.isRecent === true || isUnread(first - 1))) first--;
	return steps.slice(first);
}

/** A version that a write was made from, and why its writer cannot have seen the newest one. */
interface Origin {
	readonly content: Buffer;
	readonly reason: string;
}

/**
 * The version that `written` was made from: walking back over the latest replacements of the path as long as nothing of what
 * they brought is in it. Where several versions gave way to the same one, it may have been any of them. Null: the newest.
 * @param newest what its writer could have read
 */
function originOf(
	name: GitPath,
	written: Buffer,
	newest: Buffer | null,
	steps: readonly Step[],
	contents: ReadonlyMap<string, Buffer>,
): Origin | null {
	let origin: Buffer | null = null;
	let reason: string | null = null;
	const file = Buffer.from(name, "latin1");
	// Another program's version has the place of ours: whether that was read is unknown.
	const isOurs = newest !== null && contents.get(steps.at(-1)?.after ?? "")?.equals(newest) === true;
	for (const { befores, after, isRecent } of [...steps].reverse()) {
		if (!isRecent && !isOurs) break;
		const newer = contents.get(after);
		const olders = befores.flatMap((before) => contents.get(before) ?? []);
		const older = newer ? originAmong(olders, newer, written, file) : null;
		if (older === null) break;
		reason ??= isRecent ? "written within 10 s of a checkout" : "no program has read the newest version";
		origin = older;
	}
	// An answer that replaces all that was there brings back nothing of it.
	return origin && reason && mayStemFrom(origin, written, file) ? { content: origin, reason } : null;
}

/** What a dirty path that was checked out a moment ago must be committed as. */
export interface CheckedContent {
	readonly path: GitPath;
	readonly mode: FileReplacement["mode"];
	readonly content: Buffer;
}

/** Paths checked out within the last 10 s. */
export interface StaleWriteSearch {
	/** The content that was looked at, with stale writes repaired; it is to be committed. */
	readonly checked: readonly CheckedContent[];
	/** When that was, by the monotonic clock. */
	readonly lookedAt: number;
	/** How many were rescued. */
	readonly rescued: number;
}

/** The newest version of a path that its writers could have read: what we last put there, until that is committed. */
function newestVersion(latest: Replacement | undefined, contents: ReadonlyMap<string, Buffer>, committed: Buffer | null): Buffer | null {
	return (latest && !latest.committed ? contents.get(latest.after) : null) ?? committed;
}

/**
 * Finds lost updates: a program read a file before our checkout and writes it back after it, without the change that we
 * brought. Such a write is merged with the version it was made from as base.
 * @param changed paths that differ from HEAD
 * @param byGit those of them that a person has put there with git (`git checkout <commit> -- <path>`), who reads no file for that
 */
export async function rescueStaleWrites(
	context: CycleContext,
	changed: readonly GitPath[],
	byGit: ReadonlySet<GitPath> = new Set(),
): Promise<StaleWriteSearch> {
	const { repository, now, memory } = context;
	const lookedAt = memory.clock.now();
	const recent = memory.replaced.replacements(now(), new Set(changed), unreadWindowMs);
	const byReads = recent.size > 0 && accessTimesOf(context.paths, context.config).tell;
	const suspects = changed.flatMap((name) => {
		const replacements = recent.get(name);
		const live = replacements ? readFile(fileSystemPath(repository.root, name)) : null;
		if (!replacements || !live) return [];
		// What was written over a stale write is as stale: the first change after the move counts, where it was seen.
		const lastMs = now() - Math.max(live.stats.mtimeMs, live.stats.ctimeMs);
		const writtenMs = Math.max(0, lastMs, sinceFirstChange(memory, name));
		const steps = unseenSteps(context, name, replacements, writtenMs, byReads && !byGit.has(name));
		return steps.length > 0 ? [{ name, live, steps, latest: replacements.at(-1) as Replacement }] : [];
	});
	if (suspects.length === 0) return { checked: [], lookedAt, rescued: 0 };
	const contents = await readKnown(
		context,
		suspects.flatMap(({ steps }) => steps.flatMap(({ befores, after }) => [...befores, after])),
	);
	const committed = await readCommitted(
		context,
		suspects.map(({ name }) => name),
	);
	const checked: CheckedContent[] = [];
	const replacements: FileReplacement[] = [];
	for (const { name, live, steps, latest } of suspects) {
		const newest = newestVersion(latest, contents, committed.get(name) ?? null);
		const origin = originOf(name, live.content, newest, steps, contents);
		const merged = origin && newest ? await merge(context, name, origin.content, live.content, newest) : live.content;
		if (origin && !merged.equals(live.content)) logOrigin(context, name, origin);
		checked.push({ path: name, mode: fileMode(live.stats), content: merged });
		if (!merged.equals(live.content))
			replacements.push({ path: name, mode: fileMode(live.stats), content: merged, replaces: live.content });
	}
	const held = await putBack(context, replacements);
	if (held.length > 0) holdReplacements(context, replacements, held);
	return { checked, lookedAt, rescued: replacements.length };
}

/** What is committed and cannot be placed is held, with what is on disk as the version that its writers have read. */
function holdReplacements(
	{ repository, paths }: CycleContext,
	replacements: readonly FileReplacement[],
	held: readonly HeldChange[],
): void {
	const state = readHeld(paths);
	const next = new Map(state.paths);
	const obstacles = new Map(held.map(({ path: name, obstacle }) => [name, obstacle]));
	for (const { path: name, mode, content, replaces } of replacements) {
		const reason = obstacles.get(name);
		const oidOf = (bytes: Buffer) => blobOid(bytes, repository.objectFormat);
		const base = replaces && { mode, oid: oidOf(replaces) };
		if (reason) next.set(name, { path: name, reason, base, target: { mode, oid: oidOf(content) }, seen: null });
	}
	writeHeld(paths, { ...state, paths: next });
}

/** What was looked at is committed. Not so what was written while it was put back, which then is there with it. */
export function noteCommitted({ repository, memory, now }: CycleContext, { checked, lookedAt }: Omit<StaleWriteSearch, "rescued">): void {
	if (checked.length === 0) return;
	const committed = new Map(checked.map(({ path: name, content }) => [name, blobOid(content, repository.objectFormat)]));
	memory.replaced.markCommitted(committed, lookedAt, now());
}

/** A write that is found in the middle of a move, brought up to date where it was made from a version before the moves just before. */
export async function bringUpToDate(context: CycleContext, late: LateWrite): Promise<Buffer> {
	const { path: name, before, written, writtenAt } = late;
	if (isAddition(late)) return written;
	// Nobody watches for --once; it may have been written long before a slow move came to it.
	const lastMs = writtenAt === null ? 0 : context.now() - writtenAt;
	const writtenMs = Math.max(0, lastMs, sinceFirstChange(context.memory, name));
	const replacements = context.memory.replaced.replacements(context.now(), new Set([name]), unreadWindowMs).get(name);
	if (!replacements || before === null) return written;
	const steps = unseenSteps(context, name, replacements, writtenMs, accessTimesOf(context.paths, context.config).tell);
	if (steps.length === 0) return written;
	const contents = await readKnown(
		context,
		steps.flatMap(({ befores, after }) => [...befores, after]),
	);
	const newest = newestVersion(replacements.at(-1), contents, before);
	const origin = originOf(name, written, newest, steps, contents);
	if (!origin || !newest) return written;
	logOrigin(context, name, origin);
	return await merge(context, name, origin.content, written, newest);
}

function logOrigin({ log }: CycleContext, name: GitPath, { reason }: Origin): void {
	log.info(`${printable(displayPath(name))} was written from an older version (${reason}): merged with the newest one`);
}

/** Looks which of the newest versions of changed files were read, before git reads these files. */
export function lookAtReads({ repository, memory, config, now }: CycleContext): void {
	if (config.syncAtime === "off") return;
	memory.placed.look(repository, function* () {
		for (const [name, replacements] of memory.replaced.replacements(now(), null, unreadWindowMs)) {
			const placed = replacements.at(-1)?.placed;
			if (placed) yield [name, placed];
		}
	});
}

/** The content that HEAD has at each path; no entry where it has none. */
async function readCommitted({ repository }: CycleContext, names: readonly GitPath[]): Promise<Map<GitPath, Buffer>> {
	const found = new Map<GitPath, Buffer>();
	const specifiers = names.map((name) => Buffer.concat([Buffer.from("HEAD:"), gitPathBytes(name)]));
	await withObjectReader(repository, (reader) =>
		reader.each(specifiers, (info, content, index) => {
			if (info?.type === "blob" && content) found.set(names[index]!, Buffer.from(content));
		}),
	);
	return found;
}

/** Blobs that are still there; a base that garbage collection took is no reason to fail. */
async function readKnown({ repository }: CycleContext, oids: readonly string[]): Promise<Map<string, Buffer>> {
	try {
		return await readObjectsWhole(repository, oids);
	} catch {
		return new Map();
	}
}
