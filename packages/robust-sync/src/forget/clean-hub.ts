import { existsSync } from "node:fs";
import path from "node:path";
import {
	bareRepository,
	dropObjects,
	type GcLock,
	givenRef,
	hasObjectsAside,
	idLengthOf,
	listAllObjects,
	localHub,
	lockGc,
	type Oid,
	OidSet,
	objectIds,
	packNames,
	Repository,
	readHead,
	unneededAmong,
	withObjectReader,
} from "@robust-sync/git";
import { faultPoint } from "@robust-sync/system/fault-points";
import type { Config } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { deriveValues } from "./derive-values.ts";
import { findMaps } from "./find-maps.ts";
import { type ForgetMap, removesPaths } from "./forget-map.ts";
import type { MadeMap } from "./make-map.ts";
import type { Rewritten } from "./rewrite-all.ts";
import { holdsAny, type Values } from "./value.ts";

// On a hub only objects of a list are removed, and of these only what nothing there needs: those that the maps name, those that hold a value, and
// the commits that a map replaced, with their trees if it removes a path. (A shallow clone that begins with one of these commits could not be completed
// from a hub that has it without its blobs.) All others stay, other old trees too: a push at any time may depend on them.

const byHand =
	"run on the hub, while no node pushes (robust-sync --pause): git reflog expire --expire=now --all && git gc --prune=now (a git host: ask its support)";
const later = "the hub is in use (a garbage collection, or a push): the next cycle of any node beside it removes the old objects there";

/** The longest wait of a command for a garbage collection on the hub, milliseconds. */
const commandWaitMs = 30_000;

/** The repository of a remote that is a directory of this machine; null: it is elsewhere. @throws GitError */
async function hubBeside(repository: Repository, remote: string): Promise<Repository | null> {
	const directory = localHub(repository, remote);
	if (directory === null) return null;
	const { stdout } = await bareRepository(repository, directory).run(["rev-parse", "--path-format=absolute", "--git-common-dir"]);
	const common = bareRepository(repository, stdout.toString("utf8").trim());
	return new Repository({ ...common, env: { ...common.env, GIT_NO_REPLACE_OBJECTS: "1" } });
}

const remotesOf = ({ syncRemote, syncMirrors }: Config) => [syncRemote, ...syncMirrors];

/** Keeps the hub's garbage collection, and the other nodes' removal of old objects, waiting while a command forgets. Never throws */
export async function reserveHub(repository: Repository, config: Config): Promise<GcLock | null> {
	try {
		const hub = await hubBeside(repository, config.syncRemote);
		return hub === null ? null : lockGc(hub);
	} catch {
		return null;
	}
}

/** What the process that forgets knows of it: the result of applying the maps, and the commits that the newest one replaced. */
export interface Forgotten {
	readonly applied: Rewritten;
	readonly made: Pick<MadeMap, "map" | "commits">;
}

/**
 * Removes the old objects, and no others, from hubs and mirrors that are directories on this machine.
 * @param repository of a node that has applied all maps @param forgotten null: not by this process
 * @param isBesideOnly whether hubs elsewhere, of which nothing is known, are left out
 * @returns the remaining steps on the hub, in words; null: none. Never throws
 */
export async function cleanHub(
	repository: Repository,
	config: Config,
	forgotten: Forgotten | null,
	isBesideOnly = false,
): Promise<string | null> {
	const left: string[] = [];
	for (const remote of remotesOf(config)) {
		if (isBesideOnly && localHub(repository, remote) === null) continue;
		const one = await cleanRemote(repository, config, remote, forgotten, commandWaitMs).catch(() => byHand);
		if (one !== null) left.push(remote === config.syncRemote ? one : `mirror '${remote}': ${one}`);
	}
	return left.length === 0 ? null : left.join("\n");
}

/**
 * Finishes the removal of old objects on hubs of this machine that an earlier process did not finish: once for each new map, as long as the hub
 * has one of the listed objects. Never throws
 */
export async function finishHub(context: CycleContext): Promise<void> {
	const { repository, config, memory, log } = context;
	const { forget } = memory;
	const fresh = forget.current.filter(({ id }) => !forget.cleaned.has(id));
	if (fresh.length === 0 || forget.isCommand) return;
	for (const remote of remotesOf(config)) {
		if (localHub(repository, remote) === null) continue;
		try {
			const left = await cleanRemote(repository, config, remote, null, 0);
			if (left === later) return;
			if (left !== null) log.warn(`'${remote}' still has forgotten objects: ${left}`);
		} catch (error) {
			log.info(`'${remote}' was not searched for forgotten objects: ${error instanceof Error ? error.message : String(error)}`);
		}
	}
	for (const { id } of fresh) forget.cleaned.add(id);
}

/** The objects that maps name as those to remove. */
const namedBy = (maps: readonly ForgetMap[]): Oid[] => [
	...new Set(
		maps.flatMap(({ blobs, commits, paths }) => [...Object.keys(blobs), ...Object.keys(commits), ...paths.flatMap((one) => one.blobs)]),
	),
];

/** The ones of some objects that the hub has. @throws GitError */
async function presentIn(hub: Repository, oids: readonly Oid[]): Promise<Oid[]> {
	if (oids.length === 0) return [];
	const infos = await withObjectReader(hub, (reader) => reader.infos(oids));
	return oids.filter((_oid, index) => infos[index] !== null);
}

/**
 * The commits that maps replaced: the history of the old tip without that of the new one, and without that of any ref. With their trees, if a
 * map removes paths. Those of the map that this process made are known; a ref may need some of them. @throws GitError
 */
async function replacedObjects(hub: Repository, maps: readonly ForgetMap[], made: Forgotten["made"] | null): Promise<Oid[]> {
	const isKnown = ({ id }: ForgetMap) => id === made?.map.id && !removesPaths([made.map]);
	const unknown = maps.filter((map) => !isKnown(map));
	const present = new Set(await presentIn(hub, [...new Set(unknown.flatMap(({ from, to }) => [from, to]))]));
	const both = unknown.filter(({ from, to }) => from !== to && present.has(from) && present.has(to));
	const known = maps.some(isKnown) ? (made?.commits ?? []) : [];
	if (both.length === 0) return [...known];
	const ends = both.flatMap(({ from, to }) => [from, `^${to}`]);
	// Names of forgotten files are in trees.
	const withTrees = removesPaths(both) ? ["--objects", "--no-object-names", "--missing=allow-any"] : [];
	// After an earlier removal some are missing: git then lists those before the first of them.
	const { stdout } = await hub.run(["rev-list", ...withTrees, "--stdin", "--not", "--all"], {
		input: [...ends, ""].join("\n"),
		accept: [0, 128],
	});
	return [...known, ...stdout.toString("latin1").split("\n").filter(Boolean)];
}

/** Objects of a hub that this node does not know. @throws GitError */
async function unknownIn(hub: Repository, repository: Repository, applied: Rewritten | null): Promise<Oid[]> {
	// A pack of the same name has the same objects.
	const known = applied?.objects ?? new OidSet(idLengthOf(hub));
	const without = new Set(applied === null ? [] : packNames(repository));
	return (
		objectIds(hub, without, known) ??
		Object.values(await listAllObjects(hub))
			.flat()
			.filter((oid) => !known.has(oid))
	);
}

/** Blobs, and commits and tags by their messages, that hold a value. @throws GitError */
async function holdersAmong(hub: Repository, oids: readonly Oid[], values: Values): Promise<Oid[]> {
	if (values.size === 0) return [];
	const found: Oid[] = [];
	await withObjectReader(hub, async (reader) => {
		const infos = await reader.infos(oids);
		const read = oids.filter((_oid, index) => infos[index] != null && infos[index]?.type !== "tree");
		await reader.each(read, (_info, content, index) => {
			if (content && holdsAny(content, values)) found.push(read[index] ?? "");
		});
	});
	return found;
}

async function cleanRemote(
	repository: Repository,
	config: Config,
	remote: string,
	forgotten: Forgotten | null,
	waitMs: number,
): Promise<string | null> {
	const applied = forgotten?.applied ?? null;
	const hub = await hubBeside(repository, remote);
	if (hub === null) return byHand;
	const { oid: head } = await readHead(repository);
	const { maps } = await findMaps(repository, head === null ? [] : [head], config.heartbeatKeys);
	const named = namedBy(maps);
	if (applied === null && !hasObjectsAside(hub) && (await presentIn(hub, named)).length === 0) return null;
	// A command that forgets right now, or a garbage collection, has it.
	const lock = lockGc(hub);
	if (lock === null && waitMs === 0) return later;
	try {
		// What a killed command left.
		if (lock !== null && existsSync(path.join(hub.commonDirectory, givenRef))) await hub.run(["update-ref", "-d", givenRef]);
		const values = applied?.values ?? (await deriveValues(hub, maps));
		const holders = await holdersAmong(hub, await unknownIn(hub, repository, applied), values);
		const replaced = await replacedObjects(hub, maps, forgotten?.made ?? null);
		const own = applied === null ? [] : [...applied.blobs.keys(), ...applied.messages];
		const oids = new OidSet(idLengthOf(hub), [...named, ...own, ...holders, ...replaced]);
		const isExamined = head !== null && applied?.isClean(head) === true && !removesPaths(maps);
		const clean = isExamined ? await presentIn(hub, [head]) : [];
		faultPoint("forget-hub-listed");
		const list = await unneededAmong(hub, oids, clean);
		faultPoint("forget-hub-dropping");
		const { kind, elsewhere } = await dropObjects(hub, list, {
			without: applied?.packs ?? new Set(),
			whenAside: () => faultPoint("forget-hub-aside"),
			waitMs,
		});
		faultPoint("forget-hub-dropped");
		if (kind !== "dropped") return later;
		const still = maps
			.flatMap(({ blobs, commits }) => [...Object.keys(blobs), ...Object.keys(commits)])
			.find((oid) => list.needed.has(oid));
		if (still !== undefined)
			return `the hub has other branches or reflogs with the old history (${still.slice(0, 12)}): remove them there; then ${byHand}`;
		return elsewhere.length === 0 ? null : `${elsewhere.length} objects are in another repository that the hub borrows from: ${byHand}`;
	} finally {
		lock?.release();
	}
}
