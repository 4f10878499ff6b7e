import path from "node:path";
import {
	dropObjects,
	idLengthOf,
	isAncestor,
	ObjectWriter,
	type Oid,
	OidSet,
	openMergeStore,
	type Repository,
	readHead,
	readObjectsWhole,
	storeBlobs,
	type Unneeded,
	unneededAmong,
} from "@robust-sync/git";
import { faultPoint } from "@robust-sync/system/fault-points";
import { timestamp } from "@robust-sync/system/timestamps";
import { backupsOnMount, listBackupNames, mountPointsBelow } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { SyncError } from "../context/sync-error.ts";
import { changeRecordedMessages } from "../outbox/outbox.ts";
import { pruneReplaced } from "../remote/rewritten-head.ts";
import { refreshIndex } from "../snapshot/follow-head.ts";
import { deriveValues, ForgetRefusedError } from "./derive-values.ts";
import { blobId } from "./find-maps.ts";
import { type ForgetMap, removesPaths, removesValue } from "./forget-map.ts";
import { readDropList, readForgetState, removeDropList, writeDropList, writeForgetState } from "./forget-state.ts";
import { cleanLinkedTrees } from "./linked-trees.ts";
import { shallowRemedy } from "./make-map.ts";
import { type Rewritten, rewriteAll } from "./rewrite-all.ts";
import { rewriteGitFiles, rewriteRefs } from "./rewrite-refs.ts";
import { type KeptObjects, type Scrub, scrubBackup, scrubbed, scrubFiles, scrubIds, scrubOfValues } from "./scrub-files.ts";
import { readWaiting, writeWaiting } from "./waiting-files.ts";
import { cleanWorkingCopies, removeWorkingCopies, rewriteIndex } from "./working-copies.ts";

/** The result of applying maps. */
export interface Applied {
	/** Every rewritten commit, with its replacement. */
	readonly commits: ReadonlyMap<Oid, Oid>;
	/** The new HEAD. */
	readonly head: Oid | null;
}

/** The hub's new history must equal the function's result for its old one: otherwise more was changed than the maps list. */
async function refuseOtherChanges(
	repository: Repository,
	maps: readonly ForgetMap[],
	{ commits }: Rewritten,
	{ tip, before }: { readonly tip: Oid; readonly before: Oid | null },
): Promise<void> {
	const store = openMergeStore(repository, "present");
	const isIn = async (commit: Oid) => await isAncestor(store, commits.get(commit) ?? commit, commits.get(tip) ?? tip).catch(() => false);
	const last = maps.at(-1);
	const became = last === undefined ? undefined : commits.get(last.from);
	if (last !== undefined && became !== undefined && became !== last.to)
		throw new ForgetRefusedError("the new history is not the result of the map for the old one: other content was changed, too");
	if (before !== null && !(await isIn(before)))
		throw new ForgetRefusedError("the new history lacks commits of the old one: other content was changed, too");
}

/** Texts, saved versions, kept files, messages and logs of this node, outside of the working tree. */
export async function scrubOwnFiles({ repository, paths }: CycleContext, scrub: Scrub): Promise<number> {
	let count = 0;
	const mounts = [...mountPointsBelow(repository.root)];
	const objects: KeptObjects = {
		store: (contents) => storeBlobs(repository, paths.staging, contents),
		read: (oids) => readObjectsWhole(repository, oids),
	};
	for (const name of listBackupNames(paths)) {
		const directory = path.join(paths.backups, name);
		const onMounts = mounts.map((mount) => backupsOnMount(repository.root, mount, name).toString());
		count += await scrubBackup(directory, [directory, ...onMounts], scrub, objects);
	}
	changeRecordedMessages(paths, (content) => scrubbed(content, scrub));
	for (const directory of [paths.backups, paths.conflicts, paths.pending, paths.versions]) count += scrubFiles(directory, scrub);
	count += scrubFiles(paths.logs, scrub, { areOpen: true });
	scrubIds(paths.conflicts, scrub, (file) => file.endsWith("/manifest.json"));
	const isState = (file: string) => path.dirname(file) === paths.sync && file.endsWith(".json") && file !== paths.forgetState;
	scrubIds(paths.sync, scrub, isState);
	return count + scrubFiles(paths.sync, scrub, { skips: (file) => !isState(file) });
}

/** The placeholder for a file that was removed by its path. */
const nothing = Buffer.from("forgotten\n");

/** Clears everything in a process's memory that refers to forgotten objects. */
function forgetMemory({ memory }: CycleContext, commits: ReadonlyMap<Oid, Oid>): void {
	memory.dirty.invalidate();
	memory.replaced.reread();
	memory.publishable = null;
	memory.secrets.checked = null;
	memory.secrets.clean.clear();
	const now = (oid: Oid | null) => (oid === null ? null : (commits.get(oid) ?? oid));
	memory.synced = now(memory.synced);
	memory.knownHead = now(memory.knownHead);
	memory.tipAtStart = now(memory.tipAtStart);
	memory.steps = null;
	memory.search = null;
	memory.guarded = null;
	memory.announced.clear();
}

/** The longest wait for a garbage collection of the repository. */
const collectorWaitMs = 10_000;

const inUse = () => new SyncError("INTERNAL", "another process refers to what is being forgotten: it is tried again with the next cycle");

/** Removes the listed objects. @param without names of packs that have none of them @throws SyncError if they are still needed */
export async function dropListed(
	{ repository, log }: CycleContext,
	list: Unneeded,
	without: ReadonlySet<string> = new Set(),
): Promise<void> {
	const { kind, elsewhere } = await dropObjects(repository, list, { without, waitMs: collectorWaitMs });
	if (kind === "needed") throw inUse();
	if (kind === "busy")
		throw new SyncError("INTERNAL", "a garbage collection of the repository runs: the objects to forget are removed with the next cycle");
	if (elsewhere.length > 0)
		log.warn(
			`${elsewhere.length} forgotten objects are in another repository that this one borrows from (objects/info/alternates): remove them there`,
		);
	removeDropList(repository);
}

/**
 * Applies maps to all of this node: the history of every ref, index, working tree, saved versions, kept files, messages and logs; then removes
 * the old objects. After a kill at any point, `resumeForget` continues.
 * @param maps in the order of time, with valid signatures
 * @param at the hub's tip, and its former one; null: not known; `isEarly`: the new history is not here yet
 * @throws ForgetRefusedError before any change; GitError, the file system's error
 */
export async function applyForget(
	context: CycleContext,
	maps: readonly ForgetMap[],
	at: { readonly tip: Oid; readonly before: Oid | null; readonly isEarly?: boolean },
): Promise<Applied> {
	const { repository, paths, lock, log, now } = context;
	if (repository.isShallow) throw new ForgetRefusedError(shallowRemedy);
	await refreshIndex(context);
	const store = openMergeStore(repository, "present");
	const state = readForgetState(paths);
	const applied = new Set(state.applied);
	const values = await deriveValues(store, maps, applied);
	const fresh = maps.filter(({ id }) => !state.applied.includes(id));
	if (at.isEarly && fresh.some((map) => removesValue(map) && !values.has(map.id)))
		throw new ForgetRefusedError("its value cannot be derived before the new history is here");
	const rewritten = await rewriteAll(store, maps, values, { made: context.memory.forget.made, tip: at.isEarly ? null : at.tip, applied });
	await refuseOtherChanges(repository, maps, rewritten, at);
	faultPoint("forget-verified");
	lock.assertHeld();
	writeForgetState(paths, { ...state, running: maps.map(({ id }) => id) });
	faultPoint("forget-noted");
	log.info(`forgetting: ${maps.length} maps, ${rewritten.blobs.size} blobs, ${rewritten.commits.size} commits`);
	const gone = fresh.flatMap((map) => map.paths.map((one) => one.path));
	const { commits, tags, blobs, treeInPlace } = rewritten;
	const inPlace = (oid: Oid) => blobs.get(oid);
	const { replaced: onDisk, waiting } = await cleanWorkingCopies(context, values, { inPlace });
	// The value can be derived only now.
	const waits = readWaiting(repository);
	if (waiting.size > 0)
		writeWaiting(context, { values: new Map([...waits.values, ...values]), paths: new Map([...waits.paths, ...waiting]) });
	await removeWorkingCopies(context, gone);
	faultPoint("forget-files");
	lock.assertHeld();
	const replaced = (oid: Oid) => commits.get(oid) ?? tags.get(oid) ?? blobs.get(oid) ?? treeInPlace(oid);
	await rewriteRefs(repository, replaced);
	await pruneReplaced(context);
	faultPoint("forget-refs");
	const scrubOf = (removed: ReadonlySet<Oid>): Scrub => ({
		...scrubOfValues(repository, values),
		replacement: (oid) => replaced(oid) ?? (removed.has(oid) ? blobId(repository, nothing) : undefined),
		instead: (oid) => (removed.has(oid) ? nothing : null),
	});
	const inIndex = await rewriteIndex(repository, inPlace, gone);
	for (const oid of await cleanLinkedTrees(repository, inPlace, gone, scrubOf(new Set()), log)) inIndex.add(oid);
	faultPoint("forget-index");
	const removed = new Set([...rewritten.removed].filter((oid) => !inIndex.has(oid)));
	if (removed.size > 0) {
		const writer = new ObjectWriter(store);
		writer.add({ type: "blob", content: nothing });
		await writer.flush();
	}
	const scrub = scrubOf(removed);
	await scrubOwnFiles(context, scrub);
	await rewriteGitFiles(repository, scrub);
	faultPoint("forget-scrubbed");
	// Nearly always it is what the history had.
	const isAll = removed.size === rewritten.removed.size;
	const dropped = isAll ? rewritten.dropped : new OidSet(idLengthOf(store), [], rewritten.dropped.size);
	for (const oids of isAll ? [onDisk.keys()] : [rewritten.dropped, onDisk.keys()])
		for (const oid of oids) if (!rewritten.removed.has(oid) || removed.has(oid)) dropped.add(oid);
	// Its history was examined, and has nothing of it. Of an old version that was only in the working tree that is not known.
	const tip = commits.get(at.tip) ?? at.tip;
	const isExamined = !removesPaths(maps) && rewritten.isClean(tip) && [...onDisk.keys()].every((oid) => rewritten.blobs.has(oid));
	const clean = isExamined ? [tip] : [];
	// A ref, reflog or index that another process made meanwhile may keep the others: they have no forgotten content.
	const isForgotten = (oid: Oid) => commits.has(oid) || (blobs.has(oid) && !rewritten.removed.has(oid));
	const list = await unneededAmong(repository, dropped, clean);
	if ([...list.needed].some(isForgotten)) throw inUse();
	lock.assertHeld();
	writeDropList(repository, list.oids);
	faultPoint("forget-dropping");
	await dropListed(context, list, rewritten.packs);
	faultPoint("forget-dropped");
	forgetMemory(context, rewritten.commits);
	const { forget } = context.memory;
	// Kept only for the command that made the map: it is large, and a daemon does not need it.
	if (forget.made !== null) forget.applied = rewritten;
	forget.hasApplied = true;
	forget.made = null;
	writeForgetState(paths, finished(readForgetState(paths)));
	log.warn(
		`forgot what ${maps.at(-1)?.node ?? "another node"} asked for (${timestamp(now())}): ${rewritten.commits.size} commits were rewritten`,
	);
	return { commits: rewritten.commits, head: (await readHead(repository)).oid };
}

const finished = (state: ReturnType<typeof readForgetState>) => ({
	...state,
	applied: [...new Set([...state.applied, ...state.running])],
	running: [],
});

/** Finishes a removal of objects that was interrupted; earlier steps are repeated. @returns whether maps are still to be applied */
export async function resumeDrop(context: CycleContext): Promise<boolean> {
	const { repository, paths } = context;
	const state = readForgetState(paths);
	const oids = readDropList(repository);
	if (oids !== null) {
		const list = await unneededAmong(repository, oids, []);
		if (list.needed.size > 0) {
			// Another process has made use of them meanwhile: all steps are repeated.
			removeDropList(repository);
			return state.running.length > 0;
		}
		await dropListed(context, list);
		writeForgetState(paths, finished(state));
		forgetMemory(context, new Map());
		return false;
	}
	return state.running.length > 0;
}
