import { type GitPath, gitPathOf, type Oid, openMergeStore, readTreePaths, replaceRemoteRef, writeCommit } from "@robust-sync/git";
import { withNodeTrailer } from "@robust-sync/resolve";
import type { CycleContext } from "../context/cycle-context.ts";
import { ownIdentity } from "../context/own-identity.ts";
import { mapsRef } from "../remote/upstream.ts";
import { forgetDirectory } from "./forget-map.ts";

// A node that has the old history computes the new one from it. All that it needs of the hub is on a ref of its own: the maps, and some cleaned
// blobs from which it derives the value. The ref grants nothing: maps are used by their signatures alone.

/** Of the cleaned blobs, the smallest ones up to this size: one is enough for a node that has its old version. */
const maxCleanedBytes = 1_048_576;
const cleanedDirectory = ".robust-sync/cleaned";

/** A blob that is announced with its map. */
export interface CleanedBlob {
	readonly oid: Oid;
	/** Bytes. */
	readonly size: number;
}

/** Puts the maps of a commit on the ref, here and on the hub. The hub may refuse it: the nodes then fetch the new history instead. */
export async function announceMaps(context: CycleContext, tip: Oid, cleaned: readonly CleanedBlob[]): Promise<void> {
	const { repository, config, log, now } = context;
	const store = openMergeStore(repository);
	const directory = gitPathOf(forgetDirectory);
	const maps = (await readTreePaths(store, tip, [directory])).get(directory);
	if (maps === null || maps === undefined) return;
	const some: CleanedBlob[] = [];
	let bytes = 0;
	for (const blob of cleaned.toSorted((a, b) => a.size - b.size)) {
		bytes += blob.size;
		if (bytes <= maxCleanedBytes) some.push(blob);
	}
	const file = (path: GitPath, mode: string, oid: Oid) => ({ path, mode, oid });
	const { commit } = await writeCommit(store, {
		parents: [],
		...ownIdentity(context),
		date: Math.floor(now() / 1000),
		message: Buffer.from(`${withNodeTrailer(`${config.nodeName}: maps of what to forget`, config.nodeName)}\n`),
		tree: null,
		changes: [file(directory, maps.mode, maps.oid), ...some.map(({ oid }) => file(gitPathOf(`${cleanedDirectory}/${oid}`), "100644", oid))],
	});
	await repository.run(["update-ref", mapsRef, commit]);
	try {
		await replaceRemoteRef(repository, config.syncRemote, mapsRef);
	} catch (error) {
		log.info(`the hub has no ref for maps (${error instanceof Error ? error.message : String(error)}): the nodes fetch the new history`);
	}
}
