import { createHmac, timingSafeEqual } from "node:crypto";
import { type GitPath, isGitPath } from "@robust-sync/git";
import { objectId } from "@robust-sync/workspace";
import * as z from "zod/mini";

// The content to forget, in its synced form: ids of objects and paths, never a value. It is part of the tree, in a file that is named by its id.

/** The directory of such files. */
export const forgetDirectory = ".robust-sync/forget";
/** Files in the directory of maps, signed or not: more are ignored. Everyone with push access can write them. */
export const maxMapFiles = 20_000;
/** Larger maps are refused. A pair of ids takes 90 bytes. */
export const maxMapBytes = 16 * 1_048_576;

/** The id of a map. */
export const mapId = z.string().check(z.regex(/^[0-9a-f]{12}$/));
const pairs = z.record(objectId, objectId);

const mapSchema = z.strictObject({
	schema: z.literal(1),
	/** Names the file, and is part of each placeholder. */
	id: mapId,
	created_at: z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)),
	node: z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,62}$/)),
	/** The tip of the branch, and its replacement. */
	from: objectId,
	to: objectId,
	/** Blobs that hold the value, and their versions with placeholders. */
	blobs: pairs,
	/** Commits whose messages hold it, and their replacements. */
	commits: pairs,
	/** Removed files and directories, with their blobs; a path has one character a byte. */
	paths: z.array(z.strictObject({ path: z.custom<GitPath>(isGitPath, "not a path"), blobs: z.array(objectId) })),
	/** HMAC-SHA-256 of all the rest, hexadecimal. */
	signature: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
});

/** A map in its synced form. */
export type ForgetMap = z.infer<typeof mapSchema>;
export type UnsignedMap = Omit<ForgetMap, "signature">;

/** JSON with the keys of each object in order and no white space. */
function canonical(value: unknown): string {
	if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
	if (value !== null && typeof value === "object")
		return `{${Object.entries(value)
			.sort(([a], [b]) => (a < b ? -1 : 1))
			.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`)
			.join(",")}}`;
	return JSON.stringify(value);
}

/** The purpose is part of the signed text: no datagram of a heartbeat is a map. */
const hmac = (map: UnsignedMap, key: string) =>
	createHmac("sha256", key)
		.update(`robust-sync forget 1\n${canonical(map)}`)
		.digest();

/** @param key HEARTBEAT_KEY, the newest */
export function signMap(map: UnsignedMap, key: string): ForgetMap {
	return { ...map, signature: hmac(map, key).toString("hex") };
}

/** The file of a map. */
export const mapFile = (id: string): string => `${forgetDirectory}/${id}.json`;

/** Its content. */
export const mapText = (map: ForgetMap): Buffer => Buffer.from(`${JSON.stringify(map, null, "\t")}\n`);

/** The name of a file in the directory of maps, parsed. `unsigned`: the document of a refused one, if only its signature is wrong. */
export type MapRead =
	| { readonly kind: "map"; readonly map: ForgetMap }
	| { readonly kind: "refused"; readonly reason: string; readonly unsigned?: UnsignedMap };

/**
 * Reads a map from a commit, which everyone with push access can write.
 * @param name of its file @param keys any of which may have signed it
 */
export function readMap(name: string, content: Buffer | null, keys: readonly string[]): MapRead {
	const refused = (reason: string) => ({ kind: "refused", reason }) as const;
	if (content === null || content.length > maxMapBytes) return refused("it is too large");
	let parsed: ReturnType<typeof mapSchema.safeParse>;
	try {
		parsed = mapSchema.safeParse(JSON.parse(content.toString("utf8")));
	} catch {
		return refused("it is not JSON");
	}
	if (!parsed.success) return refused("it is not a map of what to forget");
	const map = parsed.data;
	if (name !== `${map.id}.json`) return refused("its name is not its id");
	const { signature, ...unsigned } = map;
	const notSigned = (reason: string) => ({ ...refused(reason), unsigned });
	if (keys.length === 0) return notSigned("this node has no HEARTBEAT_KEY to check its signature with: set the one of the other nodes");
	const given = Buffer.from(signature, "hex");
	if (!keys.some((key) => timingSafeEqual(hmac(unsigned, key), given)))
		return notSigned("its signature is not of this node's HEARTBEAT_KEY: take the file out, or give all nodes the same key");
	return { kind: "map", map };
}

/** Maps in the order in which they were made. */
export const inOrderOfTime = (maps: readonly ForgetMap[]): ForgetMap[] =>
	[...maps].sort((a, b) => (a.created_at === b.created_at ? (a.id < b.id ? -1 : 1) : a.created_at < b.created_at ? -1 : 1));

/** Whether any map removes files by their paths: the new history may then have objects that another map removes. */
export const removesPaths = (maps: readonly ForgetMap[]): boolean => maps.some(({ paths }) => paths.length > 0);

/** Whether a map replaces a value. */
export const removesValue = ({ blobs, commits }: ForgetMap): boolean => Object.keys(blobs).length + Object.keys(commits).length > 0;

/** One replacement of a blob, by one map. */
export interface Step {
	readonly id: string;
	readonly after: string;
}

/**
 * What becomes of every blob that maps list, map by map: one that a map has cleaned may hold what a later one forgets. Where several maps list a blob, the first
 * one counts that this node has not applied: the blob came again after the others.
 * @param maps in the order of time @param applied ids of maps that this node has applied
 */
export function stepsOf(maps: readonly ForgetMap[], applied: ReadonlySet<string> = new Set()): Map<string, readonly Step[]> {
	const lists = new Map<string, (Step & { readonly at: number })[]>();
	for (const [at, { id, blobs }] of maps.entries())
		for (const [before, after] of Object.entries(blobs)) {
			const list = lists.get(before);
			if (list === undefined) lists.set(before, [{ id, after, at }]);
			else list.push({ id, after, at });
		}
	const found = new Map<string, readonly Step[]>();
	for (const [before, list] of lists) {
		const steps: Step[] = [];
		for (let step = list.find(({ id }) => !applied.has(id)) ?? list[0]; step !== undefined; ) {
			const { at, after } = step;
			steps.push(step);
			step = lists.get(after)?.find((next) => next.at > at);
		}
		found.set(before, steps);
	}
	return found;
}

/** Blobs that maps list, and what takes their place in the end. @param chains from {@link stepsOf} */
export function blobsOf(chains: ReadonlyMap<string, readonly Step[]>): Map<string, string> {
	const found = new Map<string, string>();
	for (const [before, steps] of chains) {
		const after = steps.at(-1)?.after ?? before;
		if (after !== before) found.set(before, after);
	}
	return found;
}
