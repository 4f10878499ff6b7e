import { type GitPath, gitPathOf, type Oid, openMergeStore, type Repository, refTips } from "@robust-sync/git";
import { presentAmong } from "./find-maps.ts";
import { type ForgetMap, mapFile } from "./forget-map.ts";

/** Pathspecs for a line each of git's standard input, in the bytes of the path; a line feed is matched as any character. */
function specsOf(name: GitPath): string[] {
	if (!name.includes("\n")) return [`:(top,literal)${name}`];
	const pattern = name.replaceAll(/[\\*?[\]]/g, "\\$&").replaceAll("\n", "?");
	return [`:(top,glob)${pattern}`, `:(top,glob)${pattern}/**`];
}

/** @throws GitError */
async function list(
	store: Repository,
	options: readonly string[],
	revisions: readonly string[],
	specs: readonly string[] = [],
): Promise<Oid[]> {
	const lines = [...revisions, ...(specs.length === 0 ? [] : ["--", ...specs]), ""];
	const { stdout } = await store.run(["rev-list", "--ignore-missing", ...options, "--stdin"], {
		input: Buffer.from(lines.join("\n"), "latin1"),
	});
	return stdout.toString("latin1").split("\n").filter(Boolean);
}

/** The commit of a history that brought a map; null: none did. @param store as openMergeStore has it @throws GitError */
export async function commitOfMap(store: Repository, id: string, tip: Oid): Promise<Oid | null> {
	return (await list(store, ["--full-history", "--topo-order"], [tip], specsOf(gitPathOf(mapFile(id))))).at(-1) ?? null;
}

/**
 * Whether refs, or an incoming tip, have commits of an old history with a forgotten path. The listed blobs alone are no sign of it: they may be at
 * another path, and stay there. A node that lags behind lacks the tip from which the map was made, and has old commits even so.
 * @param tip with the maps in its history @param cleanFor a commit whose history has no such commit for a map; null: none is known
 * @throws GitError
 */
export async function hasOldPaths(
	repository: Repository,
	maps: readonly ForgetMap[],
	tip: Oid,
	cleanFor: (map: ForgetMap) => Oid | null,
): Promise<boolean> {
	const store = openMergeStore(repository);
	let refs: readonly Oid[] | null = null;
	for (const map of maps) {
		const { id, paths } = map;
		const old = paths.flatMap(({ blobs }) => blobs);
		if ((await presentAmong(repository, old)).size === 0) continue;
		const added = await commitOfMap(store, id, tip);
		if (added === null) continue;
		refs ??= await refTips(repository);
		const examined = cleanFor(map);
		const since = [...refs, tip, `^${added}`, ...(examined === null ? [] : [`^${examined}`])];
		const touching = await list(
			store,
			["--full-history"],
			since,
			paths.flatMap(({ path }) => specsOf(path)),
		);
		if (touching.length === 0) continue;
		const later = new Set(await list(store, ["--ancestry-path"], [...refs, tip, `^${added}`]));
		if (touching.some((commit) => !later.has(commit))) return true;
	}
	return false;
}
