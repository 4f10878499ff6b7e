import {
	blobOid,
	committerDate,
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
	readTreePaths,
	type TreeEntry,
	withObjectReader,
	writeCommit,
	writeIndexEntries,
} from "@robust-sync/git";
import { carryOutFrom, type Integration, planIntegration, withNodeTrailer } from "@robust-sync/resolve";
import { faultPoint } from "@robust-sync/system/fault-points";
import { type CycleContext, integrateContext } from "../context/cycle-context.ts";
import { ownIdentity } from "../context/own-identity.ts";
import { snapshotMessage } from "../context/snapshot-message.ts";

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

/** Content that a program wrote from an older version of its path. */
export interface ForeignWrite {
	readonly path: GitPath;
	/** The file's mode; null: unknown, the mode in the base applies. */
	readonly mode: string | null;
	/** In the form that git stores (after filters). */
	readonly content: Buffer;
	/** A commit in HEAD's history with the version that the writer had read. */
	readonly base: Oid;
	/** Milliseconds since the epoch, from the file's own times. */
	readonly writtenAt: number;
	/** HEAD's history has the write already: an earlier process was killed before it recorded that. */
	readonly isMerged: boolean;
	/** The kept file in which the write was found; absent: it was found at the path itself. */
	readonly kept?: KeptPlace;
}

/** A write for which no base has been looked up yet. */
export interface Candidate extends Omit<ForeignWrite, "base" | "isMerged"> {
	/** The version that the writer had read, as it was on disk, and its blob. */
	readonly origin: Buffer;
	readonly originOid: Oid;
}

/** A base is searched in this many of the newest commits: about one for every four seconds of the hour in which late writes are expected. */
const maxCommits = 1_000;
/** Commits in one request: few, because most bases are recent. */
const commitsAtOnce = 50;

async function entriesAt({ repository }: CycleContext, commit: Oid, writes: readonly ForeignWrite[]): Promise<Map<GitPath, TreeEntry>> {
	return await readTreePaths(
		repository,
		commit,
		writes.map((write) => write.path),
	);
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

/**
 * The writes whose base is in a commit. The others were made from a version that was at the path for a moment and is in no commit. None in a
 * partial clone.
 * @param filters whether filters apply, so that content on disk differs from stored content
 * @throws GitError
 */
export async function withBases(context: CycleContext, candidates: readonly Candidate[], filters: boolean): Promise<ForeignWrite[]> {
	// A partial clone would fetch each older version on request, and wait for the network.
	if ([...context.repository.config.keys()].some((key) => /^remote\..+\.promisor$/s.test(key))) return [];
	const stored: { readonly candidate: Candidate; readonly content: Buffer; readonly origin: Oid }[] = [];
	for (const candidate of candidates) {
		const { path: name, content, origin, originOid } = candidate;
		if (!isArgument(name)) continue;
		if (!filters) stored.push({ candidate, content, origin: originOid });
		else {
			const [now, before] = [await cleaned(context, name, content), await cleaned(context, name, origin)];
			if (now !== null && before !== null) stored.push({ candidate, content: now.content, origin: before.oid });
		}
	}
	const { objectFormat } = context.repository;
	const found = await findBases(
		context,
		stored.map(({ candidate, content, origin }) => ({ path: candidate.path, origin, written: blobOid(content, objectFormat) })),
	);
	return stored.flatMap(({ candidate, content }, index) => {
		const { origin: _origin, originOid: _originOid, ...write } = candidate;
		const known = found[index];
		return known ? [{ ...write, content, base: known.base, isMerged: write.kept !== undefined && known.isMerged }] : [];
	});
}

/**
 * The date of such a commit: the time of its newest file, not before its base and not in the future. Rounded up to the next second, because
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

/**
 * Commits each write on its base; writes with the same base are one commit. The commits depend only on paths, contents, modes, bases and file
 * times.
 */
async function commitOnBases(context: CycleContext, writes: readonly ForeignWrite[]): Promise<Oid[]> {
	const { repository, config, lock } = context;
	const groups = new Map<Oid, Map<GitPath, ForeignWrite>[]>();
	for (const write of writes) {
		if (write.isMerged) continue;
		const rounds = groups.get(write.base) ?? [];
		// Two writes to one path cannot be in one commit.
		const round = rounds.find((taken) => !taken.has(write.path));
		if (round) round.set(write.path, write);
		else groups.set(write.base, [...rounds, new Map([[write.path, write]])]);
	}
	const store = openMergeStore(repository);
	const commits: Oid[] = [];
	for (const [base, rounds] of groups) {
		for (const round of rounds) {
			const entries = await entriesAt(context, base, [...round.values()]);
			lock.assertHeld();
			const message = `${snapshotMessage(config.nodeName, [...round.keys()])}\n\nWritten from the version of ${base.slice(0, 12)}, without what came after it.`;
			const { commit } = await writeCommit(store, {
				parents: [base],
				...ownIdentity(context),
				date: await dateOf(context, base, [...round.values()]),
				message: Buffer.from(`${withNodeTrailer(message, config.nodeName)}\n`),
				tree: null,
				changes: [...round.values()].map((write) => changeOf(write, entries.get(write.path)?.mode)),
			});
			commits.push(commit);
		}
	}
	return commits;
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
	let to = head;
	for (const commit of await commitOnBases(context, writes)) to = (await planIntegration(repository, to, commit)).to;
	const disk = await commitDisk(context, head, here);
	faultPoint("foreign-committed");
	lock.assertHeld();
	// The writes are this node's own: the guard for incoming losses does not apply.
	const unguarded = { ...integrateContext(context), guard: null };
	const integration = to === disk ? null : await carryOutFrom(unguarded, `refs/heads/${branch}`, { head, disk, to });
	await indexWinners(context, here, disk, to);
	faultPoint("foreign-merged");
	noteKept(context, writes);
	faultPoint("foreign-recorded");
	return { head: to, integration };
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

/** Records that the writes found in kept files are in HEAD: they are the base of the next write through the same descriptor. */
function noteKept({ memory, now }: CycleContext, writes: readonly ForeignWrite[]): void {
	const backups = new Map<string, KeptPlace[]>();
	for (const { kept } of writes) if (kept) backups.set(kept.backup, [...(backups.get(kept.backup) ?? []), kept]);
	for (const [name, places] of backups) {
		const updated = [...memory.replaced.filesOf(name)];
		for (const { index, oid, size, mtimeMs } of places) {
			const entry = updated[index];
			if (entry) updated[index] = { ...entry, before: oid, size, mtime_ms: mtimeMs };
		}
		memory.replaced.write(name, updated, now());
	}
}
