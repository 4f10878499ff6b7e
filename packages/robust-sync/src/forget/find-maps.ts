import { createHash } from "node:crypto";
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
import {
	type ForgetMap,
	forgetDirectory,
	inOrderOfTime,
	type MapRead,
	maxMapBytes,
	maxMapFiles,
	readMap,
	type UnsignedMap,
} from "./forget-map.ts";

/** The maps in the trees of commits. */
export interface FoundMaps {
	readonly maps: readonly ForgetMap[];
	readonly refused: readonly RefusedMap[];
}

/** A map that is not applied. */
export interface RefusedMap {
	readonly path: string;
	readonly reason: string;
	/** All objects that it would replace or remove; absent: not known, or too many. */
	readonly replaces?: readonly Oid[];
}

/** Everyone with push access can write maps, and reading a large one takes seconds: after this many bytes without a valid signature, only small ones are read. */
const maxRefusedBytes = 4 * 1_048_576;
const smallBytes = 16_384;

/** Of refused maps, the ids of at most this many objects are remembered. */
const maxRefusedIds = 10_000;

type Read = Extract<MapRead, { kind: "map" }> | { readonly kind: "refused"; readonly reason: string; readonly replaces?: readonly Oid[] };

/** Maps that a process has read, by their ids, names and the keys then. */
export type KnownMaps = Map<string, Read>;

/** The names and ids in the directory of maps of a commit. Nothing is read where a commit has none. */
async function listed(store: Repository, reader: ObjectReader, commit: Oid): Promise<Map<string, Oid>> {
	const entries = new Map<string, Oid>();
	const name = gitPathOf(forgetDirectory);
	const directory = (await readTreePaths(store, commit, [name])).get(name);
	if (directory?.mode !== "040000") return entries;
	const [content = Buffer.alloc(0)] = await reader.contents([directory.oid]);
	eachEntry(content, idLengthOf(store), (_isDirectory, id, nameStart, nameEnd) => {
		if (entries.size < maxMapFiles) entries.set(content.toString("latin1", nameStart, nameEnd), hex(id));
	});
	return entries;
}

/**
 * The maps in the trees of some commits, separated by the validity of their signatures.
 * @param known those of the last call with other commits, which are not read again; receives those of this one
 * @throws GitError
 */
export async function findMaps(
	repository: Repository,
	commits: readonly Oid[],
	keys: readonly string[],
	known: KnownMaps = new Map(),
): Promise<FoundMaps> {
	const maps = new Map<string, ForgetMap>();
	const refused = new Map<string, RefusedMap>();
	const store = openMergeStore(repository);
	const byKeys = createHash("sha256").update(keys.join("\n")).digest("hex");
	const met: KnownMaps = new Map();
	let refusedBytes = 0;
	let refusedIds = 0;
	const withoutContent = (read: MapRead): Read => {
		if (read.kind === "map") return read;
		const { reason, unsigned } = read;
		const replaces = unsigned === undefined ? [] : [...replacedBy([unsigned]), ...unsigned.paths.flatMap(({ blobs }) => blobs)];
		return { kind: "refused", reason, ...(replaces.length > 0 && refusedIds + replaces.length <= maxRefusedIds ? { replaces } : {}) };
	};
	await withObjectReader(store, async (reader) => {
		for (const commit of new Set(commits)) {
			const entries = [...(await listed(store, reader, commit))].filter(([name]) => name.endsWith(".json"));
			const nameOf = ([name, oid]: readonly [string, Oid]) => `${oid} ${byKeys} ${name}`;
			const take = (name: string, read: Read) => {
				const path = `${forgetDirectory}/${Buffer.from(name, "latin1").toString("utf8")}`;
				if (read.kind === "map") maps.set(read.map.id, read.map);
				else {
					const { reason, replaces } = read;
					refused.set(path, { path, reason, ...(replaces === undefined ? {} : { replaces }) });
					refusedIds += replaces?.length ?? 0;
				}
			};
			const unread: (readonly [string, Oid])[] = [];
			for (const entry of entries) {
				const read = known.get(nameOf(entry)) ?? met.get(nameOf(entry));
				if (read === undefined) unread.push(entry);
				else {
					met.set(nameOf(entry), read);
					take(entry[0], read);
				}
			}
			await reader.each(
				unread.map(([, oid]) => oid),
				(info, content, index) => {
					const entry = unread[index];
					if (entry === undefined) return;
					if (content !== null && refusedBytes > maxRefusedBytes && content.length > smallBytes) {
						take(entry[0], { kind: "refused", reason: "it is not read, because others have no valid signature: take those out" });
						return;
					}
					const read = withoutContent(readMap(entry[0], info?.type === "blob" ? content : null, keys));
					if (read.kind === "refused") refusedBytes += content?.length ?? 0;
					met.set(nameOf(entry), read);
					take(entry[0], read);
				},
				maxMapBytes,
			);
		}
	});
	known.clear();
	for (const [name, read] of met) known.set(name, read);
	return { maps: inOrderOfTime([...maps.values()]), refused: [...refused.values()] };
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
export const replacedBy = (maps: readonly UnsignedMap[]): Oid[] => [
	...new Set(
		maps.flatMap(({ from, to, blobs, commits }) => [...(from === to ? [] : [from]), ...Object.keys(blobs), ...Object.keys(commits)]),
	),
];
