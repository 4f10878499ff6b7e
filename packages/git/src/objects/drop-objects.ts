import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Oid, Repository } from "../process/repository.ts";
import { type GcLock, lockGc } from "./gc-lock.ts";
import { mayWriteLoose, objectsDirectory } from "./loose-objects.ts";
import { idLengthOf } from "./object-id.ts";
import { hasObjectsAside, ObjectsAside, putBackLeftovers } from "./objects-aside.ts";
import { OidSet } from "./oid-set.ts";
import { eachIdOfPack } from "./pack-index.ts";
import { packWithout } from "./pack-without.ts";
import { removeCommitGraph } from "./repair.ts";

const packIndex = /^pack-[0-9a-f]+\.idx$/;

/** The names of a repository's packs, without those that it borrows. @throws the file system's error */
export function packNames(repository: Repository): string[] {
	const packs = path.join(objectsDirectory(repository), "pack");
	const names = existsSync(packs) ? readdirSync(packs).filter((name) => packIndex.test(name)) : [];
	return names.map((name) => name.slice(0, -".idx".length));
}

/**
 * The ids of a repository's objects, reachable or not, read from its files: no process is started.
 * @param without names of packs that are left out @param known ids that are left out
 * @returns null: it borrows objects from another repository, and git has to list them
 * @throws the file system's error
 */
export function objectIds(repository: Repository, without: ReadonlySet<string>, known: OidSet): Oid[] | null {
	const objects = objectsDirectory(repository);
	if (existsSync(path.join(objects, "info/alternates")) || repository.env.GIT_ALTERNATE_OBJECT_DIRECTORIES !== undefined) return null;
	const idLength = idLengthOf(repository);
	const found: Oid[] = [];
	for (const name of packNames(repository)) {
		if (without.has(name)) continue;
		eachIdOfPack(path.join(objects, "pack", `${name}.idx`), idLength, (content, offset) => {
			if (!known.hasAt(content, offset)) found.push(content.toString("hex", offset, offset + idLength));
		});
	}
	found.push(...looseIds(repository).filter((oid) => !known.has(oid)));
	return found;
}

/** The ids of a repository's objects that are in no pack. @throws the file system's error */
export function looseIds(repository: Repository): Oid[] {
	const objects = objectsDirectory(repository);
	return readdirSync(objects)
		.filter((start) => looseDirectory.test(start))
		.flatMap((start) => readdirSync(path.join(objects, start)).map((rest) => start + rest))
		.filter((name) => /^[0-9a-f]+$/.test(name) && name.length === 2 * idLengthOf(repository));
}

const looseDirectory = /^[0-9a-f]{2}$/;

/** Objects that nothing in the repository needs. */
export interface Unneeded {
	readonly oids: OidSet;
	/** Commits whose history has none of them, and is not examined again. */
	readonly clean: readonly Oid[];
}

/** What a removal of objects is allowed to do. */
export interface DropRules {
	/** Names of packs that have none of them. */
	readonly without?: ReadonlySet<string>;
	/** Called when they are out of git's sight. */
	readonly whenAside?: () => void;
	/** The longest wait for a garbage collection, milliseconds. */
	readonly waitMs?: number;
}

/**
 * The end of a removal. `needed`: a ref refers to some of them again, so nothing was removed; `busy`: a garbage collection, or a push of such an object, runs, so
 * some may still be there. Elsewhere: those in another repository that this one borrows from.
 */
export interface DropEnd {
	readonly kind: "dropped" | "needed" | "busy";
	readonly elsewhere: readonly Oid[];
}

const pollMs = 100;

/** What git writes into the `.keep` file of a pack until a ref refers to it (git-index-pack(1), --keep). */
const receiving = /^(?:receive|fetch)-pack \d+ on /;
/** One that is older was left by a process that is gone. */
const receivingMs = 3_600_000;

/** Whether a push or fetch has brought a pack, and has not moved its refs yet. */
function isReceiving(packs: string, name: string): boolean {
	const file = path.join(packs, `${name}.keep`);
	try {
		return receiving.test(readFileSync(file, "latin1")) && Date.now() - statSync(file).mtimeMs < receivingMs;
	} catch {
		return false;
	}
}

/** The packs with some of the objects, and how many others are in each. */
function packsWith(
	repository: Repository,
	oids: OidSet,
	without: ReadonlySet<string>,
): { packs: { readonly name: string; readonly others: number }[]; isBusy: boolean } {
	const directory = path.join(objectsDirectory(repository), "pack");
	const found = { packs: [] as { name: string; others: number }[], isBusy: false };
	for (const name of packNames(repository)) {
		if (without.has(name)) continue;
		let others = 0;
		let isAffected = false;
		eachIdOfPack(path.join(directory, `${name}.idx`), idLengthOf(repository), (content, offset) => {
			if (oids.hasAt(content, offset)) isAffected = true;
			else others++;
		});
		if (!isAffected) continue;
		if (isReceiving(directory, name)) found.isBusy = true;
		else found.packs.push({ name, others });
	}
	return found;
}

/** Makes packs of what stays of some. @returns their names @throws GitError, the file system's error */
async function packsOfRest(repository: Repository, names: readonly string[], gone: OidSet): Promise<string[]> {
	const directory = path.join(objectsDirectory(repository), "pack");
	const made: string[] = [];
	for (const name of names) {
		const isPromised = existsSync(path.join(directory, `${name}.promisor`));
		const own = isPromised || !mayWriteLoose(repository) ? null : await packWithout(repository, directory, name, gone);
		if (own !== null) {
			made.push(own);
			continue;
		}
		const rest: Oid[] = [];
		eachIdOfPack(path.join(directory, `${name}.idx`), idLengthOf(repository), (content, offset) => {
			if (!gone.hasAt(content, offset)) rest.push(content.toString("hex", offset, offset + idLengthOf(repository)));
		});
		made.push(await packOf(repository, rest, isPromised));
	}
	return made;
}

/**
 * Removes the listed objects from the repository's own object directory, and nothing else: what else is in a pack with one of them is in a new
 * pack before the old one goes, reachable or not; packs that come meanwhile stay as they are. The objects are aside first, and come back if a ref,
 * reflog or index needs one by now. A process that reads an old pack meanwhile can still read it. Killed at any point, a further call continues.
 * @throws GitError, the file system's error; all of them are there then, or a further call continues
 */
export async function dropObjects(
	repository: Repository,
	{ oids, clean }: Unneeded,
	{ without = new Set(), whenAside, waitMs = 0 }: DropRules = {},
): Promise<DropEnd> {
	if (oids.size === 0 && !hasObjectsAside(repository)) return { kind: "dropped", elsewhere: [] };
	const lock = await waitForGcLock(repository, waitMs);
	if (lock === null) return { kind: "busy", elsewhere: [] };
	try {
		putBackLeftovers(repository);
		const { packs, isBusy } = packsWith(repository, oids, without);
		const names = packs.map(({ name }) => name);
		const before = new Set(packNames(repository));
		const staying = packs.filter(({ others }) => others > 0).map(({ name }) => name);
		for (const name of await packsOfRest(repository, staying, oids)) before.add(name);
		const aside = new ObjectsAside(repository);
		try {
			aside.take([...filesOfPacks(repository, names), ...looseOf(repository, oids)]);
			removeCommitGraph(repository);
			whenAside?.();
			if ((await neededAmong(repository, oids, clean, { isStrict: true })).size > 0) {
				aside.putBack();
				return { kind: "needed", elsewhere: [] };
			}
		} catch (error) {
			aside.putBack();
			throw error;
		}
		aside.remove();
		// Another process has packed them again, or a push has brought them.
		const isBack = packsWith(repository, oids, before).packs.length > 0 || looseOf(repository, oids).length > 0;
		return { kind: isBusy || isBack ? "busy" : "dropped", elsewhere: await borrowedAmong(repository, oids) };
	} finally {
		lock.release();
	}
}

async function waitForGcLock(repository: Repository, waitMs: number): Promise<GcLock | null> {
	const started = performance.now();
	for (;;) {
		const lock = lockGc(repository);
		if (lock !== null || performance.now() - started >= waitMs) return lock;
		await sleep(pollMs);
	}
}

/** The files of packs, and of the list of packs, which names them, below the directory of objects. @throws the file system's error */
function filesOfPacks(repository: Repository, names: readonly string[]): string[] {
	if (names.length === 0) return [];
	const wanted = new Set(names);
	return readdirSync(path.join(objectsDirectory(repository), "pack"), { recursive: true, encoding: "utf8" })
		.filter((file) => file.startsWith("multi-pack-index") || wanted.has(file.slice(0, Math.max(0, file.lastIndexOf(".")))))
		.map((file) => path.join("pack", file))
		.filter((file) => statSync(path.join(objectsDirectory(repository), file), { throwIfNoEntry: false })?.isFile());
}

/** Loose objects of these, below the directory of objects. @throws the file system's error */
function looseOf(repository: Repository, oids: OidSet): string[] {
	return looseIds(repository)
		.filter((oid) => oids.has(oid))
		.map((oid) => path.join(oid.slice(0, 2), oid.slice(2)));
}

/** Those that the repository borrows from another one. @throws GitError */
async function borrowedAmong(repository: Repository, oids: OidSet): Promise<Oid[]> {
	if (!existsSync(path.join(objectsDirectory(repository), "info/alternates"))) return [];
	// Lists all objects: asked about a missing object, git would search all of its packs again, for each one.
	return Object.values(await listAllObjects(repository))
		.flat()
		.filter((oid) => oids.has(oid));
}

/** Makes a pack of some objects. @returns its name @throws GitError, the file system's error */
async function packOf(repository: Repository, oids: readonly Oid[], isPromised: boolean): Promise<string> {
	const packs = path.join(objectsDirectory(repository), "pack");
	// Deltas are taken over; to look for new ones is left to the next maintenance.
	const args = ["pack-objects", "-q", "--window=0", "--delta-base-offset", ...(isPromised ? ["--missing=allow-any"] : [])];
	const { stdout } = await repository.run([...args, path.join(packs, "pack")], { input: `${oids.join("\n")}\n` });
	const made = `pack-${stdout.toString("latin1").trim()}`;
	if (isPromised) writeFileSync(path.join(packs, `${made}.promisor`), "");
	return made;
}

/** The objects to which every ref, and HEAD, refers now. @throws GitError */
export async function refTips(repository: Repository): Promise<Oid[]> {
	const { stdout } = await repository.run(["for-each-ref", "--format=%(objectname)"]);
	const head = await repository.run(["rev-parse", "--verify", "--quiet", "HEAD"], { accept: [0, 1, 128] });
	return [...new Set(`${stdout.toString("latin1")}${head.stdout.toString("latin1")}`.split("\n").filter(Boolean))];
}

/**
 * Divides objects into those that refs, reflogs or the index need now, and the others.
 * @param clean commits whose history has none of them, and is not examined @throws GitError
 */
export async function unneededAmong(
	repository: Repository,
	oids: OidSet,
	clean: readonly Oid[],
): Promise<Unneeded & { readonly needed: ReadonlySet<Oid> }> {
	const tips = await refTips(repository);
	const needed = await neededAmong(repository, oids, clean, { also: tips });
	let rest = oids;
	if (needed.size > 0) {
		rest = new OidSet(idLengthOf(repository), [], oids.size);
		for (const oid of oids) if (!needed.has(oid)) rest.add(oid);
	}
	return { oids: rest, clean: [...clean, ...tips], needed };
}

/**
 * The ones of some objects that refs, reflogs or the index need.
 * @param clean whose history has none of them, and is not examined @param also more commits that need what they refer to
 * @param isStrict whether something that is missing is a failure
 * @throws GitError
 */
async function neededAmong(
	repository: Repository,
	oids: OidSet,
	clean: readonly Oid[],
	{ also = [], isStrict = false }: { readonly also?: readonly Oid[]; readonly isStrict?: boolean } = {},
): Promise<Set<Oid>> {
	const needed = new Set<Oid>();
	let rest = "";
	// A missing one has a mark before its id (git-rev-list(1), --missing=print).
	const take = (line: string) => {
		const oid = line.startsWith("?") ? line.slice(1) : line;
		if (oids.has(oid)) needed.add(oid);
	};
	const options = ["--all", "--reflog", ...(isStrict ? [] : ["--ignore-missing"])];
	await repository.run(["rev-list", "--objects", "--no-object-names", "--missing=print", ...options, "--stdin"], {
		input: [...also, ...clean.map((oid) => `^${oid}`), ""].join("\n"),
		onOutput: (chunk) => {
			const lines = (rest + chunk.toString("latin1")).split("\n");
			rest = lines.pop() ?? "";
			for (const line of lines) take(line);
		},
	});
	take(rest);
	if (existsSync(path.join(repository.gitDirectory, "index"))) {
		const { stdout } = await repository.run(["ls-files", "--stage", "-z"]);
		for (const record of stdout.toString("latin1").split("\0")) take(record.split(" ", 2)[1] ?? "");
	}
	return needed;
}

/** The ids of objects by their types. */
export type ObjectsByType = Readonly<Record<"commit" | "tree" | "blob" | "tag", readonly Oid[]>>;

/** Every object of a repository, reachable or not, by type. @throws GitError */
export async function listAllObjects(repository: Repository): Promise<ObjectsByType> {
	const found: Record<keyof ObjectsByType, Oid[]> = { commit: [], tree: [], blob: [], tag: [] };
	const { commit, tree, blob, tag } = found;
	let rest = "";
	await repository.run(["cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname) %(objecttype)"], {
		onOutput: (chunk) => {
			const text = rest + chunk.toString("latin1");
			let start = 0;
			for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
				const space = text.indexOf(" ", start);
				const type = text.slice(space + 1, end);
				const list = type === "blob" ? blob : type === "tree" ? tree : type === "commit" ? commit : type === "tag" ? tag : null;
				list?.push(text.slice(start, space));
				start = end + 1;
			}
			rest = text.slice(start);
		},
	});
	return found;
}

/** All ids of a listing. */
export function* idsOf({ commit, tree, blob, tag }: ObjectsByType): Generator<Oid> {
	for (const oids of [commit, tree, blob, tag]) yield* oids;
}

/** How many these are. */
const countOf = ({ commit, tree, blob, tag }: ObjectsByType): number => commit.length + tree.length + blob.length + tag.length;

/**
 * Every object of a repository, by type and as a set with room for as many again. The set is read from the files: most ids need no conversion.
 * @throws GitError
 */
export async function listWithSet(repository: Repository): Promise<{ readonly objects: ObjectsByType; readonly all: OidSet }> {
	const early = readIds(repository);
	const objects = await listAllObjects(repository);
	const count = countOf(objects);
	// Those that are borrowed, or came meanwhile, are missing.
	const all = early?.size === count ? early : new OidSet(idLengthOf(repository), idsOf(objects), 2 * count);
	return { objects, all };
}

/** The ids of its own objects, as its files have them; null: another process packs them meanwhile. */
function readIds(repository: Repository): OidSet | null {
	const idLength = idLengthOf(repository);
	const packs = path.join(objectsDirectory(repository), "pack");
	try {
		const indexes = packNames(repository).map((name) => path.join(packs, `${name}.idx`));
		const bytes = indexes.reduce((sum, file) => sum + statSync(file).size, 0);
		// An id has an entry of at least eight bytes beside it; the set grows if these are more.
		const ids = new OidSet(idLength, looseIds(repository), Math.ceil((2 * bytes) / (idLength + 8)));
		for (const file of indexes) eachIdOfPack(file, idLength, (content, offset) => ids.addAt(content, offset));
		return ids;
	} catch {
		return null;
	}
}

/**
 * Some commits and those before them, parents before their children. Those that are not there are left out.
 * @param known commits that are left out with those before them @throws GitError
 */
export async function inOrder(repository: Repository, commits: readonly Oid[], known: readonly Oid[] = []): Promise<Oid[]> {
	if (commits.length === 0) return [];
	const { stdout } = await repository.run(["rev-list", "--topo-order", "--reverse", "--ignore-missing", "--stdin"], {
		input: [...commits, ...known.map((oid) => `^${oid}`), ""].join("\n"),
	});
	return stdout.toString("latin1").split("\n").filter(Boolean);
}
