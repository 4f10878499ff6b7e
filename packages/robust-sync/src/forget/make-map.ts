import { randomBytes } from "node:crypto";
import {
	addBlobs,
	type GitPath,
	gitPathOf,
	HistoryRewriter,
	idsOnly,
	inOrder,
	isAncestor,
	isPartialClone,
	looseIds,
	type NewHistory,
	ObjectWriter,
	type Oid,
	openMergeStore,
	packNames,
	type Repository,
	WorkCounter,
	withObjectReader,
	writeCommit,
} from "@robust-sync/git";
import { withNodeTrailer } from "@robust-sync/resolve";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { timestamp } from "@robust-sync/system/timestamps";
import type { CycleContext } from "../context/cycle-context.ts";
import { ownIdentity } from "../context/own-identity.ts";
import type { CleanedBlob } from "./announced-maps.ts";
import { hasFixedPlaces } from "./binary-value.ts";
import { blobsWithValues } from "./derive-values.ts";
import { blobId, findMaps } from "./find-maps.ts";
import { type ForgetMap, forgetDirectory, mapFile, mapText, maxMapBytes, maxMapFiles, signMap } from "./forget-map.ts";
import { isOfPlaceholder } from "./own-text.ts";
import { type MadeHistory, presentIn } from "./rewrite-all.ts";
import { type Forms, formsOf, holds, withoutValue } from "./value.ts";
import { blobsAt } from "./working-copies.ts";

/** What a person wants to be forgotten. */
export interface Wanted {
	readonly value: Buffer | null;
	readonly paths: readonly GitPath[];
}

/** A history without it. Nothing refers to it yet. */
export interface MadeMap {
	readonly map: ForgetMap;
	/** The commit that carries the map, on top of the new history; without writing: the new history itself. */
	readonly tip: Oid;
	/** The branch's commits that became other ones, parents first, and how many it has in all. */
	readonly commits: readonly Oid[];
	readonly total: number;
	/** The blobs that replace others in it. */
	readonly cleaned: readonly CleanedBlob[];
	/** Old blobs that are not text: their formats may have checksums, which do not match any more. */
	readonly binary: readonly Oid[];
	/** Where its new objects are. */
	readonly history: NewHistory;
	/** The rewritten history, so that applying the map in the same process need not compute it again. */
	readonly made: MadeHistory;
	/** What was found so far, for a map of a newer tip: bytes of new blobs by the ids of the old ones, and objects that are not text or held the value. */
	readonly found: { readonly sizes: ReadonlyMap<Oid, number>; readonly binary: ReadonlySet<Oid>; readonly messages: ReadonlySet<Oid> };
}

export const shallowRemedy = "this repository is a shallow clone, which lacks the commits to rewrite: run 'git fetch --unshallow'";
const partialRemedy =
	"this repository is a partial clone, which lacks contents to search: run it on a node with a whole clone; this one does the same with its next cycle";

/** A history that is not completely here cannot be searched. @throws CommandError */
function requireWhole(repository: Repository): void {
	if (repository.isShallow) throw new CommandError(shallowRemedy, ExitCode.failed);
	if (isPartialClone(repository)) throw new CommandError(partialRemedy, ExitCode.failed);
}

/** The id of a new map, in whose placeholders its value is not. */
function newId(value: Buffer | null): string {
	for (;;) {
		const id = randomBytes(6).toString("hex");
		if (value === null || !isOfPlaceholder(value, id)) return id;
	}
}

/** The last time that is written with a year of four digits, which is the form of times in maps. */
const lastMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Whether a value is in maps, which are signed, or in the trailers of every commit. @throws GitError */
async function isOurText(store: Repository, tip: Oid, forms: Forms, nodeName: string): Promise<boolean> {
	const texts = [Buffer.from(`${forgetDirectory}/${withNodeTrailer("", nodeName)}`)];
	const { stdout } = await store.run(["ls-tree", "-r", "-z", tip, "--", `${forgetDirectory}/`]);
	const oids = stdout
		.toString("latin1")
		.split("\0")
		.flatMap((record) => (record === "" ? [] : (record.slice(0, record.indexOf("\t")).split(" ")[2] ?? [])));
	await withObjectReader(store, (reader) => reader.each(oids, (_info, content) => content && texts.push(Buffer.from(content))));
	return texts.some((text) => holds(text, forms));
}

/**
 * Makes a branch's history without a value or paths, with a signed map on top.
 * @param from the tip of the branch, with all its history here
 * @param key HEARTBEAT_KEY @param writes whether anything is written, or only counted
 * @param earlier what this made of an earlier tip: if a value is forgotten, only the commits since then are rewritten
 * @returns null: the history does not contain it
 * @throws CommandError where the value is none of a person; GitError
 */
export async function makeMap(
	context: CycleContext,
	from: Oid,
	wanted: Wanted,
	key: string,
	{ writes = true, earlier = null }: { readonly writes?: boolean; readonly earlier?: MadeMap | null } = {},
): Promise<MadeMap | null> {
	const { repository, config, now } = context;
	requireWhole(repository);
	const store = openMergeStore(repository);
	const isLater = earlier !== null && wanted.paths.length === 0 && (await isAncestor(store, earlier.map.from, from));
	const { value } = wanted;
	const id = (isLater ? earlier?.map.id : undefined) ?? newId(value);
	const forms = value === null ? null : formsOf(value, id);
	if (forms !== null && (await isOurText(store, from, forms, config.nodeName)))
		throw new CommandError(
			"the value is part of what robust-sync itself writes into every history (.robust-sync/forget, trailers, names of nodes): it is no secret",
			ExitCode.usage,
		);
	// Their names come first, so that git's list includes everything in them.
	const packs = new Set(packNames(store));
	const { objects, all: present, freshBlobs, made: continued } = await presentIn(store, isLater ? (earlier?.made ?? null) : null);
	const past = continued === null ? null : earlier;
	const writer = new ObjectWriter(store, present);
	const sink = writes ? writer : idsOnly(repository.objectFormat);
	const hits = new Map<Oid, Buffer>();
	const binary = new Set<Oid>(past?.found.binary);
	if (value !== null)
		await blobsWithValues(store, freshBlobs, new Map([[id, value]]), (oid, cleaned) => {
			hits.set(oid, cleaned);
			if (hasFixedPlaces(cleaned)) binary.add(oid);
		});
	const blobs = new Map([...(past?.made.blobs ?? []), ...[...hits].map(([oid, cleaned]) => [oid, blobId(repository, cleaned)] as const)]);
	const sizes = new Map([...(past?.found.sizes ?? []), ...[...hits].map(([oid, { length }]) => [oid, length] as const)]);
	await addBlobs(sink, hits.values());
	const order = await inOrder(store, [from], past === null ? [] : [past.map.from]);
	const atPaths = wanted.paths.length === 0 ? new Map<GitPath, Set<Oid>>() : await blobsAt(store, order, wanted.paths);
	const paths = wanted.paths.map((path) => ({ path, blobs: [...(atPaths.get(path) ?? [])].sort() }));
	const messages = new Set<Oid>(past?.found.messages);
	const rule = {
		blobs,
		paths: paths.map((one) => ({ path: one.path, marker: mapFile(id), blobs: new Set(one.blobs) })),
		watched: new Set<Oid>(),
		message: (oid: Oid, message: Buffer) => {
			const cleaned = forms === null ? message : withoutValue(message, forms);
			if (cleaned !== message) messages.add(oid);
			return cleaned;
		},
	};
	const made = await withObjectReader(store, async (reader) => {
		const rewriter = new HistoryRewriter(reader, sink, rule, repository.objectFormat, past?.made.rewriter ?? null);
		const counter = new WorkCounter(store.onProgress, "rewriting the history", order.length, "commits");
		await rewriter.rewrite(order, (done) => counter.upTo(done));
		counter.end();
		await writer.flush();
		return rewriter;
	});
	const to = made.commits.get(from) ?? from;
	if (to === from) return null;
	const { met } = made;
	// Later than the ones before, independent of this node's clock: these times order the maps.
	const { maps: before, refused } = await findMaps(repository, [from], config.heartbeatKeys);
	if (before.length + refused.length >= maxMapFiles)
		throw new CommandError(
			`${forgetDirectory} has ${maxMapFiles} files or more, and the other nodes would not read one more: remove those without a valid signature (robust-sync --status), and run this again`,
			ExitCode.failed,
		);
	const newest = Math.min(lastMs, Math.max(0, ...before.map((map) => Date.parse(map.created_at) + 1)));
	const map = signMap(
		{
			schema: 1,
			id,
			created_at: timestamp(Math.max(now(), newest)),
			node: config.nodeName,
			from,
			to,
			blobs: Object.fromEntries([...blobs].filter(([oid]) => met.has(oid)).sort()),
			commits: Object.fromEntries([...messages].sort().map((oid) => [oid, made.commits.get(oid) ?? oid])),
			paths,
		},
		key,
	);
	const text = mapText(map);
	if (text.length > maxMapBytes)
		throw new CommandError(
			`the map of ${blobs.size} old versions would be larger than nodes accept: forget the file with most of them by its path first`,
			ExitCode.failed,
		);
	const subject = value === null ? `forget ${paths.length === 1 ? "a path" : `${paths.length} paths`}` : "forget a value";
	for (const name of writer.packs) packs.add(name);
	const written = new Set([...(past?.made.written ?? []), ...writer.packs]);
	const outside = new Set([...(past?.history.outside ?? []), ...writer.outside]);
	const loose = looseIds(store).filter((oid) => present.has(oid));
	const result = {
		map,
		// A copy: applying the map continues with the same rewriter, and adds commits of other branches.
		commits: [...made.commits.keys()],
		total: (past?.total ?? 0) + order.length,
		cleaned: Object.entries(map.blobs).map(([before, oid]) => ({ oid, size: sizes.get(before) ?? 0 })),
		binary: [...binary].filter((oid) => met.has(oid)),
		history: { from, to, packs: written, outside },
		made: { id, from, blobs, rewriter: made, before: objects, objects: present, packs, written, loose },
		found: { sizes, binary, messages },
	};
	if (!writes) return { ...result, tip: to };
	const { commit } = await writeCommit(store, {
		parents: [to],
		...ownIdentity(context),
		date: Math.floor(now() / 1000),
		message: Buffer.from(`${withNodeTrailer(`${config.nodeName}: ${subject}`, config.nodeName)}\n`),
		tree: null,
		changes: [{ path: gitPathOf(mapFile(id)), mode: "100644", content: text }],
	});
	return { ...result, tip: commit };
}
