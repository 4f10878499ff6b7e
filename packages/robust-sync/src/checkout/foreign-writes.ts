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

// What a program wrote from a version that is not the newest one of its path becomes a commit on the commit that has that version. The rest
// is an ordinary merge, which every node can compute again (docs/design/concurrent-writes.md).

/** A kept file in which a write was found, as it was then. */
export interface KeptPlace {
	/** The name of the backup, and which of its files. */
	readonly backup: string;
	readonly index: number;
	readonly size: number;
	readonly mtimeMs: number;
	readonly oid: Oid;
}

/** Content that a program wrote from a version which is not the newest one of its path. */
export interface ForeignWrite {
	readonly path: GitPath;
	/** Of the file; null: it says nothing, and the base's holds. */
	readonly mode: string | null;
	/** As git stores it. */
	readonly content: Buffer;
	/** A commit of HEAD's history that has the version which its writer had read. */
	readonly base: Oid;
	/** Milliseconds since the epoch, by the file's own times. */
	readonly writtenAt: number;
	/** HEAD has it already: a process was killed before it noted that. */
	readonly isMerged: boolean;
	/** Where it was found, unless that is the path itself. */
	readonly kept?: KeptPlace;
}

/** The same before it is known whether a commit has its base. */
export interface Candidate extends Omit<ForeignWrite, "base" | "isMerged"> {
	/** The version that its writer had read, as it lay on disk, and its blob. */
	readonly origin: Buffer;
	readonly originOid: Oid;
}

/** A base is looked for among this many of the newest commits: one for every four seconds of the hour in which a write may be late. */
const maxCommits = 1_000;
/** As many are asked about at once: most bases are near. */
const commitsAtOnce = 50;

/** As many paths are named to one git command. */
const pathsAtOnce = 500;

async function entriesAt({ repository }: CycleContext, commit: Oid, writes: readonly ForeignWrite[]): Promise<Map<GitPath, TreeEntry>> {
	const names = writes.map((write) => write.path);
	const found = new Map<GitPath, TreeEntry>();
	for (let start = 0; start < names.length; start += pathsAtOnce)
		for (const [name, entry] of await readTreePaths(repository, commit, names.slice(start, start + pathsAtOnce))) found.set(name, entry);
	return found;
}

/** As git would store it: through the clean filter. Null: that fails. */
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

/** A version that was read, and what was made from it. */
interface Wanted {
	readonly path: GitPath;
	readonly origin: Oid;
	readonly written: Oid;
}

/** What HEAD's history says of each: its base, and whether a commit on such a base has what was written already. Null: none of the last commits has it. */
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
 * Those writes whose base a commit has. The others were made from what lay at the path for a moment, and no commit knows. None in a partial clone.
 * @param filters whether filters apply: then what lies on disk is not what is stored
 * @throws GitError
 */
export async function withBases(context: CycleContext, candidates: readonly Candidate[], filters: boolean): Promise<ForeignWrite[]> {
	// A partial clone would fetch each older version that is asked about, and wait for the network.
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
 * The date of such a commit: when the newest of its files was written, never before its base and not in the future. Rounded up: its writer
 * wrote after what was there, where both happened within one second.
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
 * Commits writes on what they were made from, those with the same base together. The commits depend on nothing but paths, contents, modes,
 * bases and file times.
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

/** A commit with what is on disk: HEAD's, and the writes that were found at their paths. It is in no history. */
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

/** Takes back what a person staged of such writes: HEAD keeps its version until the merge. @throws GitError */
export async function unstageForeign(context: CycleContext, head: Oid | null, writes: readonly ForeignWrite[]): Promise<void> {
	if (writes.length === 0 || head === null) return;
	const entries = await entriesAt(context, head, writes);
	await writeIndexEntries(
		context.repository,
		writes.map(({ path: name }) => ({ path: name, entry: entries.get(name) ?? null })),
	);
}

/**
 * Merges writes into HEAD as commits on their bases, and checks the result out. After a kill the next start goes on, or finds the same writes
 * again and makes the same commits of them.
 * @param head where HEAD is
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
	// It is this node's own: no second word is needed.
	const unguarded = { ...integrateContext(context), guard: null };
	const integration = to === disk ? null : await carryOutFrom(unguarded, `refs/heads/${branch}`, { head, disk, to });
	await indexWinners(context, here, disk, to);
	faultPoint("foreign-merged");
	noteKept(context, writes);
	faultPoint("foreign-recorded");
	return { head: to, integration };
}

/** The checkout has not touched a file that is in the merge as it was found. The index has HEAD's former version of it. */
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

/** What was found in kept files is in HEAD: it is what their writers go on from. */
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
