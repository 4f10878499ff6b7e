import { idLengthOf, listAllObjects, OidSet, openMergeStore, unneededAmong } from "@robust-sync/git";
import type { CycleContext } from "../context/cycle-context.ts";
import { dropListed, scrubOwnFiles } from "./apply-forget.ts";
import { blobsWithValues } from "./derive-values.ts";
import { writeDropList } from "./forget-state.ts";
import { scrubOfValues } from "./scrub-files.ts";
import { cleanWaiting } from "./waiting-files.ts";
import { cleanWorkingCopies } from "./working-copies.ts";

/**
 * Cleans the files that could not be replaced when a value was forgotten, as soon as they can be, and what is kept of them.
 * @throws SyncError, GitError, the file system's error
 */
export async function finishWaiting(context: CycleContext): Promise<void> {
	const { repository } = context;
	await cleanWaiting(context, async (values, names) => {
		const { replaced, waiting } = await cleanWorkingCopies(context, values, { names });
		await scrubOwnFiles(context, {
			...scrubOfValues(repository, values),
			replacement: (oid) => replaced.get(oid),
			instead: () => null,
		});
		const store = openMergeStore(repository);
		const found = new OidSet(idLengthOf(store), replaced.keys());
		// A process that was killed here has left others.
		await blobsWithValues(store, (await listAllObjects(store)).blob, values, (oid) => found.add(oid));
		const list = await unneededAmong(repository, found, []);
		writeDropList(repository, list.oids);
		await dropListed(context, list);
		return waiting;
	});
}
