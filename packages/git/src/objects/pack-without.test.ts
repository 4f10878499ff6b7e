import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { packNames } from "./drop-objects.ts";
import { idLengthOf } from "./object-id.ts";
import { OidSet } from "./oid-set.ts";
import { packWithout } from "./pack-without.ts";

let scratch: Scratch;
beforeAll(() => {
	scratch = new Scratch("pack-without");
});
afterAll(() => scratch.remove());

/** Lines that differ in one place from version to version, so that git stores deltas. */
const version = (file: number, number: number): string =>
	Array.from({ length: 60 }, (_, line) => `file ${file}, line ${line}${line === number ? `, version ${number}` : ""}\n`).join("");

const versions = 12;
const files = 5;

interface Packed {
	readonly repository: Repository;
	readonly directory: string;
	readonly pack: string;
}

/** A repository with all of its history in one pack. @param isThin as a push of later commits brings it, with bases by id */
async function packed(name: string, format: "sha1" | "sha256", isThin: boolean): Promise<Packed> {
	scratch.git(scratch.directory, "init", "-q", "-b", "main", `--object-format=${format}`, name);
	const commit = (number: number) => {
		for (let file = 0; file < files; file++) scratch.write(`${name}/d${file % 2}/f${file}`, version(file, number));
		scratch.commitAll(name, `version ${number}`);
	};
	for (let number = 0; number < versions / 2; number++) commit(number);
	const first = scratch.git(name, "rev-parse", "HEAD").trim();
	for (let number = versions / 2; number < versions; number++) commit(number);
	const thin = "printf 'HEAD\\n^%s\\n' $1 | git pack-objects -q --revs --thin --stdout | git index-pack --stdin --fix-thin";
	if (isThin) scratch.script(name, [thin], [first]);
	else scratch.git(name, "repack", "-adfq", "--depth=50", "--window=50");
	const repository = await scratch.open(name);
	const directory = path.join(repository.commonDirectory, "objects/pack");
	const [only = "", ...more] = packNames(repository);
	expect(more).toEqual([]);
	return { repository, directory, pack: only };
}

function idsIn({ repository, directory }: Packed, name: string): Oid[] {
	const lines = scratch.git(repository.root, "verify-pack", "-v", path.join(directory, `${name}.idx`)).split("\n");
	return lines.filter((line) => /^[0-9a-f]{40,64} /.test(line)).map((line) => line.split(" ", 1)[0] ?? "");
}

/** Deltas of a pack. */
function deltasIn({ repository, directory }: Packed, name: string): number {
	const lines = scratch.git(repository.root, "verify-pack", "-v", path.join(directory, `${name}.idx`)).split("\n");
	return lines.filter((line) => line.split(/ +/).length === 7).length;
}

test.each([
	["sha1", false],
	["sha1", true],
	["sha256", false],
] as const)("pack without objects: %s, bases by id %s → as git indexes the rest", async (format, isThin) => {
	const one = await packed(`${format}-${isThin}`, format, isThin);
	const { repository, directory, pack } = one;
	const all = idsIn(one, pack);
	expect(deltasIn(one, pack)).toBeGreaterThan(10);
	for (const every of [1_000, 7, 3, 2]) {
		for (const [shift] of [[0], [1]] as const) {
			const gone = all.filter((_oid, index) => index % every === shift);
			const name = await packWithout(repository, directory, pack, new OidSet(idLengthOf(repository), gone));
			if (name === null) throw new Error("no pack was made");
			const left = new Set(gone);
			expect(idsIn(one, name).sort()).toEqual(all.filter((oid) => !left.has(oid)).sort());
			const index = path.join(directory, "as-git.idx");
			scratch.git(repository.root, "index-pack", "--no-rev-index", "-o", index, path.join(directory, `${name}.pack`));
			expect(fs.readFileSync(path.join(directory, `${name}.idx`)).equals(fs.readFileSync(index))).toBe(true);
			for (const end of [".idx", ".pack"]) fs.rmSync(path.join(directory, name + end));
			fs.rmSync(index);
		}
	}
	expect(fs.readdirSync(directory).filter((file) => file.startsWith("tmp"))).toEqual([]);
});

test("pack without objects: not as its index says → none is made", async () => {
	const one = await packed("wrong", "sha1", false);
	const { repository, directory, pack } = one;
	const [file, index] = [path.join(directory, `${pack}.pack`), path.join(directory, `${pack}.idx`)];
	const content = fs.readFileSync(file);
	const nothing = new OidSet(20, ["1".repeat(40)]);
	const withPack = async (bytes: Buffer) => {
		fs.rmSync(file);
		fs.writeFileSync(file, bytes);
		return await packWithout(repository, directory, pack, nothing);
	};
	expect(await withPack(content.subarray(0, content.length / 2))).toBeNull();
	for (let at = 12; at < content.length - 20; at += Math.ceil(content.length / 40)) {
		const damaged = Buffer.from(content);
		damaged[at] = (damaged[at] as number) ^ 1;
		expect([at, await withPack(damaged)]).toEqual([at, null]);
	}
	fs.writeFileSync(file, content);
	scratch.write("wrong/another", "file\n");
	scratch.commitAll("wrong", "another");
	scratch.git("wrong", "repack", "-aq");
	const other = packNames(repository).find((name) => name !== pack);
	fs.rmSync(index);
	fs.copyFileSync(path.join(directory, `${other}.idx`), index);
	expect(await withPack(content)).toBeNull();
	expect(packNames(repository).sort()).toEqual([pack, other].sort());
});

test.each(["1", "2,100"])("pack without objects: an index of version %s → left to git", async (version) => {
	const { repository, directory, pack } = await packed(`version-${version}`, "sha1", false);
	const index = path.join(directory, `${pack}.idx`);
	fs.rmSync(index);
	// After the comma: larger offsets are in the table for those of more than 31 bits.
	scratch.git(repository.root, "index-pack", `--index-version=${version}`, "-o", index, path.join(directory, `${pack}.pack`));
	expect(await packWithout(repository, directory, pack, new OidSet(20, ["1".repeat(40)]))).toBeNull();
});
