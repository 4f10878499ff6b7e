import {
	HistoryRewriter,
	inOrder,
	listAllObjects,
	type NewObject,
	ObjectWriter,
	type Oid,
	objectOid,
	type Repository,
	WorkCounter,
	withObjectReader,
} from "@robust-sync/git";
import { blobsWithValues } from "./derive-values.ts";
import { blobId } from "./find-maps.ts";
import { blobsOf, type ForgetMap, mapFile } from "./forget-map.ts";
import { formsOf, type Values, withoutValue } from "./value.ts";
import { blobsAt } from "./working-copies.ts";

/** What a whole repository becomes. Nothing refers to it yet. */
export interface Rewritten {
	readonly commits: ReadonlyMap<Oid, Oid>;
	readonly tags: ReadonlyMap<Oid, Oid>;
	readonly blobs: ReadonlyMap<Oid, Oid>;
	readonly removed: ReadonlySet<Oid>;
	/** Objects that nothing needs afterwards. */
	readonly dropped: ReadonlySet<Oid>;
}

/** A branch's history that this process has already rewritten. Its results are reused for the whole repository. */
export interface MadeHistory {
	readonly id: string;
	readonly blobs: ReadonlyMap<Oid, Oid>;
	/** Blobs that were searched for the value. */
	readonly searched: ReadonlySet<Oid>;
	readonly rewriter: HistoryRewriter;
}

/** Whether an earlier rewrite can be reused: the only thing to remove is its value, and everything that it wrote is still present. */
function isOfOne(
	made: MadeHistory | null,
	maps: readonly ForgetMap[],
	values: Values,
	objects: { readonly blob: ReadonlySet<Oid>; readonly commit: ReadonlySet<Oid> },
): made is MadeHistory {
	if (made === null || values.size !== 1 || !values.has(made.id) || maps.some(({ paths }) => paths.length > 0)) return false;
	const isHere = (made: ReadonlyMap<Oid, Oid>, here: ReadonlySet<Oid>) => [...made.values()].every((oid) => here.has(oid));
	return isHere(made.blobs, objects.blob) && isHere(made.rewriter.commits, objects.commit);
}

/** Whether an earlier rewrite replaced the present blobs in the same way as the one to be done now. */
function isSame(made: MadeHistory, blobs: ReadonlyMap<Oid, Oid>, present: ReadonlySet<Oid>): boolean {
	for (const [before, after] of blobs) if (present.has(before) && made.blobs.get(before) !== after) return false;
	return true;
}

/** The commits to examine, parents before their children; none if an earlier rewrite has done them all. @throws GitError */
async function orderOf(store: Repository, commits: readonly Oid[], before: HistoryRewriter | null): Promise<Oid[]> {
	const left = before === null ? commits : commits.filter((oid) => !before.isDone(oid));
	return left.length > 1 ? await inOrder(store, commits) : [...left];
}

/**
 * Rewrites every object of a repository, reachable or not. A pure function of the objects and the maps.
 * @param store from openMergeStore @param writes false: computes the result without writing objects
 * @param made an earlier rewrite of a part, by this process
 * @throws GitError
 */
export async function rewriteAll(
	store: Repository,
	maps: readonly ForgetMap[],
	values: Values,
	{ writes = true, made = null }: { readonly writes?: boolean; readonly made?: MadeHistory | null } = {},
): Promise<Rewritten> {
	const objects = await listAllObjects(store);
	const writer = new ObjectWriter(store, new Set(Object.values(objects).flat()));
	const write = async (object: NewObject) => (writes ? await writer.add(object) : objectOid(object, store.objectFormat));
	const own: [Oid, Oid][] = [];
	const listed = blobsOf(maps);
	const contents: Buffer[] = [];
	const present = new Set(objects.blob);
	const known = isOfOne(made, maps, values, { blob: present, commit: new Set(objects.commit) }) ? made : null;
	const unknown = known === null ? objects.blob : objects.blob.filter((oid) => !known.searched.has(oid));
	await blobsWithValues(store, unknown, values, (oid, cleaned) => {
		contents.push(cleaned);
		own.push([oid, blobId(store, cleaned)]);
	});
	for (const content of contents) await write({ type: "blob", content });
	const blobs = new Map([...listed, ...(known?.blobs ?? []), ...own]);
	const before = known !== null && isSame(known, blobs, present) ? known.rewriter : null;
	const order = await orderOf(store, objects.commit, before);
	// Rewrites the history of the newest map first: results that are present already need not be examined again.
	const last = maps.at(-1);
	const first = last === undefined || before !== null ? [] : await inOrder(store, [last.from]);
	const names = maps.flatMap(({ paths }) => paths.map((one) => one.path));
	const ownAtPaths = names.length === 0 ? [] : [...(await blobsAt(store, order, names)).values()];
	const forms = [...values].map(([id, value]) => formsOf(value, id));
	const rule = {
		blobs,
		paths: maps.flatMap((map) => map.paths.map((one) => ({ path: one.path, marker: mapFile(map.id), blobs: new Set(one.blobs) }))),
		watched: new Set(ownAtPaths.flatMap((oids) => [...oids])),
		message: (_oid: Oid, message: Buffer) => forms.reduce(withoutValue, message),
	};
	return await withObjectReader(store, async (reader) => {
		const rewriter = new HistoryRewriter(reader, write, rule, store.objectFormat, before);
		const counter = new WorkCounter(store.onProgress, "rewriting the history", first.length + order.length, "commits");
		await rewriter.rewrite([...first, ...order], (done) => counter.upTo(done));
		counter.end();
		const tags = await rewriter.tags(objects.tag);
		await rewriter.visit(objects.tree);
		await writer.flush();
		const removed = rewriter.removedBlobs;
		const dropped = new Set([...blobs.keys(), ...removed].filter((oid) => present.has(oid)));
		for (const oid of [...rewriter.replacedTrees, ...rewriter.commits.keys(), ...tags.keys()]) dropped.add(oid);
		return { commits: rewriter.commits, tags, blobs, removed, dropped };
	});
}
