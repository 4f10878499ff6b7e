import {
	blobOid,
	displayPath,
	type Found,
	fileMode,
	fileSystemPath,
	type GitPath,
	gitPathBytes,
	hasModes,
	isContent,
	type Oid,
	peek,
	withObjectReader,
} from "@robust-sync/git";
import { appendedCode, filtersApply } from "@robust-sync/resolve";
import { printable, shellPath } from "@robust-sync/service/printable";
import type { FileStats, Files } from "@robust-sync/system/files";
import type { Items } from "@robust-sync/system/items";
import { keptFilePath, type ReplacedFile, type SkippedFile } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { sinceFirstChange } from "../context/first-changes.ts";
import { accessTimesOf } from "./access-times.ts";
import { type Candidate, type ForeignWrite, type KeptPlace, noteKept, withBases } from "./foreign-writes.ts";
import { lateWritePlace } from "./late-write-place.ts";
import { unreadWindowMs } from "./replaced-files.ts";
import { skippedFile } from "./skipped-files.ts";
import { type Origin, originOf, placedOrigin, type Step, unseenSteps } from "./write-origin.ts";

/** Above this number kept files are checked in turns, so that a huge checkout does not slow every cycle for an hour. */
const checksPerCycle = 2_000;
/** Larger writes are not merged: they stay in the kept files, and are reported. */
const maxMergedBytes = 100_000_000;

function readFile(files: Files, file: Buffer): { content: Buffer; stats: FileStats } | null {
	try {
		const stats = files.lstat(file);
		return stats.isFile() ? { content: files.readUnseen(file), stats } : null;
	} catch {
		return null;
	}
}

function peekKept(files: Files, file: Buffer): Found | null {
	try {
		return peek(files, file);
	} catch {
		return null;
	}
}

/** Null: there is nothing, or a broken disk does not show it now. */
function statsOfKept(files: Files, file: Buffer): FileStats | null {
	try {
		return files.lstatIfThere(file);
	} catch {
		return null;
	}
}

/** A late write found in a kept file, with the file's present state. */
interface LateFinding {
	readonly entry: ReplacedFile;
	readonly written: Buffer;
	/** null: a regular file, whose executable bit its path has. */
	readonly mode: "120000" | null;
	readonly writtenAt: number;
	/** The path that the write is for (lateWritePlace). */
	readonly place: GitPath;
	readonly kept: KeptPlace;
}

/** The result of a check of the kept files. */
export interface LateWriteSearch {
	/** The writes, which are to be merged as commits on their bases. */
	readonly foreign: readonly ForeignWrite[];
	/** Writes that are too large to be merged, or that a filter refuses: they stay in the kept files. */
	readonly skipped: readonly SkippedFile[];
}

/** Checks for late writes: in files that checkouts of the last hour replaced, and in older ones that a process still has open. */
export async function findLateWrites(context: CycleContext): Promise<LateWriteSearch> {
	const { now, memory, paths, repository } = context;
	let checks = 0;
	const found: LateFinding[] = [];
	const skipped: SkippedFile[] = [];
	for (const { manifest, name: backup, takenAt } of memory.replaced.watched(now())) {
		if (!manifest) continue;
		if (checks > checksPerCycle && now() - takenAt > 60_000 && Math.floor(now() / 1000) % 10 !== 0) continue;
		for (const [index, entry] of manifest.files.entries()) {
			checks++;
			const file = keptFilePath(paths, backup, entry);
			const seen = file === null ? null : statsOfKept(repository.files, file);
			if (!file || !isContent(seen) || (seen.size === entry.size && seen.mtimeMs === entry.mtime_ms)) continue;
			if (seen.size > maxMergedBytes) {
				skipped.push(leftInKept(entry.path, "too-large", file));
				continue;
			}
			const read = peekKept(repository.files, file);
			if (!read) continue;
			const { content: written, stats } = read;
			const kept = { backup, index, size: stats.size, mtimeMs: stats.mtimeMs, oid: blobOid(written, repository.objectFormat) };
			found.push({
				entry,
				written,
				mode: stats.isSymbolicLink() ? "120000" : null,
				writtenAt: stats.mtimeMs,
				place: lateWritePlace(repository, backup, entry),
				kept,
			});
		}
	}
	const { foreign, refused } = await lateWithBases(context, found);
	for (const { path: name, kept } of refused) {
		const of = found.find((finding) => finding.kept === kept);
		const file = of && keptFilePath(paths, of.kept.backup, of.entry);
		if (file) skipped.push(leftInKept(name, "filter-failed", file));
	}
	return { foreign, skipped };
}

function leftInKept(name: GitPath, reason: "too-large" | "filter-failed", file: Buffer): SkippedFile {
	return { ...skippedFile(name, reason), remedy: `see ${shellPath(file.toString())}` };
}

/** Late writes with their bases, and those that a filter refuses. Files that were touched and not changed are only recorded. */
async function lateWithBases(
	context: CycleContext,
	found: readonly LateFinding[],
): Promise<{ readonly foreign: readonly ForeignWrite[]; readonly refused: readonly Candidate[] }> {
	if (found.length === 0) return { foreign: [], refused: [] };
	const { repository } = context;
	const earlier = earlierVersions(context, found);
	// One process reads all contents.
	const contents = await readKnown(
		context,
		found.flatMap(({ entry }, at) => {
			const { steps, placed } = earlier[at] ?? noVersions;
			return [entry.before, ...(placed === null ? [] : [placed]), ...steps.flatMap(({ befores, after }) => [...befores, after])];
		}),
	);
	const candidates: Candidate[] = [];
	const appended: ForeignWrite[] = [];
	const done: Pick<ForeignWrite, "kept">[] = [];
	for (const [at, { entry, written, mode, writtenAt, place: path, kept }] of found.entries()) {
		const origin = contents.get(entry.before) ?? null;
		if (origin?.equals(written)) {
			done.push({ kept });
			continue;
		}
		// Without content it is what a program wrote while the path was empty: an addition.
		const { steps, placed } = earlier[at] ?? noVersions;
		const ours = contents.get(placed ?? "");
		const hasContent = origin !== null && origin.length > 0;
		const unseen = hasContent ? originOf(path, written, { newest: origin, replaced: origin }, steps, contents) : null;
		const seen = hasContent && ours && placed ? { oid: placed, content: ours } : null;
		const older = unseen ?? (seen && placedOrigin(path, written, origin as Buffer, seen));
		if (older) {
			logOrigin(context, path, older);
			candidates.push({ path, mode, content: written, writtenAt, origin: older.content, originOid: older.oid, kept });
			continue;
		}
		const live = origin === null || mode !== null ? null : readFile(repository.files, fileSystemPath(repository.root, path));
		const tail = live && (await appendedCode({ path, base: origin as Buffer, written, incoming: live.content }));
		if (tail)
			appended.push({
				path,
				mode: null,
				content: tail,
				base: "head",
				writtenAt,
				isMerged: live.content.subarray(-tail.length).equals(tail),
				kept,
			});
		else candidates.push({ path, mode, content: written, writtenAt, origin, originOid: entry.before, kept });
	}
	noteKept(context, done);
	const based = candidates.length === 0 ? [] : await withBases(context, candidates, await filtersApply(repository));
	const isBased = new Set(based.map((write) => write.kept));
	return { foreign: [...appended, ...based], refused: candidates.filter((candidate) => !isBased.has(candidate.kept)) };
}

/** The versions of a path before the replacement that a kept file comes from. */
interface EarlierVersions {
	/** The replacements whose version the writer may not have read: it may have read the file before an earlier checkout. */
	readonly steps: readonly Step[];
	/** The one that the checkout before placed; null: none did. */
	readonly placed: Oid | null;
}

const noVersions: EarlierVersions = { steps: [], placed: null };

/** For each kept file the versions before the replacement that it comes from. */
function earlierVersions(context: CycleContext, found: readonly LateFinding[]): EarlierVersions[] {
	const { memory, now, paths, config } = context;
	const isPossible = ({ entry, mode, place }: LateFinding) => mode === null && place === entry.path;
	const places = new Map<string, Set<GitPath>>();
	for (const finding of found.filter(isPossible)) {
		const { backup } = finding.kept;
		places.set(backup, (places.get(backup) ?? new Set()).add(finding.place));
	}
	const earlier = new Map(
		[...places].map(([backup, names]) => [backup, memory.replaced.replacements(now(), names, unreadWindowMs, backup)]),
	);
	const { tell } = accessTimesOf(context.repository.files, paths, config);
	return found.map((finding) => {
		const known = isPossible(finding) ? earlier.get(finding.kept.backup)?.get(finding.place) : undefined;
		if (!known) return noVersions;
		// The version that replaced this file may be the merge of a late write to an earlier one: it was not there yet.
		const last = known.findLastIndex(({ after }) => after !== finding.entry.after);
		const replacements = known.slice(0, last + 1);
		const writtenMs = Math.max(0, now() - finding.kept.mtimeMs, sinceFirstChange(memory, finding.place));
		// A write that continues an earlier one is from the version that it continues.
		const steps = finding.entry.merged === undefined ? unseenSteps(context, finding.place, replacements, writtenMs, tell) : [];
		return { steps, placed: replacements.at(-1)?.after ?? null };
	});
}

/** The content to commit for a dirty path of a recent checkout. */
export interface CheckedContent {
	readonly path: GitPath;
	readonly mode: "100644" | "100755";
	readonly content: Buffer;
}

/** The result of a search for stale writes. */
export interface StaleWriteSearch {
	/** The examined content that is not stale; it is to be committed. */
	readonly checked: readonly CheckedContent[];
	/** The stale writes: to be committed on the version that their writer had read, not on HEAD. */
	readonly foreign: readonly ForeignWrite[];
}

/**
 * Finds lost updates: a program read a file before our checkout and writes it back afterwards, without the incoming change. If a commit has the
 * version that the program had read, the write is to be committed on that; else that version gets a commit of its own (foreign-writes.ts).
 * @param changed paths that differ from HEAD
 * @param byGit those of them that a person restored with git (`git checkout <commit> -- <path>`), for which no file is read
 */
export async function findStaleWrites(
	context: CycleContext,
	changed: Items<GitPath>,
	byGit: ReadonlySet<GitPath> = new Set(),
): Promise<StaleWriteSearch> {
	const { repository, now, memory } = context;
	if (changed.length === 0 || memory.replaced.recent(now(), unreadWindowMs).length === 0) return { checked: [], foreign: [] };
	const recent = memory.replaced.replacements(now(), new Set(changed), unreadWindowMs);
	const byReads = recent.size > 0 && accessTimesOf(context.repository.files, context.paths, context.config).tell;
	const suspects = changed.flatMap((name) => {
		const replacements = recent.get(name);
		const live = replacements ? readFile(repository.files, fileSystemPath(repository.root, name)) : null;
		if (!replacements || !live) return [];
		// A write over a stale write is as stale: the first change after the checkout counts, if it was seen.
		const lastMs = now() - Math.max(live.stats.mtimeMs, live.stats.ctimeMs);
		const writtenMs = Math.max(0, lastMs, sinceFirstChange(memory, name));
		const steps = unseenSteps(context, name, replacements, writtenMs, byReads && !byGit.has(name));
		return steps.length > 0 ? [{ name, live, steps }] : [];
	});
	if (suspects.length === 0) return { checked: [], foreign: [] };
	const contents = await readKnown(
		context,
		suspects.flatMap(({ steps }) => steps.flatMap(({ befores, after }) => [...befores, after])),
	);
	const committed = await readCommitted(
		context,
		suspects.map(({ name }) => name),
	);
	const found = suspects.map(({ name, live, steps }) => {
		const newest = committed.get(name) ?? null;
		return { name, live, origin: newest && originOf(name, live.content, { newest, replaced: null }, steps, contents) };
	});
	const candidates = found.flatMap(({ name, live: { content, stats }, origin }): Candidate[] => {
		if (origin === null) return [];
		const mode = hasModes(repository, name) ? fileMode(stats) : null;
		return [{ path: name, mode, content, writtenAt: stats.mtimeMs, origin: origin.content, originOid: origin.oid }];
	});
	const foreign = candidates.length === 0 ? [] : await withBases(context, candidates, await filtersApply(repository));
	const isForeign = new Set(foreign.map((write) => write.path));
	const checked: CheckedContent[] = [];
	for (const { name, live, origin } of found) {
		if (isForeign.has(name)) logOrigin(context, name, origin as Origin);
		else checked.push({ path: name, mode: fileMode(live.stats), content: live.content });
	}
	return { checked, foreign };
}

function logOrigin({ log }: CycleContext, name: GitPath, { reason }: Origin): void {
	log.info(`${printable(displayPath(name))} was written from an older version (${reason}): merged with the newest one`);
}

/** Records which of the newest versions of changed files were read, before git reads these files. */
export function lookAtReads({ repository, memory, config, now }: CycleContext): void {
	if (config.syncAtime === "off") return;
	memory.placed.check(repository, memory.replaced.takePlaced(now()));
}

/** HEAD's content at each path; no entry if it has none. */
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

/** The existing blobs, by their ids: garbage collection may have removed one. */
async function readKnown({ repository }: CycleContext, oids: readonly Oid[]): Promise<Map<Oid, Buffer>> {
	const found = new Map<Oid, Buffer>();
	const names = [...new Set(oids)];
	await withObjectReader(repository, (reader) =>
		reader.each(names, (_info, content, index) => {
			if (content) found.set(names[index] as Oid, Buffer.from(content));
		}),
	);
	return found;
}
