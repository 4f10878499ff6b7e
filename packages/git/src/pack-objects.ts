import fs from "node:fs";
import path from "node:path";
import type { Repository } from "./repository.ts";

/** So many loose objects, estimated as git gc does from one of the 256 directories, are worth a pack. */
const looseLimit = 2_000;
/** So many packs slow every look-up down. */
const packLimit = 30;

function entries(directory: string, pattern: RegExp): number {
	try {
		return fs.readdirSync(directory).filter((name) => pattern.test(name)).length;
	} catch {
		return 0;
	}
}

/** Estimated number of loose objects, and the number of packs. Two directory listings. */
export function countStorage(repository: Repository): { loose: number; packs: number } {
	const objects = path.join(repository.commonDirectory, "objects");
	return { loose: entries(path.join(objects, "17"), /^[0-9a-f]{38,62}$/) * 256, packs: entries(path.join(objects, "pack"), /\.pack$/) };
}

/**
 * Rolls loose objects and small packs into larger packs when there are many (git-repack(1), --geometric: what is repacked
 * stays proportional to what is new). Unreachable objects are kept, so that nothing is lost by it.
 * @returns what was done, in words; null: there was nothing to do
 */
export async function packObjects(repository: Repository): Promise<string | null> {
	const before = countStorage(repository);
	if (before.loose < looseLimit && before.packs < packLimit) return null;
	await repository.run(["repack", "-q", "-d", "-l", "--geometric=2"]);
	await repository.run(["prune-packed", "-q"]);
	await repository.run(["pack-refs", "--all"]);
	const after = countStorage(repository);
	return `about ${before.loose} loose objects and ${before.packs} packs became ${after.loose} and ${after.packs}`;
}
