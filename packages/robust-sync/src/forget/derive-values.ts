import { type ObjectReader, type Oid, type Repository, WorkCounter, withObjectReader } from "@robust-sync/git";
import { blobId } from "./find-maps.ts";
import { type ForgetMap, mapFile, stepsOf } from "./forget-map.ts";
import { isOfPlaceholder } from "./own-text.ts";
import { type Values, withoutValues } from "./value.ts";
import { valuesBetween } from "./values-between.ts";

/** A map that is not applied: its signature is right, but its content is not a forgetting. */
export class ForgetRefusedError extends Error {
	override readonly name = "ForgetRefusedError";
}

const pairsAtOnce = 64;

const messageOf = (commit: Buffer) => {
	const at = commit.indexOf("\n\n");
	return at < 0 ? Buffer.alloc(0) : commit.subarray(at + 2);
};

/** Contents of objects that may be missing. */
async function contentsOf(reader: ObjectReader, oids: readonly Oid[]): Promise<(Buffer | null)[]> {
	const found: (Buffer | null)[] = [];
	await reader.each(oids, (_info, content) => found.push(content === null ? null : Buffer.from(content)));
	return found;
}

/**
 * The values that maps forget, from old objects that exist here and the cleaned ones. Each pair is checked: the second is the first with
 * placeholders for the value, and nothing else. Several maps may forget one value: each has placeholders of its own.
 * @param maps in the order of time
 * @param store the objects, as openMergeStore has them
 * @param applied ids of maps that this node has applied
 * @returns by the ids of the maps; a map without objects here has no entry
 * @throws ForgetRefusedError, GitError
 */
export async function deriveValues(store: Repository, maps: readonly ForgetMap[], applied?: ReadonlySet<string>): Promise<Values> {
	const ids = maps.map(({ id }) => id);
	const chains = [...stepsOf(maps, applied)];
	const whole = chains.flatMap(([before, steps]) => (steps.length > 1 ? [[before, steps.at(-1)?.after ?? before] as const] : []));
	const blobs = [...whole, ...maps.flatMap((map) => Object.entries(map.blobs))];
	const commits = maps.flatMap((map) => Object.entries(map.commits));
	const values = new Map<string, Buffer>();
	const learn = (old: Buffer, cleaned: Buffer) => {
		for (const [id, value] of valuesBetween(old, cleaned, ids) ?? []) {
			if (values.get(id)?.equals(value) === false)
				throw new ForgetRefusedError("its blobs were not cleaned of one and the same value: take the file out, and forget again");
			if (isOfPlaceholder(value, id))
				throw new ForgetRefusedError(
					`${mapFile(id)} forgets a text that is part of its own placeholder, which has no end: take that file out`,
				);
			values.set(id, value);
		}
	};
	const ordered = (): Values => new Map(ids.flatMap((id) => (values.has(id) ? [[id, values.get(id) as Buffer] as const] : [])));
	await withObjectReader(store, async (reader) => {
		const each = async (pairs: readonly (readonly [Oid, Oid])[], use: (old: Buffer, cleaned: Buffer | null, after: Oid) => void) => {
			for (let start = 0; start < pairs.length; start += pairsAtOnce) {
				const some = pairs.slice(start, start + pairsAtOnce);
				const contents = await contentsOf(reader, some.flat());
				for (const [index, [, after]] of some.entries()) {
					const old = contents[2 * index];
					if (old) use(old, contents[2 * index + 1] ?? null, after);
				}
			}
		};
		await each(blobs, (old, cleaned) => cleaned && learn(old, cleaned));
		await each(commits, (old, cleaned) => cleaned && learn(messageOf(old), messageOf(cleaned)));
		const oneOf = new Map<string, Values>([...values].map(([id, value]) => [id, new Map([[id, value]])] as const));
		for (let start = 0; start < chains.length; start += pairsAtOnce) {
			const some = chains.slice(start, start + pairsAtOnce);
			const contents = await contentsOf(
				reader,
				some.map(([before]) => before),
			);
			for (const [index, [, steps]] of some.entries()) {
				let content = contents[index] ?? null;
				for (const { id, after } of content === null ? [] : steps) {
					const value = oneOf.get(id);
					content = value === undefined || content === null ? null : resultOf(store, content, id, value, after);
					if (content === null)
						throw new ForgetRefusedError("it changes a file by more than placeholders in the place of one value: take the file out");
				}
			}
		}
	});
	return ordered();
}

/** A content without the value of one map, if that is the blob that the map lists; null: it is not. */
function resultOf(store: Repository, content: Buffer, id: string, value: Values, after: Oid): Buffer | null {
	for (const unnested of [undefined, new Set([id])]) {
		const cleaned = withoutValues(content, value, unnested);
		if (blobId(store, cleaned) === after) return cleaned;
	}
	return null;
}

/**
 * Blobs that hold a value, with their replacements: those of this node alone that no map lists.
 * @param keeps whether a blob keeps the value of a map @throws GitError
 */
export async function blobsWithValues(
	store: Repository,
	blobs: readonly Oid[],
	values: Values,
	receive: (oid: Oid, cleaned: Buffer) => void,
	keeps: (oid: Oid, id: string, content: Buffer) => boolean = () => false,
): Promise<void> {
	if (values.size === 0) return;
	const counter = new WorkCounter(store.onProgress, "searching the history", blobs.length, "objects");
	await withObjectReader(store, (reader) =>
		reader.each(blobs, (_info, content, index) => {
			counter.add();
			const oid = blobs[index] ?? "";
			if (content === null) return;
			const cleaned = withoutValues(content, values);
			if (cleaned === content) return;
			const left = new Map([...values].filter(([id]) => !keeps(oid, id, content)));
			const kept = left.size === values.size ? cleaned : withoutValues(content, left);
			if (kept !== content) receive(oid, kept);
		}),
	);
	counter.end();
}
