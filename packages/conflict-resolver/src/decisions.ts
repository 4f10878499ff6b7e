import {
	type DiskFile,
	type GitPath,
	type Oid,
	openMergeStore,
	type Repository,
	readDiskFile,
	type Stages,
	type TreeEntry,
	withObjectReader,
} from "@robust-sync/git";
import { hasConflictMarkers, markerLines } from "./conflict-markers.ts";
import { automaticMerge } from "./operation-state.ts";

/** A path that a person has resolved by hand, without `git add`. */
export interface Decision {
	readonly path: GitPath;
	readonly winner: "merged" | "ours" | "theirs";
}

function isOneOf({ oid }: DiskFile, { base, first, second }: Stages): boolean {
	return [base, first, second].some((entry) => entry?.oid === oid);
}

/** The unmerged paths with conflict markers left on disk. Lines of a version that only look like them are text. */
async function halfEdited(
	repository: Repository,
	suspects: ReadonlyMap<GitPath, { disk: DiskFile; stages: Stages }>,
): Promise<Set<GitPath>> {
	const found = new Set<GitPath>();
	if (suspects.size === 0) return found;
	const versions = new Map<GitPath, Buffer[]>();
	const wanted = [...suspects].flatMap(([path, { stages }]) =>
		[stages.base, stages.first, stages.second].flatMap((entry: TreeEntry | null) =>
			entry && entry.mode !== "160000" ? [{ path, oid: entry.oid }] : [],
		),
	);
	await withObjectReader(openMergeStore(repository), (reader) =>
		reader.each(
			wanted.map(({ oid }) => oid),
			(_info, content, index) => {
				const path = wanted[index]!.path;
				// Only the relevant lines are kept.
				const lines = content ? Buffer.from(markerLines(content).join("\n"), "latin1") : Buffer.alloc(0);
				versions.set(path, [...(versions.get(path) ?? []), lines]);
			},
		),
	);
	for (const [path, { disk }] of suspects) if (hasConflictMarkers(disk.content, versions.get(path) ?? [])) found.add(path);
	return found;
}

/**
 * The unmerged paths that a person has resolved in the working tree: edited after the merge began, and no conflict markers left.
 * @param beganAt when git stopped, milliseconds since the epoch
 */
export async function findDecisions(repository: Repository, unmerged: ReadonlyMap<GitPath, Stages>, beganAt: number): Promise<Decision[]> {
	const automatic = automaticMerge(repository);
	const paths = [...unmerged.keys()];
	const automaticOids = new Map<GitPath, Oid>();
	if (automatic !== null) {
		await withObjectReader(openMergeStore(repository), async (reader) => {
			const infos = await reader.infos(paths.map((path) => Buffer.concat([Buffer.from(`${automatic}:`), Buffer.from(path, "latin1")])));
			for (const [index, info] of infos.entries()) if (info) automaticOids.set(paths[index]!, info.oid);
		});
	}
	const edited: { path: GitPath; disk: Omit<DiskFile, "content">; stages: Stages }[] = [];
	const suspects = new Map<GitPath, { disk: DiskFile; stages: Stages }>();
	for (const [path, stages] of unmerged) {
		const disk = readDiskFile(repository, path);
		if (!disk) continue;
		const automaticOid = automaticOids.get(path);
		const asGitLeftIt = automaticOid === undefined ? isOneOf(disk, stages) : automaticOid === disk.oid;
		if (asGitLeftIt && disk.mtimeMs <= beganAt) continue;
		const { content, ...rest } = disk;
		edited.push({ path, disk: rest, stages });
		if (markerLines(content).length > 0) suspects.set(path, { disk, stages });
	}
	const unfinished = await halfEdited(repository, suspects);
	return edited
		.filter(({ path }) => !unfinished.has(path))
		.map(({ path, disk, stages }) => ({
			path,
			winner: disk.oid === stages.first?.oid ? "ours" : disk.oid === stages.second?.oid ? "theirs" : "merged",
		}));
}
