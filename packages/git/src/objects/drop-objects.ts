import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Oid, Repository } from "../process/repository.ts";
import { removeCommitGraph } from "./repair.ts";

/** The ids in a pack's index (gitformat-pack(5), versions 1 and 2). */
function idsOfPack(index: string, hashLength: number): Oid[] {
	const content = readFileSync(index);
	const isNew = content.readUInt32BE(0) === 0xff744f63;
	const fanout = isNew ? 8 : 0;
	const count = content.readUInt32BE(fanout + 255 * 4);
	const [start, step, offset] = isNew ? [fanout + 1024, hashLength, 0] : [1024, hashLength + 4, 4];
	return Array.from({ length: count }, (_, at) =>
		content.toString("hex", start + at * step + offset, start + at * step + offset + hashLength),
	);
}

/**
 * Removes objects from the repository's own object directory, and nothing else: what else is in a pack with one of them is in a new pack
 * before the old one goes, reachable or not. Nothing may refer to them. A process that reads an old pack meanwhile goes on reading it.
 * @returns those that are still there: in another repository that this one borrows from
 * @throws GitError, the file system's error; called again it goes on
 */
export async function dropObjects(repository: Repository, oids: ReadonlySet<Oid>): Promise<Oid[]> {
	if (oids.size === 0) return [];
	const objects = path.join(repository.commonDirectory, "objects");
	const packs = path.join(objects, "pack");
	const hashLength = repository.objectFormat === "sha1" ? 20 : 32;
	const left = new Set<Oid>();
	const affected: string[] = [];
	const names = existsSync(packs) ? readdirSync(packs).filter((name) => /^pack-[0-9a-f]+\.idx$/.test(name)) : [];
	for (const name of names) {
		const ids = idsOfPack(path.join(packs, name), hashLength);
		if (!ids.some((id) => oids.has(id))) continue;
		affected.push(name.slice(0, -".idx".length));
		for (const id of ids) if (!oids.has(id)) left.add(id);
	}
	if (affected.length > 0) {
		const isPromised = affected.some((name) => existsSync(path.join(packs, `${name}.promisor`)));
		// Deltas are taken over; to look for new ones is left to the next maintenance.
		const args = ["pack-objects", "-q", "--window=0", "--delta-base-offset", ...(isPromised ? ["--missing=allow-any"] : [])];
		let made = "";
		if (left.size > 0) {
			const { stdout } = await repository.run([...args, path.join(packs, "pack")], { input: `${[...left].join("\n")}\n` });
			made = `pack-${stdout.toString("latin1").trim()}`;
			if (isPromised) writeFileSync(path.join(packs, `${made}.promisor`), "");
		}
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

/** Removes loose objects. @throws the file system's error */
function removeLoose(objects: string, oids: ReadonlySet<Oid>): void {
	for (const start of readdirSync(objects)) {
		if (!/^[0-9a-f]{2}$/.test(start)) continue;
		const directory = path.join(objects, start);
		for (const rest of readdirSync(directory)) if (oids.has(start + rest)) rmSync(path.join(directory, rest), { force: true });
	}
}

/** Every object of a repository, reachable or not, by type. @throws GitError */
export async function listAllObjects(repository: Repository): Promise<Record<"commit" | "tree" | "blob" | "tag", Oid[]>> {
	const found: Record<string, Oid[]> = { commit: [], tree: [], blob: [], tag: [] };
	let rest = "";
	await repository.run(["cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objecttype) %(objectname)"], {
		onOutput: (chunk) => {
			const lines = (rest + chunk.toString("latin1")).split("\n");
			rest = lines.pop() ?? "";
			for (const line of lines) {
				const [type = "", oid = ""] = line.split(" ");
				found[type]?.push(oid);
			}
		},
	});
	return found as Record<"commit" | "tree" | "blob" | "tag", Oid[]>;
}

/** Some commits, parents before their children. Those that are not there are left out. @throws GitError */
export async function inOrder(repository: Repository, commits: readonly Oid[]): Promise<Oid[]> {
	if (commits.length === 0) return [];
	const { stdout } = await repository.run(["rev-list", "--topo-order", "--reverse", "--ignore-missing", "--stdin"], {
		input: `${commits.join("\n")}\n`,
	});
	return stdout.toString("latin1").split("\n").filter(Boolean);
}
