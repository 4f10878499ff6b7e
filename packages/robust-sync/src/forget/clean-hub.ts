import {
	dropObjects,
	hasOwnWay,
	idLengthOf,
	listAllObjects,
	localHub,
	OidSet,
	objectIds,
	packNames,
	Repository,
	readHead,
} from "@robust-sync/git";
import type { Config } from "@robust-sync/workspace";
import { bareRepository } from "./check-value.ts";
import { deriveValues } from "./derive-values.ts";
import { findMaps, presentAmong } from "./find-maps.ts";
import { removesPaths } from "./forget-map.ts";
import { type Rewritten, rewriteAll } from "./rewrite-all.ts";

const byHand = "on the hub, run: git reflog expire --expire=now --all && git gc --prune=now (a git host: ask its support)";

/**
 * Removes the old objects, and no others, from hubs and mirrors that are directories on this machine.
 * @param repository of a node that has applied all maps @param applied the result of that, if this process applied them
 * @returns the remaining steps on the hub, in words; null: none. Never throws
 */
export async function cleanHub(repository: Repository, config: Config, applied: Rewritten | null): Promise<string | null> {
	const left: string[] = [];
	for (const remote of [config.syncRemote, ...config.syncMirrors]) {
		const one = await cleanRemote(repository, config, remote, applied);
		if (one !== null) left.push(remote === config.syncRemote ? one : `mirror '${remote}': ${one}`);
	}
	return left.length === 0 ? null : left.join("\n");
}

/** Whether all objects of a hub are, or were, on this node: then removing those that the node dropped removes nothing else. @throws GitError */
async function hasOnly(hub: Repository, repository: Repository, { objects }: Rewritten): Promise<boolean> {
	// A pack of the same name has the same objects.
	const unknown =
		objectIds(hub, new Set(packNames(repository)), objects) ??
		Object.values(await listAllObjects(hub))
			.flat()
			.filter((oid) => !objects.has(oid));
	return (await presentAmong(repository, unknown)).size === new Set(unknown).size;
}

async function cleanRemote(repository: Repository, config: Config, remote: string, applied: Rewritten | null): Promise<string | null> {
	const directory = localHub(repository, remote);
	if (directory === null) return byHand;
	try {
		const { oid: head } = await readHead(repository);
		const { maps } = await findMaps(repository, head === null ? [] : [head], config.heartbeatKeys);
		const { stdout } = await bareRepository(repository, directory).run(["rev-parse", "--path-format=absolute", "--git-common-dir"]);
		const common = bareRepository(repository, stdout.toString("utf8").trim());
		const hub = new Repository({ ...common, env: { ...common.env, GIT_NO_REPLACE_OBJECTS: "1" } });
		const isKnown = applied !== null && (await hasOnly(hub, repository, applied));
		const { commits, dropped } = isKnown ? applied : await rewriteAll(hub, maps, await deriveValues(hub, maps), { writes: false });
		// The new history is known: it is a result, and has no removed object.
		const known = head === null || removesPaths(maps) ? [] : ["--ignore-missing", "--not", head];
		const listed = async (...options: string[]) =>
			(await hub.run(["rev-list", "--all", ...options, ...known])).stdout.toString("latin1").split("\n");
		const still = (await listed("--reflog")).find((oid) => commits.has(oid));
		if (still !== undefined)
			return `the hub has other branches or reflogs with the old history (${still.slice(0, 12)}): remove them there; then ${byHand}`;
		const reachable = new Set(await listed("--objects", "--no-object-names"));
		const gone = new OidSet(idLengthOf(hub), [], dropped.size);
		for (const oid of dropped) if (!reachable.has(oid)) gone.add(oid);
		const donor = isKnown && !(await hasOwnWay(hub)) ? repository : null;
		const left = await dropObjects(hub, gone, isKnown ? applied.packs : new Set(), donor);
		return left.length === 0 ? null : `${left.length} objects are in another repository that the hub borrows from: ${byHand}`;
	} catch {
		return byHand;
	}
}
