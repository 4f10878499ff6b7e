import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Oid, Repository } from "../process/repository.ts";
import { copyPacks } from "./copy-packs.ts";
import { objectsDirectory } from "./loose-objects.ts";
import { idLengthOf } from "./object-id.ts";
import type { OidSet } from "./oid-set.ts";
import { removeCommitGraph } from "./repair.ts";

/** The ids in a pack's index, in order (gitformat-pack(5), versions 1 and 2). */
interface PackIds {
	readonly content: Buffer;
	readonly count: number;
	/** Where an id begins in the content. */
	at(number: number): number;
}

/** @throws the file system's error */
function idsOfPack(index: string, idLength: number): PackIds {
	const content = readFileSync(index);
	const isNew = content.readUInt32BE(0) === 0xff744f63;
	const fanout = isNew ? 8 : 0;
	const [start, step] = isNew ? [fanout + 1024, idLength] : [1024 + 4, idLength + 4];
	return { content, count: content.readUInt32BE(fanout + 255 * 4), at: (number) => start + number * step };
}

/** Calls for each id in a pack's index, in order. @throws the file system's error */
function eachIdOfPack(index: string, idLength: number, receive: (content: Buffer, offset: number) => void): void {
	const ids = idsOfPack(index, idLength);
	for (let number = 0; number < ids.count; number++) receive(ids.content, ids.at(number));
}

/** The pack of a repository that has exactly some objects. @param oids in order */
function packWith(repository: Repository, oids: readonly Oid[]): string | null {
	const packs = path.join(objectsDirectory(repository), "pack");
	const idLength = idLengthOf(repository);
	const found = packNames(repository).find((name) => {
		if (existsSync(path.join(packs, `${name}.promisor`))) return false;
		const { content, count, at } = idsOfPack(path.join(packs, `${name}.idx`), idLength);
		return count === oids.length && oids.every((oid, number) => content.toString("hex", at(number), at(number) + idLength) === oid);
	});
	return found ?? null;
}

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

/**
 * Removes objects from the repository's own object directory, and nothing else: what else is in a pack with one of them is in a new pack
 * before the old one goes, reachable or not. Nothing may refer to them. A process that reads an old pack meanwhile can still read it.
 * @param without names of packs that have none of them
 * @param donor a repository from which a pack may be copied that has exactly what is left
 * @returns those that are still there: in another repository that this one borrows from
 * @throws GitError, the file system's error; a further call continues
 */
export async function dropObjects(
	repository: Repository,
	oids: OidSet,
	without: ReadonlySet<string> = new Set(),
	donor: Repository | null = null,
): Promise<Oid[]> {
	if (oids.size === 0) return [];
	const objects = objectsDirectory(repository);
	const packs = path.join(objects, "pack");
	const idLength = idLengthOf(repository);
	const left: Oid[] = [];
	const affected: string[] = [];
	for (const name of packNames(repository)) {
		if (without.has(name)) continue;
		const kept: Oid[] = [];
		let isAffected = false;
		eachIdOfPack(path.join(packs, `${name}.idx`), idLength, (content, offset) => {
			if (oids.hasAt(content, offset)) isAffected = true;
			else kept.push(content.toString("hex", offset, offset + idLength));
		});
		if (!isAffected) continue;
		affected.push(name);
		for (const oid of kept) left.push(oid);
	}
	if (affected.length > 0) {
		const isPromised = affected.some((name) => existsSync(path.join(packs, `${name}.promisor`)));
		const made = left.length === 0 ? "" : await packOf(repository, left, isPromised, isPromised ? null : donor);
		// It names packs that go.
		for (const name of readdirSync(packs))
			if (name.startsWith("multi-pack-index")) rmSync(path.join(packs, name), { force: true, recursive: true });
		for (const name of affected) {
			if (name === made) continue;
			// Without its index no process opens a pack any more.
			for (const end of ["idx", "bitmap", "rev", "keep", "mtimes", "promisor", "pack"])
				rmSync(path.join(packs, `${name}.${end}`), { force: true });
		}
	}
	removeLoose(objects, oids);
	removeCommitGraph(repository);
	if (!existsSync(path.join(objects, "info/alternates"))) return [];
	// Lists all objects: asked about a missing object, git would search all of its packs again, for each one.
	return Object.values(await listAllObjects(repository))
		.flat()
		.filter((oid) => oids.has(oid));
}

/** Makes a pack of some objects. @param donor a repository that may have one already @returns its name @throws GitError, the file system's error */
async function packOf(repository: Repository, oids: readonly Oid[], isPromised: boolean, donor: Repository | null): Promise<string> {
	const packs = path.join(objectsDirectory(repository), "pack");
	const same = donor === null ? null : packWith(donor, oids.toSorted());
	if (donor !== null && same !== null) {
		copyPacks(path.join(objectsDirectory(donor), "pack"), packs, [same]);
		return same;
	}
	// Deltas are taken over; to look for new ones is left to the next maintenance.
	const args = ["pack-objects", "-q", "--window=0", "--delta-base-offset", ...(isPromised ? ["--missing=allow-any"] : [])];
	const { stdout } = await repository.run([...args, path.join(packs, "pack")], { input: `${oids.join("\n")}\n` });
	const made = `pack-${stdout.toString("latin1").trim()}`;
	if (isPromised) writeFileSync(path.join(packs, `${made}.promisor`), "");
	return made;
}

/** Removes loose objects. @throws the file system's error */
function removeLoose(objects: string, oids: OidSet): void {
	for (const start of readdirSync(objects)) {
		if (!looseDirectory.test(start)) continue;
		const directory = path.join(objects, start);
		for (const rest of readdirSync(directory)) if (oids.has(start + rest)) rmSync(path.join(directory, rest), { force: true });
	}
}

/** Every object of a repository, reachable or not, by type. @throws GitError */
export async function listAllObjects(repository: Repository): Promise<Record<"commit" | "tree" | "blob" | "tag", Oid[]>> {
	const found: Record<"commit" | "tree" | "blob" | "tag", Oid[]> = { commit: [], tree: [], blob: [], tag: [] };
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
