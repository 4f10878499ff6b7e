import {
	blobOid,
	committerDate,
	diffTrees,
	displayPath,
	type FileChange,
	GitError,
	type GitPath,
	gitPathBytes,
	isArgument,
	isSameEntry,
	type Oid,
	openMergeStore,
	readHead,
	readObjectsWhole,
	readTreeFiles,
	type TreeEntry,
	withObjectReader,
	writeCommit,
	writeIndexEntries,
} from "@robust-sync/git";
import { carryOutFrom, type Integration, planIntegration, type Resolution, withNodeTrailer } from "@robust-sync/resolve";
import { faultPoint } from "@robust-sync/system/fault-points";
import { type CycleContext, integrateContext } from "../context/cycle-context.ts";
import { ownIdentity } from "../context/own-identity.ts";
import { snapshotMessage } from "../context/snapshot-message.ts";
import { replaceOnDisk } from "./replace-on-disk.ts";

// A program may write from a version that is not the newest one of its path. Its write then becomes a commit whose parent is the commit that has
// that version. The rest is an ordinary merge, which every node can repeat (docs/design/concurrent-writes.md).

/** A kept file in which a write was found, with its state at that time. */
export interface KeptPlace {
	/** The name of the backup, and the index of the file in its manifest. */
	readonly backup: string;
	readonly index: number;
	readonly size: number;
	readonly mtimeMs: number;
	readonly oid: Oid;
}

/** The version that a writer had read, if no commit has it: in the form that git stores. */
interface UnrecordedBase {
	/** null: nothing is known of it, so the path counts as absent. */
	readonly content: Buffer | null;
}

/** Content that a program wrote from an older version of its path. */
export interface ForeignWrite {
	readonly path: GitPath;
	/** The file's mode; null: unknown, the mode in the base applies. */
	readonly mode: string | null;
	/** In the form that git stores (after filters). */
	readonly content: Buffer;
	/**
	 * A commit in HEAD's history with the version that the writer had read; or that version, which gets commits of its own; or "head" if
	 * `content` goes to the end of the file in HEAD.
	 */
	readonly base: Oid | UnrecordedBase | "head";
	/** Milliseconds since the epoch, from the file's own times. */
	readonly writtenAt: number;
	/** HEAD's history has the write already: an earlier process was killed before it recorded that. */
	readonly isMerged: boolean;
	/** The kept file in which the write was found; absent: it was found at the path itself. */
	readonly kept?: KeptPlace;
}

/** A write for which no base has been looked up yet. */
export interface Candidate extends Omit<ForeignWrite, "base" | "isMerged"> {
	/** The version that the writer had read, as it was on disk, and its blob. null: its content is no longer known. */
	readonly origin: Buffer | null;
	readonly originOid: Oid;
}

/** A base is searched in this many of the newest commits: about one for every four seconds of the hour in which late writes are expected. */
const maxCommits = 1_000;
/** Commits in one request: few, because most bases are recent. */
const commitsAtOnce = 50;

async function entriesAt(
	{ repository }: CycleContext,
	commit: Oid,
	writes: readonly Pick<ForeignWrite, "path">[],
): Promise<Map<GitPath, TreeEntry>> {
	const names = writes.map((write) => write.path);
	return await readTreeFiles(repository, commit, names);
}

/** The content as git would store it, after the clean filter. Null: the filter fails. */
async function cleaned({ repository }: CycleContext, name: GitPath, content: Buffer): Promise<{ content: Buffer; oid: Oid } | null> {
	try {
		const { stdout } = await repository.run(["hash-object", "-w", "--stdin", `--path=${displayPath(name)}`], { input: content });
		const oid = stdout.toString("latin1").trim();
		const stored = (await readObjectsWhole(repository, [oid])).get(oid);
		return stored === undefined ? null : { content: stored, oid };
	} catch (error) {
		if (error instanceof GitError && error.code !== "GIT_TIMEOUT") return null;
		throw error;
	}
}

/** A version that was read, and the version that was written from it. */
interface Wanted {
	readonly path: GitPath;
	readonly origin: Oid;
	readonly written: Oid;
}

/** For each write the base in HEAD's history, and whether a commit there already makes the same change. Null: none of the last commits is a base. */
async function findBases(
	{ repository }: CycleContext,
	wanted: readonly Wanted[],
): Promise<({ readonly base: Oid; readonly isMerged: boolean } | null)[]> {
	if (wanted.length === 0) return [];
	const listed = await repository.run(["rev-list", `--max-count=${maxCommits}`, "--parents", "HEAD", "--"], { accept: [0, 128] });
	const lines = listed.stdout.toString("latin1").split("\n").filter(Boolean);
	const commits = lines.map((line) => line.split(" ") as [Oid, ...Oid[]]);
	const bases: (Oid | null)[] = wanted.map(() => null);
	const seen = wanted.map(() => new Map<Oid, Oid | undefined>());
	await withObjectReader(openMergeStore(repository), async (reader) => {
		for (let start = 0; start < commits.length; start += commitsAtOnce) {
			const open = [...bases.keys()].filter((at) => bases[at] === null);
			const some = commits.slice(start, start + commitsAtOnce).map(([commit]) => commit);
			const nameOf = (commit: Oid, at: number) => Buffer.concat([Buffer.from(`${commit}:`), gitPathBytes((wanted[at] as Wanted).path)]);
			const infos = await reader.infos(open.flatMap((at) => some.map((commit) => nameOf(commit, at))));
			for (const [index, info] of infos.entries()) {
				const at = open[Math.floor(index / some.length)] as number;
				const commit = some[index % some.length] as Oid;
				seen[at]?.set(commit, info?.oid);
				if (info?.oid === wanted[at]?.origin) bases[at] ??= commit;
			}
		}
	});
	return wanted.map(({ origin, written }, at) => {
		const [base, blobs] = [bases[at], seen[at] as Map<Oid, Oid | undefined>];
		const isMerged = commits.some(
			([commit, parent = "", ...others]) => others.length === 0 && blobs.get(commit) === written && blobs.get(parent) === origin,
		);
		return base ? { base, isMerged } : null;
	});
}

/** A partial clone would fetch each older version on request, and wait for the network. */
const isPartial = ({ repository }: CycleContext) => [...repository.config.keys()].some((key) => /^remote\..+\.promisor$/s.test(key));

/**
 * Writes with their bases: a commit where HEAD's history has the version that was read, else that version itself. A write that a clean filter
 * refuses is left out, and stays where it is.
 * @param filters whether filters apply, so that content on disk differs from stored content
 * @throws GitError
 */
export async function withBases(context: CycleContext, candidates: readonly Candidate[], filters: boolean): Promise<ForeignWrite[]> {
	const { objectFormat } = context.repository;
	const stored: { candidate: Candidate; content: Buffer; origin: Buffer | null; wanted: Wanted | null }[] = [];
	for (const candidate of candidates) {
		const { path: name, content, origin, originOid, mode } = candidate;
		const isFiltered = filters && mode !== "120000" && isArgument(name);
		const now = isFiltered ? await cleaned(context, name, content) : { content };
		if (now === null) continue;
		const before = origin === null ? null : isFiltered ? await cleaned(context, name, origin) : { content: origin, oid: originOid };
		const wanted = before && { path: name, origin: before.oid, written: blobOid(now.content, objectFormat) };
		stored.push({ candidate, content: now.content, origin: before?.content ?? null, wanted });
	}
	const all = isPartial(context) ? [] : stored.flatMap(({ wanted }) => wanted ?? []);
	const found = await findBases(context, all);
	const bases = new Map(all.map((wanted, index) => [wanted, found[index]]));
	return stored.map(({ candidate, content, origin, wanted }) => {
		const { origin: _origin, originOid: _originOid, ...write } = candidate;
		const known = wanted && bases.get(wanted);
		if (!known) return { ...write, content, base: { content: origin }, isMerged: false };
		return { ...write, content, base: known.base, isMerged: write.kept !== undefined && known.isMerged };
	});
}

/**
 * The date of a commit of foreign writes: the time of its newest file, not before its base and not in the future. Rounded up to the next second, because
 * the write came after the version that it replaced, even if both happened within one second.
 * @returns seconds since the epoch
 */
async function dateOf({ repository, now }: CycleContext, base: Oid, writes: readonly ForeignWrite[]): Promise<number> {
	const newest = Math.max(...writes.map(({ writtenAt }) => Math.floor(writtenAt / 1000) + 1));
	const latest = Math.floor(now() / 1000) + 1;
	return Math.max(Math.min(newest, latest), await committerDate(repository, base));
}

function changeOf({ path, content, mode }: ForeignWrite, known: string | undefined): FileChange {
	return { path, content, mode: mode ?? (known === "100755" ? known : "100644") };
}

/** Splits writes into groups without a repeated path: a commit has one version of a path. */
function rounds<T extends ForeignWrite>(writes: readonly T[]): T[][] {
	const made: Map<GitPath, T>[] = [];
	for (const write of writes) {
		const round = made.find((taken) => !taken.has(write.path));
		if (round) round.set(write.path, write);
		else made.push(new Map([[write.path, write]]));
	}
	return made.map((round) => [...round.values()]);
}

interface NewVersions {
	readonly parent: Oid;
	/** Seconds since the epoch; null: the date of the parent. */
	readonly date: number | null;
	readonly subject: string;
	readonly text?: string;
	readonly changes: readonly FileChange[];
}

async function commitOn(context: CycleContext, { parent, date, subject, text, changes }: NewVersions): Promise<Oid> {
	const { repository, config, lock } = context;
	lock.assertHeld();
	const message = text === undefined ? subject : `${subject}\n\n${text}`;
	const { commit } = await writeCommit(openMergeStore(repository), {
		parents: [parent],
		...ownIdentity(context),
		date: date ?? (await committerDate(repository, parent)),
		message: Buffer.from(`${withNodeTrailer(message, config.nodeName)}\n`),
		tree: null,
		changes,
	});
	return commit;
}

/** Commits writes on one commit that has the versions which their writers had read. */
async function commitOnBase(context: CycleContext, base: Oid, writes: readonly ForeignWrite[]): Promise<Oid> {
	const entries = await entriesAt(context, base, writes);
	return await commitOn(context, {
		parent: base,
		date: await dateOf(context, base, writes),
		subject: snapshotMessage(
			context.config.nodeName,
			writes.map((write) => write.path),
		),
		text: `Written from the version of ${base.slice(0, 12)}, without what came after it.`,
		changes: writes.map((write) => changeOf(write, entries.get(write.path)?.mode)),
	});
}

/**
 * Commits writes from versions that no commit has. First a commit records those versions on top of HEAD, and a second one takes them back, so
 * that history has them; then the writes are committed on the first one like any other.
 * @returns the second commit, and that of the writes
 */
async function commitUnrecorded(context: CycleContext, head: Oid, writes: readonly ForeignWrite[]): Promise<{ head: Oid; write: Oid }> {
	const entries = await entriesAt(context, head, writes);
	const known = writes.map((write) => ({ write, entry: entries.get(write.path) ?? null }));
	const recorded = known.flatMap(({ write: { path, base }, entry }): FileChange[] => {
		const { content } = base as UnrecordedBase;
		if (content !== null) return [{ path, mode: entry?.mode === "100755" ? entry.mode : "100644", content }];
		return entry === null ? [] : [{ path, delete: true }];
	});
	const subject = `${context.config.nodeName}: versions that a later write was made from`;
	const base = await commitOn(context, { parent: head, date: null, subject, changes: recorded });
	const back = known.map(({ write: { path }, entry }): FileChange => (entry ? { path, ...entry } : { path, delete: true }));
	const after = await commitOn(context, { parent: base, date: null, subject: `${subject}, taken back`, changes: back });
	return { head: after, write: await commitOnBase(context, base, writes) };
}

/** Appends to files of HEAD what their writers have appended to older versions. */
async function commitAppended(context: CycleContext, head: Oid, writes: readonly ForeignWrite[]): Promise<Oid> {
	const entries = await entriesAt(context, head, writes);
	const contents = await readObjectsWhole(
		context.repository,
		[...entries.values()].map(({ oid }) => oid),
	);
	const appended = writes.map((write) => {
		const present = contents.get(entries.get(write.path)?.oid ?? "") ?? Buffer.alloc(0);
		const isEnded = present.length === 0 || present.at(-1) === lineFeed;
		return { ...write, content: Buffer.concat([present, isEnded ? Buffer.alloc(0) : Buffer.of(lineFeed), write.content]) };
	});
	return await commitOnBase(context, head, appended);
}

const lineFeed = 0x0a;

/**
 * Commits each write on its base, and merges the commits into HEAD; writes with the same base are one commit. The commits depend only on
 * paths, contents, modes, bases and file times.
 * @returns the commit that contains HEAD and the writes, and the merges before it
 */
async function mergeOnBases(context: CycleContext, head: Oid, writes: readonly ForeignWrite[]): Promise<{ to: Oid; made: Resolution[] }> {
	const open = writes.filter((write) => !write.isMerged);
	const commits: Oid[] = [];
	let to = head;
	for (const round of rounds(open.filter(({ base }) => typeof base !== "string"))) {
		const made = await commitUnrecorded(context, to, round);
		to = made.head;
		commits.push(made.write);
	}
	for (const round of rounds(open.filter(({ base }) => base === "head"))) to = await commitAppended(context, to, round);
	const groups = new Map<Oid, ForeignWrite[]>();
	for (const write of open)
		if (typeof write.base === "string" && write.base !== "head") groups.set(write.base, [...(groups.get(write.base) ?? []), write]);
	for (const [base, group] of groups) for (const round of rounds(group)) commits.push(await commitOnBase(context, base, round));
	const made: Resolution[] = [];
	for (const commit of commits) {
		const plan = await planIntegration(context.repository, to, commit);
		to = plan.to;
		if (plan.resolution !== null) made.push(plan.resolution);
	}
	return { to, made };
}

/** A commit with the content on disk: that of HEAD, and the writes found at their paths. It is in no history. */
async function commitDisk(context: CycleContext, head: Oid, writes: readonly ForeignWrite[]): Promise<Oid> {
	if (writes.length === 0) return head;
	const { repository } = context;
	const entries = await entriesAt(context, head, writes);
	const { commit } = await writeCommit(openMergeStore(repository), {
		parents: [head],
		...ownIdentity(context),
		date: await committerDate(repository, head),
		message: Buffer.from("what is on disk\n"),
		tree: null,
		changes: writes.map((write) => changeOf(write, entries.get(write.path)?.mode)),
	});
	return commit;
}

/** Unstages such writes if a person staged them: HEAD keeps its version until the merge. @throws GitError */
export async function unstageForeign(context: CycleContext, head: Oid | null, writes: readonly ForeignWrite[]): Promise<void> {
	if (writes.length === 0 || head === null) return;
	const entries = await entriesAt(context, head, writes);
	await writeIndexEntries(
		context.repository,
		writes.map(({ path: name }) => ({ path: name, entry: entries.get(name) ?? null })),
	);
}

/**
 * Merges writes into HEAD as commits on their bases, and checks the result out. After a kill the next start continues, or finds the same
 * writes again and makes the same commits from them.
 * @param head the commit of HEAD
 * @throws GitError, file system errors, LockLostError
 */
export async function mergeForeignWrites(
	context: CycleContext,
	head: Oid,
	writes: readonly ForeignWrite[],
): Promise<{ readonly head: Oid; readonly integration: Integration | null }> {
	const { repository, lock } = context;
	const { branch } = await readHead(repository);
	const here = writes.filter((write) => write.kept === undefined);
	const { to, made } = await mergeOnBases(context, head, writes);
	const disk = await commitDisk(context, head, here);
	faultPoint("foreign-committed");
	lock.assertHeld();
	// The writes are this node's own: the guard for incoming losses does not apply.
	const unguarded = { ...integrateContext(context), guard: null, made };
	const integration = to === disk ? null : await carryOutFrom(unguarded, `refs/heads/${branch}`, { head, disk, to });
	await indexWinners(context, here, disk, to);
	faultPoint("foreign-merged");
	noteKept(context, writes, await entriesAt(context, to, writes));
	faultPoint("foreign-recorded");
	return { head: to, integration };
}

/** Merges writes that no commit may have into the files. Branch and index stay, so the files differ from HEAD like any other that is left out. */
export async function mergeOnDisk(context: CycleContext, head: Oid, writes: readonly ForeignWrite[]): Promise<void> {
	const { to } = await mergeOnBases(context, head, writes);
	await replaceOnDisk(context, [...(await diffTrees(context.repository, head, to))], true);
	noteKept(context, writes, await entriesAt(context, to, writes));
}

/** Updates the index for files that the merge left unchanged: the checkout did not touch them, so the index still has HEAD's former version. */
async function indexWinners(context: CycleContext, here: readonly ForeignWrite[], disk: Oid, to: Oid): Promise<void> {
	if (here.length === 0) return;
	const [found, merged] = [await entriesAt(context, disk, here), await entriesAt(context, to, here)];
	const same = [...merged].filter(([name, entry]) => isSameEntry(entry, found.get(name) ?? null));
	if (same.length > 0)
		await writeIndexEntries(
			context.repository,
			same.map(([name, entry]) => ({ path: name, entry })),
		);
}

/**
 * Records that the writes found in kept files are in HEAD: they are the base of the next write through the same descriptor.
 * @param merged what HEAD has at their paths now
 */
export function noteKept(
	{ memory, now }: CycleContext,
	writes: readonly Pick<ForeignWrite, "kept">[],
	merged: ReadonlyMap<GitPath, TreeEntry> = new Map(),
): void {
	const backups = new Map<string, KeptPlace[]>();
	for (const { kept } of writes) if (kept) backups.set(kept.backup, [...(backups.get(kept.backup) ?? []), kept]);
	for (const [name, places] of backups) {
		const updated = [...memory.replaced.filesOf(name)];
		for (const { index, oid, size, mtimeMs } of places) {
			const entry = updated[index];
			if (!entry) continue;
			const to = merged.get(entry.path)?.oid;
			const written = to === undefined ? {} : { merged: { from: entry.merged?.from ?? entry.before, to } };
			updated[index] = { ...entry, before: oid, size, mtime_ms: mtimeMs, ...written };
		}
		memory.replaced.write(name, updated, now());
	}
}
