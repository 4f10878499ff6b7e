import {
	eachEntry,
	gitPathOf,
	hex,
	idLengthOf,
	type ObjectReader,
	type Oid,
	objectOid,
	openMergeStore,
	type Repository,
	readTreePaths,
	withObjectReader,
} from "@robust-sync/git";
import { type ForgetMap, forgetDirectory, inOrderOfTime, maxMaps, readMap } from "./forget-map.ts";

/** The maps in the trees of commits. */
export interface FoundMaps {
	readonly maps: readonly ForgetMap[];
	readonly refused: readonly { readonly path: string; readonly reason: string }[];
}

const maxMapBytes = 64 * 1_048_576;

/** The names and ids in the directory of maps of a commit. Nothing is read where a commit has none. */
async function listed(store: Repository, reader: ObjectReader, commit: Oid): Promise<Map<string, Oid>> {
	const entries = new Map<string, Oid>();
	const name = gitPathOf(forgetDirectory);
	const directory = (await readTreePaths(store, commit, [name])).get(name);
	if (directory?.mode !== "040000") return entries;
	const [content = Buffer.alloc(0)] = await reader.contents([directory.oid]);
	eachEntry(content, idLengthOf(store), (_isDirectory, id, nameStart, nameEnd) => {
		if (entries.size < maxMaps) entries.set(content.toString("latin1", nameStart, nameEnd), hex(id));
	});
	return entries;
}

/**
 * The maps in the trees of some commits, separated by the validity of their signatures.
 * @throws GitError
 */
export async function findMaps(repository: Repository, commits: readonly Oid[], keys: readonly string[]): Promise<FoundMaps> {
	const maps = new Map<string, ForgetMap>();
	const refused = new Map<string, string>();
	const store = openMergeStore(repository);
	await withObjectReader(store, async (reader) => {
		for (const commit of new Set(commits)) {
			const entries = [...(await listed(store, reader, commit))].filter(([name]) => name.endsWith(".json"));
			await reader.each(
				entries.map(([, oid]) => oid),
				(info, content, index) => {
					const [name = ""] = entries[index] ?? [];
					const path = `${forgetDirectory}/${Buffer.from(name, "latin1").toString("utf8")}`;
					const read = readMap(name, info?.type === "blob" ? content : null, keys);
					if (read.kind === "map") maps.set(read.map.id, read.map);
					else refused.set(path, read.reason);
				},
				maxMapBytes,
			);
		}
	});
	return { maps: inOrderOfTime([...maps.values()]), refused: [...refused].map(([path, reason]) => ({ path, reason })) };
}

/** The existing ones of some objects; an object that a remote has promised does not count. @throws GitError */
export async function presentAmong(repository: Repository, oids: readonly Oid[]): Promise<Set<Oid>> {
	if (oids.length === 0) return new Set();
	const infos = await withObjectReader(openMergeStore(repository, "present"), (reader) => reader.infos(oids));
	return new Set(oids.filter((_oid, index) => infos[index] !== null));
}

/** The id of a content as a blob. */
export const blobId = (repository: Repository, content: Buffer): Oid => objectOid({ type: "blob", content }, repository.objectFormat);

/** All objects that maps replace: none of them may exist anywhere. */
export const replacedBy = (maps: readonly ForgetMap[]): Oid[] => [
	...new Set(
		maps.flatMap(({ from, to, blobs, commits }) => [...(from === to ? [] : [from]), ...Object.keys(blobs), ...Object.keys(commits)]),
	),
];
