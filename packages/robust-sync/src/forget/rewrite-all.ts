import {
	addBlobs,
	HistoryRewriter,
	idLengthOf,
	idsOf,
	idsOnly,
	inOrder,
	isAncestor,
	listWithSet,
	looseIds,
	type ObjectsByType,
	ObjectWriter,
	type Oid,
	OidSet,
	objectIds,
	packNames,
	type Repository,
	readParents,
	WorkCounter,
	withObjectReader,
} from "@robust-sync/git";
import { blobsWithValues } from "./derive-values.ts";
import { blobId, replacedBy } from "./find-maps.ts";
import { blobsOf, type ForgetMap, mapFile, removesPaths, stepsOf } from "./forget-map.ts";
import { commitOfMap } from "./old-paths.ts";
import { hasOnlyNested, type Values, withoutValues } from "./value.ts";
import { blobsAt } from "./working-copies.ts";

/** What a whole repository becomes. Nothing refers to it yet. */
export interface Rewritten {
	readonly commits: ReadonlyMap<Oid, Oid>;
	readonly tags: ReadonlyMap<Oid, Oid>;
	/** The replacement of a rewritten tree. */
	readonly treeInPlace: (oid: Oid) => Oid | undefined;
	readonly blobs: ReadonlyMap<Oid, Oid>;
	readonly removed: ReadonlySet<Oid>;
	/** Commits and tags whose messages held a value. */
	readonly messages: ReadonlySet<Oid>;
	readonly values: Values;
	/** Whether a commit, and all before it, are as they were: they have nothing of what is dropped. */
	readonly isClean: (commit: Oid) => boolean;
	/** Objects that nothing needs afterwards. */
	readonly dropped: OidSet;
	/** All objects that were there, and those that were written. */
	readonly objects: OidSet;
	/** Packs that were written for it and have no object that is dropped. */
	readonly packs: ReadonlySet<string>;
}

/** A branch's history that this process has already rewritten. Its results are reused for the whole repository. */
export interface MadeHistory {
	readonly id: string;
	/** The tip from which it was made; it was on the hub. */
	readonly from: Oid;
	readonly blobs: ReadonlyMap<Oid, Oid>;
	readonly rewriter: HistoryRewriter;
	/** Every object that was there before; all blobs among them were searched for the value. */
	readonly before: ObjectsByType;
	/** Those, and what was written. */
	readonly objects: OidSet;
	/** Packs that hold only such objects, those of them that were written, and the objects that are in no pack. */
	readonly packs: ReadonlySet<string>;
	readonly written: ReadonlySet<string>;
	readonly loose: readonly Oid[];
}

/** The objects of a repository, and those that are new since an earlier rewrite. */
export interface Present {
	readonly objects: ObjectsByType;
	readonly all: OidSet;
	readonly freshBlobs: readonly Oid[];
	/** The earlier rewrite, if it can be reused. */
	readonly made: MadeHistory | null;
}

/** All objects. @param made an earlier rewrite, whose objects need not be listed again @throws GitError, the file system's error */
export async function presentIn(store: Repository, made: MadeHistory | null): Promise<Present> {
	const fresh = made === null ? null : await freshSince(store, made);
	if (made === null || fresh === null) {
		const { objects, all } = await listWithSet(store);
		return { objects, all, freshBlobs: objects.blob, made: null };
	}
	const { before } = made;
	const objects = {
		commit: [...before.commit, ...fresh.commit],
		tree: [...before.tree, ...fresh.tree],
		blob: [...before.blob, ...fresh.blob],
		tag: [...before.tag, ...fresh.tag],
	};
	for (const oid of idsOf(fresh)) made.objects.add(oid);
	return { objects, all: made.objects, freshBlobs: fresh.blob, made };
}

/** The objects that came after an earlier rewrite. Null: some that it had or wrote are gone, or git has to list them. @throws GitError */
async function freshSince(store: Repository, { objects, packs, loose }: MadeHistory): Promise<ObjectsByType | null> {
	const names = new Set(packNames(store));
	const unknown = [...packs].every((name) => names.has(name)) ? newIds(store, packs, objects) : null;
	const outside = new Set(looseIds(store));
	if (unknown === null || !loose.every((oid) => outside.has(oid))) return null;
	const found = { commit: [] as Oid[], tree: [] as Oid[], blob: [] as Oid[], tag: [] as Oid[] };
	const infos = await withObjectReader(store, (reader) => reader.infos(unknown));
	for (const info of infos) if (info !== null) found[info.type].push(info.oid);
	return found;
}

/** Like objectIds; null also if another process packs them meanwhile. */
function newIds(store: Repository, packs: ReadonlySet<string>, known: OidSet): Oid[] | null {
	try {
		return objectIds(store, packs, known);
	} catch {
		return null;
	}
}

/** Whether an earlier rewrite did what is to be done now: the only thing to remove is its value. */
function isOfOne(made: MadeHistory, maps: readonly ForgetMap[], values: Values): boolean {
	return values.size === 1 && values.has(made.id) && !removesPaths(maps);
}

/** Whether an earlier rewrite replaced the present blobs in the same way as the one to be done now. */
function isSame(made: MadeHistory, blobs: ReadonlyMap<Oid, Oid>, present: OidSet): boolean {
	for (const [before, after] of blobs) if (present.has(before) && made.blobs.get(before) !== after) return false;
	return true;
}

/** The commits to examine, parents before their children; none if an earlier rewrite has done them all. @throws GitError */
async function orderOf(store: Repository, commits: readonly Oid[], made: MadeHistory | null): Promise<Oid[]> {
	if (made === null) return await inOrder(store, commits);
	const left = commits.filter((oid) => !made.rewriter.isDone(oid));
	if (await areApart(store, left)) return left;
	// All of the new history is done.
	return await inOrder(store, left, [made.rewriter.commits.get(made.from) ?? made.from]);
}

/** More commits are put in order by git. */
const fewCommits = 64;

/** Whether some commits are few, and none is a parent of another: their order is any. @throws GitError */
async function areApart(store: Repository, commits: readonly Oid[]): Promise<boolean> {
	if (commits.length <= 1) return true;
	if (commits.length > fewCommits) return false;
	const parents: Oid[] = [];
	for (const oid of commits) parents.push(...(await readParents(store, oid)));
	return !commits.some((oid) => parents.includes(oid));
}

/** Every object in some history. @throws GitError */
async function objectsOf(store: Repository, revisions: readonly string[]): Promise<Oid[]> {
	const { stdout } = await store.run(["rev-list", "--objects", "--no-object-names", "--missing=allow-any", ...revisions]);
	return stdout.toString("latin1").split("\n").filter(Boolean);
}

/**
 * Every object that the hub's history got after each map whose value is known; none if something of what maps replace came back: then all of it
 * is examined. @throws GitError
 */
async function publishedAfter(
	store: Repository,
	maps: readonly ForgetMap[],
	values: Values,
	tip: Oid | null,
): Promise<Map<string, OidSet>> {
	const found = new Map<string, OidSet>();
	if (tip === null) return found;
	const replaced = new Set(replacedBy(maps));
	const newest = maps.at(-1)?.id;
	for (const { id, to } of maps) {
		if (!values.has(id) && id !== newest) continue;
		// Later maps have replaced the tip of an earlier one.
		const isThere = await isAncestor(store, to, tip).catch(() => false);
		const since = isThere ? to : await commitOfMap(store, id, tip);
		if (since === null) continue;
		const oids = await objectsOf(store, [tip, `^${since}`]);
		if (!oids.some((oid) => replaced.has(oid))) found.set(id, new OidSet(idLengthOf(store), oids));
	}
	return found;
}

/**
 * Rewrites every object of a repository, reachable or not. A pure function of the objects and the maps.
 * @param store from openMergeStore @param writes false: computes the result without writing objects
 * @param made an earlier rewrite of a part, by this process
 * @param tip of the hub; null: not known. What its nodes published after a map keeps the value of that map, but in listed objects: all nodes
 * keep the same history, whenever they apply a map
 * @param applied ids of maps that this node has applied
 * @throws GitError
 */
export async function rewriteAll(
	store: Repository,
	maps: readonly ForgetMap[],
	values: Values,
	{
		writes = true,
		made = null,
		tip = null,
		applied = new Set(),
	}: {
		readonly writes?: boolean;
		readonly made?: MadeHistory | null;
		readonly tip?: Oid | null;
		readonly applied?: ReadonlySet<string>;
	} = {},
): Promise<Rewritten> {
	const reusable = made !== null && isOfOne(made, maps, values) ? made : null;
	const { objects, all, freshBlobs, made: known } = await presentIn(store, reusable);
	const writer = new ObjectWriter(store, all);
	const sink = writes ? writer : idsOnly(store.objectFormat);
	const own: [Oid, Oid][] = [];
	const contents: Buffer[] = [];
	const later = await publishedAfter(store, maps, values, tip);
	const isLater = (oid: Oid, id: string) => later.get(id)?.has(oid) === true;
	const steps = stepsOf(maps, applied);
	const use = (oid: Oid, cleaned: Buffer) => {
		contents.push(cleaned);
		own.push([oid, blobId(store, cleaned)]);
	};
	// What takes the place of a listed one is the same on all nodes.
	const results = new Map(maps.map(({ id, blobs }) => [id, new Set(Object.values(blobs))] as const));
	const keeps = (oid: Oid, id: string) =>
		results.get(id)?.has(oid) === true || (steps.has(oid) ? !steps.get(oid)?.some((step) => step.id === id) : isLater(oid, id));
	// A release before 0.2.0 left blobs with a value in nested forms only as they were: where the history of the maps has them, all nodes keep them.
	const isLeft = (oid: Oid, id: string, content: Buffer) => !steps.has(oid) && hasOnlyNested(content, values, id);
	const unsure = new Set<Oid>();
	const useSure = (oid: Oid, cleaned: Buffer) => {
		if (!unsure.has(oid)) use(oid, cleaned);
	};
	await blobsWithValues(store, freshBlobs, values, useSure, (oid, id, content) => {
		const isKept = keeps(oid, id);
		if (!isKept && isLeft(oid, id, content)) unsure.add(oid);
		return isKept;
	});
	const last = maps.at(-1);
	if (unsure.size > 0) {
		const history = new Set(last !== undefined && all.has(last.to) ? await objectsOf(store, [last.to]) : []);
		const keepsLeft = (oid: Oid, id: string, content: Buffer) => keeps(oid, id) || (history.has(oid) && isLeft(oid, id, content));
		await blobsWithValues(store, [...unsure], values, use, keepsLeft);
	}
	await addBlobs(sink, contents);
	const blobs = new Map([...(known?.blobs ?? []), ...own, ...blobsOf(steps)]);
	const continued = known !== null && isSame(known, blobs, all) ? known : null;
	const order = await orderOf(store, objects.commit, continued);
	// Rewrites the history of the newest map first: results that are present already need not be examined again.
	const first = last === undefined || !all.has(last.to) || continued !== null ? [] : await inOrder(store, [last.from]);
	const names = maps.flatMap(({ paths }) => paths.map((one) => one.path));
	const ownAtPaths = names.length === 0 ? [] : [...(await blobsAt(store, order, names)).values()];
	const inMaps = new Map(maps.map(({ id, commits }) => [id, new Set(Object.keys(commits))] as const));
	const messages = new Set<Oid>();
	const rule = {
		blobs,
		paths: maps.flatMap((map) => map.paths.map((one) => ({ path: one.path, marker: mapFile(map.id), blobs: new Set(one.blobs) }))),
		watched: new Set(ownAtPaths.flatMap((oids) => [...oids])),
		message: (oid: Oid, message: Buffer) => {
			const whole = withoutValues(message, values);
			if (whole === message) return message;
			const left = new Map([...values].filter(([id]) => !isLater(oid, id) || inMaps.get(id)?.has(oid)));
			const cleaned = left.size === values.size ? whole : withoutValues(message, left);
			if (cleaned !== message) messages.add(oid);
			return cleaned;
		},
	};
	return await withObjectReader(store, async (reader) => {
		const rewriter = new HistoryRewriter(reader, sink, rule, store.objectFormat, continued?.rewriter ?? null);
		const counter = new WorkCounter(store.onProgress, "rewriting the history", first.length + order.length, "commits");
		await rewriter.rewrite([...first, ...order], (done) => counter.upTo(done));
		counter.end();
		await rewriter.visit(objects.tree);
		const tags = await rewriter.tags(objects.tag);
		await writer.flush();
		const removed = rewriter.removedBlobs;
		const { replacedTrees, commits } = rewriter;
		const dropped = new OidSet(idLengthOf(store), [], replacedTrees.length + commits.size + tags.size);
		for (const oids of [blobs.keys(), removed]) for (const oid of oids) if (all.has(oid)) dropped.add(oid);
		for (const oids of [replacedTrees, commits.keys(), tags.keys()]) for (const oid of oids) dropped.add(oid);
		// If paths are removed, one map may remove an object that another one wrote.
		const packs = new Set(names.length > 0 ? [] : [...(known?.written ?? []), ...writer.packs]);
		const treeInPlace = (oid: Oid) => rewriter.treeInPlace(oid);
		const isClean = (commit: Oid) => rewriter.isDone(commit) && !commits.has(commit);
		return { commits, tags, treeInPlace, blobs, removed, messages, values, isClean, dropped, objects: all, packs };
	});
}
