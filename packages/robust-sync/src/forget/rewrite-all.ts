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

/**
 * The pure function, carried out on all that a repository has, reachable or not.
 * @param store its objects, as openMergeStore has them @param writes whether anything is written, or only found out
 * @throws GitError
 */
export async function rewriteAll(store: Repository, maps: readonly ForgetMap[], values: Values, writes = true): Promise<Rewritten> {
	const objects = await listAllObjects(store);
	const writer = new ObjectWriter(store, new Set(Object.values(objects).flat()));
	const write = async (object: NewObject) => (writes ? await writer.add(object) : objectOid(object, store.objectFormat));
	const own: [Oid, Oid][] = [];
	const listed = blobsOf(maps);
	const made: Buffer[] = [];
	await blobsWithValues(store, objects.blob, values, (oid, cleaned) => {
		made.push(cleaned);
		own.push([oid, blobId(store, cleaned)]);
	});
	for (const content of made) await write({ type: "blob", content });
	const blobs = new Map([...listed, ...own]);
	const order = await inOrder(store, objects.commit);
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
		const rewriter = new HistoryRewriter(reader, write, rule, store.objectFormat);
		const counter = new WorkCounter(store.onProgress, "rewriting the history", order.length, "commits");
		await rewriter.rewrite(order, (done) => counter.upTo(done));
		counter.end();
		const tags = await rewriter.tags(objects.tag);
		await rewriter.visit(objects.tree);
		await writer.flush();
		const removed = rewriter.removedBlobs;
		const present = new Set(objects.blob);
		const dropped = new Set([...blobs.keys(), ...removed].filter((oid) => present.has(oid)));
		for (const oid of [...rewriter.replacedTrees, ...rewriter.commits.keys(), ...tags.keys()]) dropped.add(oid);
		return { commits: rewriter.commits, tags, blobs, removed, dropped };
	});
}
