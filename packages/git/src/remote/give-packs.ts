import path from "node:path";
import { copyPacks } from "../objects/copy-packs.ts";
import type { Repository } from "../process/repository.ts";
import { bareRepository, localHub } from "./hub-disk.ts";

/** Settings with which a hub checks received objects, or shares its files. */
const ownWay = "^(core\\.sharedrepository|(receive|transfer)\\.fsckobjects)$";

/** Whether a hub checks what it receives, or shares its files, in a way that a copied pack would bypass. @throws GitError */
async function hasOwnWay(hub: Repository): Promise<boolean> {
	return (await hub.run(["config", "--get-regexp", ownWay], { accept: [0, 1] })).exitCode === 0;
}

/**
 * Puts packs of this repository into a hub that is a directory of this machine, as copies: git would send much more, because it does not look
 * at every old tree for what the hub has. Nothing refers to them there until a push does, which checks that nothing is missing.
 * @param packs their names
 * @returns the hub; null: the push has to bring the objects, because the hub is elsewhere, receives them in its own way, or cannot be written to
 */
export async function givePacks(repository: Repository, remote: string, packs: Iterable<string>): Promise<Repository | null> {
	const directory = localHub(repository, remote);
	if (directory === null) return null;
	const hub = bareRepository(repository, directory);
	const own = path.join(repository.commonDirectory, "objects/pack");
	try {
		if (await hasOwnWay(hub)) return null;
		const { stdout } = await hub.run(["rev-parse", "--path-format=absolute", "--git-path", "objects"]);
		const theirs = path.join(stdout.toString("utf8").replace(/\n$/, ""), "pack");
		// The index last: with it the pack is part of the hub.
		copyPacks(own, theirs, packs);
		return hub;
	} catch {
		return null;
	}
}
