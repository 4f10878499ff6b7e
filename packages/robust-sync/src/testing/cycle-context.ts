import type { Scratch } from "@robust-sync/git/fixtures/scratch";
import { parseConfig, WorkspacePaths } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";
import { newMemory } from "../daemon/new-memory.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** A context of node helios for the repository `directory` of a scratch directory; with a lock that is never lost, and no log. */
export async function cycleContext(scratch: Scratch, directory: string, fields: Partial<CycleContext> = {}): Promise<CycleContext> {
	const paths = new WorkspacePaths(scratch.path(directory));
	return {
		repository: fields.repository ?? (await scratch.open(directory)),
		paths,
		config: parseConfig({ NODE_NAME: "helios" }),
		log: silent,
		now: Date.now,
		lock: { assertHeld: () => undefined, release: async () => undefined },
		memory: newMemory(paths, true),
		...fields,
	};
}
