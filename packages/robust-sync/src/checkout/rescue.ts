import fs from "node:fs";
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
	type Oid,
	readObjectsWhole,
	storeBlobs,
	withObjectReader,
} from "@robust-sync/git";
import { mayStemFrom, originAmong } from "@robust-sync/merge";
import { filtersApply, isAddition, isAppendedToCode } from "@robust-sync/resolve";
import { printable } from "@robust-sync/service/printable";
import { faultPoint } from "@robust-sync/system/fault-points";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { readUnseen } from "@robust-sync/system/read-unseen";
import { keptFilePath, type ReplacedFile, readHeld, writeHeld } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { sinceFirstChange } from "../context/first-changes.ts";
import { accessTimesOf } from "./access-times.ts";
import { type Candidate, type ForeignWrite, withBases } from "./foreign-writes.ts";
import { lateWritePlace } from "./late-write-place.ts";
import { lateWrite, mergeContent, putBack, readKnown } from "./put-back.ts";
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

/** A late write found in a kept file, with the file's present state. */
interface LateFinding {
	readonly index: number;
	readonly entry: ReplacedFile;
	readonly written: Buffer;
	readonly stats: fs.Stats;
	/** The path that the write is merged into (lateWritePlace). */
	readonly place: GitPath;
}

/** The result of a check of the kept files. */
export interface LateWriteSearch {
	/** The number of writes that were merged into the live files. */
	readonly rescued: number;
	/** The other writes, which are to be merged as commits on their bases. */
	readonly foreign: readonly ForeignWrite[];
}

/**
 * Checks for late writes: in files that checkouts of the last hour replaced, and in older ones that a process still has open. If no commit has
 * the version that the writer had read, the write is merged into the live file here.
 */
export async function rescueLateWrites(context: CycleContext): Promise<LateWriteSearch> {
	const { now, memory, paths, repository } = context;
	let looks = 0;
	let rescued = 0;
	const foreign: ForeignWrite[] = [];
	for (const { manifest, name: backup, takenAt } of memory.replaced.watched(now())) {
		if (!manifest) continue;
		if (looks > looksPerCycle && now() - takenAt > 60_000 && Math.floor(now() / 1000) % 10 !== 0) continue;
		const changed: LateFinding[] = [];
		for (const [index, entry] of manifest.files.entries()) {
			looks++;
			const kept = keptFilePath(paths, backup, entry);
			const stats = kept === null ? null : lstatIfThere(kept);
			if (!kept || !stats?.isFile() || (stats.size === entry.size && stats.mtimeMs === entry.mtime_ms)) continue;
			const read = readFile(kept);
			if (read) changed.push({ index, entry, written: read.content, stats: read.stats, place: lateWritePlace(repository, backup, entry) });
		}
		if (changed.length === 0) continue;
		const bases = await readObjectsWhole(
			repository,
			changed.map(({ entry }) => entry.before),
		);
		const based = await lateWithBases(context, backup, changed, bases);
		foreign.push(...based);
		const isBased = new Set(based.map(({ kept }) => kept?.index));
		const others = changed.filter(({ index }) => !isBased.has(index));
		if (others.length > 0) rescued += await mergeIntoLive(context, backup, others, bases);
	}
	return { rescued, foreign };
}

/** The late writes that can be committed on the version that their writer had read. */
async function lateWithBases(
	context: CycleContext,
	backup: string,
	changed: readonly LateFinding[],
	bases: ReadonlyMap<Oid, Buffer>,
): Promise<ForeignWrite[]> {
	const { repository, config } = context;
	const candidates: Candidate[] = [];
	for (const { index, entry, written, stats, place: name } of changed) {
		const origin = bases.get(entry.before);
		// Left to the merge of contents: no base is known, nothing was written, the write goes beside the path, or the file is too large.
		if (origin === undefined || origin.equals(written) || name !== entry.path || stats.size > config.maxFileMb * 1_000_000) continue;
		const live = readFile(fileSystemPath(repository.root, name));
		// Lines appended to code go to the end of the live file, as if the program had opened that.
		if (live && (await isAppendedToCode(lateWrite(name, origin, written, live.content)))) continue;
		const oid = blobOid(written, repository.objectFormat);
		const kept = { backup, index, size: stats.size, mtimeMs: stats.mtimeMs, oid };
		candidates.push({ path: name, mode: null, content: written, writtenAt: stats.mtimeMs, origin, originOid: entry.before, kept });
	}
	return candidates.length === 0 ? [] : await withBases(context, candidates, await filtersApply(repository));
}

/** Merges late writes into the live files. A write that could not be merged is found again by the next cycle. @returns the number of merged writes */
async function mergeIntoLive(
	context: CycleContext,
	backup: string,
	changed: readonly LateFinding[],
	bases: ReadonlyMap<Oid, Buffer>,
): Promise<number> {
	const { repository, memory, paths, now } = context;
	const replacements: FileReplacement[] = [];
	let rescued = 0;
	for (const { entry, written, place: name } of changed) {
		const base = bases.get(entry.before) ?? null;
		if (base?.equals(written)) continue;
		const live = readFile(fileSystemPath(repository.root, name));
		const merged = live ? await mergeContent(context, name, base, written, live.content) : written;
		rescued++;
		if (live && merged.equals(live.content)) continue;
		replacements.push({ path: name, mode: live ? fileMode(live.stats) : "100644", content: merged, replaces: live?.content ?? null });
	}
	const held = new Set((await putBack(context, replacements)).map((change) => change.path));
	const seen = await storeBlobs(
		repository,
		paths.staging,
		changed.map(({ written }) => written),
	);
	const updated = [...memory.replaced.filesOf(backup)];
	for (const [position, { index, entry, stats, place }] of changed.entries())
		if (!held.has(place)) updated[index] = { ...entry, before: seen[position] ?? entry.before, size: stats.size, mtime_ms: stats.mtimeMs };
	memory.replaced.write(backup, updated, now());
	faultPoint("rescue-late-recorded");
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
	readonly oid: Oid;
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
	let origin: Pick<Origin, "content" | "oid"> | null = null;
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
		origin = { content: older, oid: befores.find((before) => contents.get(before) === older) ?? "" };
	}
	// An answer that replaces all that was there brings back nothing of it.
	return origin && reason && mayStemFrom(origin.content, written, file) ? { ...origin, reason } : null;
}

/** What a dirty path that was checked out a moment ago must be committed as. */
export interface CheckedContent {
	readonly path: GitPath;
	readonly mode: FileReplacement["mode"];
	readonly content: Buffer;
}

/** The result of a search for stale writes. */
export interface StaleWriteSearch {
	/** The examined content, with stale writes repaired; it is to be committed. */
	readonly checked: readonly CheckedContent[];
	/** When it was examined, by the monotonic clock. */
	readonly lookedAt: number;
	/** The number of repaired writes. */
	readonly rescued: number;
	/** The other stale writes: to be committed on the version that their writer had read, not on HEAD. */
	readonly foreign: readonly ForeignWrite[];
}

/** The newest version of a path that its writers could have read: what we last put there, until that is committed. */
function newestVersion(latest: Replacement | undefined, contents: ReadonlyMap<string, Buffer>, committed: Buffer | null): Buffer | null {
	return (latest && !latest.committed ? contents.get(latest.after) : null) ?? committed;
}

/**
 * Finds lost updates: a program read a file before our checkout and writes it back afterwards, without the incoming change. If a commit has the
 * version that the program had read, the write is to be committed on that; else it is merged here, with that version as base.
 * @param changed paths that differ from HEAD
 * @param byGit those of them that a person restored with git (`git checkout <commit> -- <path>`), for which no file is read
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
	if (suspects.length === 0) return { checked: [], lookedAt, rescued: 0, foreign: [] };
	const contents = await readKnown(
		context,
		suspects.flatMap(({ steps }) => steps.flatMap(({ befores, after }) => [...befores, after])),
	);
	const committed = await readCommitted(
		context,
		suspects.map(({ name }) => name),
	);
	const found = suspects.map(({ name, live, steps, latest }) => {
		const newest = newestVersion(latest, contents, committed.get(name) ?? null);
		return { name, live, newest, origin: originOf(name, live.content, newest, steps, contents) };
	});
	const hasModes = repository.config.get("core.filemode") !== "false";
	const candidates = found.flatMap(({ name, live: { content, stats }, newest, origin }): Candidate[] => {
		// The newest version is one that we put there and that is in no commit yet: only a merge of contents can include it.
		if (origin === null || newest === null || committed.get(name)?.equals(newest) !== true) return [];
		const mode = hasModes ? fileMode(stats) : null;
		return [{ path: name, mode, content, writtenAt: stats.mtimeMs, origin: origin.content, originOid: origin.oid }];
	});
	const foreign = candidates.length === 0 ? [] : await withBases(context, candidates, await filtersApply(repository));
	const isForeign = new Set(foreign.map((write) => write.path));
	const checked: CheckedContent[] = [];
	const replacements: FileReplacement[] = [];
	for (const { name, live, newest, origin } of found) {
		if (isForeign.has(name)) {
			logOrigin(context, name, origin as Origin);
			continue;
		}
		const merged = origin && newest ? await mergeContent(context, name, origin.content, live.content, newest) : live.content;
		if (origin && !merged.equals(live.content)) logOrigin(context, name, origin);
		checked.push({ path: name, mode: fileMode(live.stats), content: merged });
		if (!merged.equals(live.content))
			replacements.push({ path: name, mode: fileMode(live.stats), content: merged, replaces: live.content });
	}
	const held = await putBack(context, replacements);
	if (held.length > 0) holdReplacements(context, replacements, held);
	return { checked, lookedAt, rescued: replacements.length, foreign };
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
export function noteCommitted(
	{ repository, memory, now }: CycleContext,
	{ checked, lookedAt }: Pick<StaleWriteSearch, "checked" | "lookedAt">,
): void {
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
	return await mergeContent(context, name, origin.content, written, newest);
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
