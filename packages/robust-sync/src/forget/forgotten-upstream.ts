import {
	fetchSameRef,
	GitError,
	type Oid,
	openMergeStore,
	type Repository,
	readHead,
	readParents,
	readRef,
	readRemoteBranch,
	withObjectReader,
} from "@robust-sync/git";
import type { CycleContext } from "../context/cycle-context.ts";
import { SyncError } from "../context/sync-error.ts";
import {
	askUpstream,
	fetchUnlessReplaced,
	fetchUpstream,
	knownTip,
	mapsRef,
	type Prefetched,
	prefetchUpstream,
	syncedBranch,
	type Upstream,
} from "../remote/upstream.ts";
import { applyForget, resumeDrop } from "./apply-forget.ts";
import { ForgetRefusedError } from "./derive-values.ts";
import { type FoundMaps, findMaps, presentAmong, type RefusedMap, replacedBy } from "./find-maps.ts";
import type { ForgetMap } from "./forget-map.ts";
import { readForgetState, writeForgetState } from "./forget-state.ts";
import { hasOldPaths } from "./old-paths.ts";

/** The remote's tip, without forgotten content. */
export interface CleanUpstream extends Upstream {
	/** Rewritten commits, with their replacements; null: none. */
	readonly replaced: ReadonlyMap<Oid, Oid> | null;
	/** The hub has forgotten content: this node's commits must not be pushed on top of it. null: it has none. */
	readonly problem: SyncError | null;
}

const plain = (upstream: Upstream): CleanUpstream => ({ ...upstream, replaced: null, problem: null });

function hubHasIt(remote: string): SyncError {
	return new SyncError(
		"FORGOTTEN_RETURNED",
		`'${remote}' has again what was forgotten: a node that does not apply the map pushed the old history (check that all have the same HEARTBEAT_KEY), the remote was restored from a backup, or a program wrote the same content again. Then run 'robust-sync --forget' without a path on this node, which takes it out again; until then nothing of this node is published`,
	);
}

function cannotBeTakenOut(remote: string, cause: ForgetRefusedError): SyncError {
	return new SyncError(
		"FORGOTTEN_RETURNED",
		`'${remote}' has again what was forgotten, and this node cannot take it out (${cause.message}): run 'robust-sync --forget' without a path on another node; until then nothing of this node is published`,
		{ cause },
	);
}

/** All maps that this node knows of, and those of a tip. @throws GitError */
async function mapsFor(context: CycleContext, tip: Oid | null): Promise<FoundMaps> {
	const { repository, config } = context;
	const { oid: head } = await readHead(repository);
	const commits = [tip, head, await readRef(repository, mapsRef)].filter((oid) => oid !== null);
	const found = await findMaps(repository, commits, config.heartbeatKeys, context.memory.forget.maps);
	const refused = await withWork(repository, found.refused);
	context.memory.forget.refused = refused;
	context.memory.forget.current = found.maps;
	return { maps: found.maps, refused };
}

/** The refused maps that would change something here, as far as that is known: others need no attention. A node whose key was wrong leaves such. */
async function withWork(repository: Repository, refused: readonly RefusedMap[]): Promise<RefusedMap[]> {
	const present = await presentAmong(
		repository,
		refused.flatMap(({ replaces }) => replaces ?? []),
	);
	return refused.filter(({ replaces }) => replaces === undefined || replaces.some((oid) => present.has(oid)));
}

/** Handles the forgotten content of an incoming tip; also the continuation after a restart. @throws SyncError, GitError, the file system's error */
async function withoutForgotten(context: CycleContext, upstream: Upstream): Promise<CleanUpstream> {
	const { repository, paths, memory, config, log } = context;
	const { tip } = upstream;
	if (tip === null || memory.forget.examined === tip) return plain(upstream);
	// This node pushed it: nothing is incoming.
	if (memory.forget.examined !== null && tip === (await readHead(repository)).oid) {
		memory.forget.examined = tip;
		return plain(upstream);
	}
	const { maps, refused } = await mapsFor(context, tip);
	const state = readForgetState(paths);
	const isApplied = ({ id }: ForgetMap) => state.applied.includes(id);
	const { examined, searched } = memory.forget;
	const cleanFor = ({ id }: ForgetMap) => (searched.has(id) ? examined : null);
	const isBack = async (some: readonly ForgetMap[]) =>
		some.length > 0 &&
		((await presentAmong(repository, replacedBy(some))).size > 0 || (await hasOldPaths(repository, some, tip, cleanFor)));
	const isSearched = (commit: Oid) => {
		memory.forget.examined = commit;
		memory.forget.searched = new Set(maps.map(({ id }) => id));
	};
	if (!(await isBack(maps))) {
		const fresh = maps.filter((map) => !isApplied(map)).map(({ id }) => id);
		if (fresh.length > 0) writeForgetState(paths, { ...state, applied: [...state.applied, ...fresh] });
		isSearched(tip);
		return plain({ ...upstream, rewritten: upstream.rewritten && !(fresh.length > 0) });
	}
	// What this node has forgotten came back, perhaps beside a new map: a branch that was put back (a hub's backup) lacks commits, too.
	const isReturned = await isBack(maps.filter(isApplied));
	try {
		const { commits } = await applyForget(context, maps, { tip, before: isReturned ? null : upstream.before });
		const clean = commits.get(tip) ?? tip;
		const returned = clean === tip ? null : { tip, clean };
		writeForgetState(paths, { ...readForgetState(paths), returned });
		isSearched(clean);
		const problem = returned === null ? null : hubHasIt(config.syncRemote);
		return { tip: clean, before: null, rewritten: false, replaced: commits, problem };
	} catch (error) {
		if (!(error instanceof ForgetRefusedError)) throw error;
		log.warn(`a map of what to forget is not applied: ${error.message}`);
		// It is not taken in again.
		if (isReturned) throw cannotBeTakenOut(config.syncRemote, error);
		const path = ".robust-sync/forget";
		memory.forget.refused = [...refused, { path, reason: error.message }];
		isSearched(tip);
		return plain(upstream);
	}
}

/**
 * Applies maps of a tip that was fetched before this cycle (by the command that replaced the branch, a person, or a process that was killed). It comes
 * before the scan: compared with the new history, all commits of the old one would seem unpublished.
 * @throws SyncError, GitError, the file system's error
 */
export async function applyFetched(context: CycleContext): Promise<void> {
	const tip = await knownTip(context);
	// An unborn HEAD, or the tip itself, has no old history. An unreadable one is repaired elsewhere.
	const head = (await readHead(context.repository)).oid;
	if (tip !== null && head !== null && head !== tip) {
		try {
			await withoutForgotten(context, { tip, before: null, rewritten: false });
		} catch (error) {
			// The fetch fails with it again. Until then, what is here is committed.
			if (!(error instanceof SyncError) || error.code !== "FORGOTTEN_RETURNED") throw error;
		}
	}
	context.memory.tipAtStart = await knownTip(context);
}

/** Like prefetchUpstream, but not where that would fetch forgotten content repeatedly. */
export function prefetchWithoutForgotten(context: CycleContext, isToPush: Promise<boolean>): Promise<Prefetched | null> | null {
	return readForgetState(context.paths).returned === null ? prefetchUpstream(context, isToPush) : null;
}

/** Like fetchUpstream, but without forgotten content. @throws SyncError, GitError, the file system's error */
export async function fetchWithoutForgotten(
	context: CycleContext,
	hint: boolean,
	asked: Promise<Prefetched | null> | null,
): Promise<CleanUpstream> {
	const { repository, paths, config } = context;
	const { returned } = readForgetState(paths);
	if (returned !== null) {
		// Avoids fetching it repeatedly.
		const tip = await readRemoteBranch(repository, config.syncRemote, syncedBranch(context));
		if (tip === returned.tip)
			return { tip: returned.clean, before: null, rewritten: false, replaced: null, problem: hubHasIt(config.syncRemote) };
		writeForgetState(paths, { ...readForgetState(paths), returned: null });
	}
	const ask = async () => (await asked) ?? (await askUpstream(context));
	const answer = hint ? asked : ask();
	const given = await (hint ? answer?.catch(() => undefined) : answer);
	const fetched = hint && (asked === null || given === null) ? (await fetchUnlessReplaced(context)).upstream : null;
	const early = await applyAnnounced(context);
	// A fetch before that names objects that may be gone.
	const isOutdated = early !== null && (given?.upstream ?? fetched) !== null;
	const incoming = fetched === null || isOutdated ? await fetchUpstream(context, hint || isOutdated, isOutdated ? null : answer) : fetched;
	const upstream = await withoutForgotten(context, incoming);
	if (early === null) return upstream;
	// The fetch may have been before that, and name the old tip.
	const before = upstream.before === null ? null : (early.get(upstream.before) ?? upstream.before);
	const rewritten = upstream.rewritten && before === upstream.before;
	const later = upstream.replaced ?? new Map<Oid, Oid>();
	const replaced = new Map([...later, ...[...early].map(([old, now]) => [old, later.get(now) ?? now] as const)]);
	return { ...upstream, before, rewritten, replaced };
}

/**
 * Applies a map that the hub announces to the old history, which is here: the new one is computed, and need not be fetched.
 * @returns the rewritten commits; null: there is no such map @throws GitError, the file system's error
 */
async function applyAnnounced(context: CycleContext): Promise<ReadonlyMap<Oid, Oid> | null> {
	const { repository, paths, config, memory, log } = context;
	const { announced } = memory.forget;
	if (announced === null || announced === memory.forget.read) return null;
	const mine = await readRef(repository, mapsRef);
	try {
		if (mine !== announced) await fetchSameRef(repository, config.syncRemote, mapsRef);
	} catch (error) {
		// The hub's branch decides.
		if (error instanceof GitError) return null;
		throw error;
	}
	memory.forget.read = announced;
	if (!(await areMaps(context, announced))) {
		// Everyone with push access can write the ref.
		if (mine !== announced) await repository.run(["update-ref", "-d", mapsRef]);
		return null;
	}
	const tip = await knownTip(context);
	const { maps } = await mapsFor(context, tip);
	const { applied } = readForgetState(paths);
	const [map, ...others] = maps.filter(({ id }) => !applied.includes(id));
	if (tip === null || map === undefined || others.length > 0 || (await presentAmong(repository, [map.from])).size === 0) return null;
	try {
		return (await applyForget(context, maps, { tip, before: null, isEarly: true })).commits;
	} catch (error) {
		if (!(error instanceof ForgetRefusedError)) throw error;
		log.info(`a map of what to forget waits for the new history: ${error.message}`);
		return null;
	}
}

/** Finishes the work of a process that was killed while it applied maps, before anything else. */
export async function resumeForget(context: CycleContext): Promise<string | null> {
	if (context.memory.branch === null || !(await resumeDrop(context))) return null;
	const tip = await knownTip(context);
	const { maps } = await mapsFor(context, tip);
	const { running } = readForgetState(context.paths);
	if (tip === null || !running.every((id) => maps.some((map) => map.id === id))) return null;
	try {
		await applyForget(context, maps, { tip, before: null });
	} catch (error) {
		if (!(error instanceof ForgetRefusedError)) throw error;
		// The old objects are gone, or other maps arrived meanwhile: the next fetch determines the remaining work.
		context.log.warn(`a forgetting that was interrupted cannot be finished: ${error.message}`);
		writeForgetState(context.paths, { ...readForgetState(context.paths), running: [] });
		return null;
	}
	return "finished the forgetting that was interrupted";
}

/** Whether an object is a commit without history that has maps, all of them signed with a key of this node. @throws GitError */
async function areMaps({ repository, config }: CycleContext, oid: Oid): Promise<boolean> {
	const [info] = await withObjectReader(openMergeStore(repository), (reader) => reader.infos([oid]));
	if (info?.type !== "commit" || (await readParents(repository, oid)).length > 0) return false;
	const { maps, refused } = await findMaps(repository, [oid], config.heartbeatKeys);
	return maps.length > 0 && refused.length === 0;
}
