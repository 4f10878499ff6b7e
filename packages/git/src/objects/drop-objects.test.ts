import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { dropObjects } from "./drop-objects.ts";
import { idLengthOf } from "./object-id.ts";
import { OidSet } from "./oid-set.ts";

let scratch: Scratch;
beforeAll(() => {
	scratch = new Scratch("drop-objects");
});
afterAll(() => scratch.remove());

const packsOf = (name: string) => fs.readdirSync(scratch.path(name, ".git/objects/pack")).filter((file) => file.endsWith(".pack"));

test.each([
	["exactly what is left", [], true],
	["one object more", ["more"], false],
])("drop: a donor whose pack has %s → nothing else removed or added", async (what, more, isCopied) => {
	const [name, donor] = [`from-${what}`, `to-${what}`].map((one) => one.replaceAll(" ", "-")) as [string, string];
	const hash = (repository: string, text: string) => {
		scratch.write(`${repository}/text`, text);
		return scratch.git(repository, "hash-object", "-w", "text").trim();
	};
	for (const repository of [name, donor]) scratch.init(repository);
	const kept = ["one", "two", "three"].map((text) => hash(name, text));
	const gone = hash(name, "gone");
	const given = ["three", "two", "one", ...more].map((text) => hash(donor, text));
	const pack = (repository: string, oids: readonly string[]) => {
		scratch.write(`${repository}/list`, `${oids.join("\n")}\n`);
		scratch.git(repository, "-c", "alias.pack=!git pack-objects -q .git/objects/pack/pack <list", "pack");
		scratch.git(repository, "prune-packed", "-q");
	};
	pack(name, [...kept, gone]);
	pack(donor, given);
	const repository = await scratch.open(name);
	const dropped = new OidSet(idLengthOf(repository), [gone]);
	expect(await dropObjects(repository, dropped, new Set(), await scratch.open(donor))).toEqual([]);
	const left = scratch.git(name, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").trim().split("\n");
	expect(left.sort()).toEqual(kept.sort());
	expect(packsOf(name).length).toBe(1);
	expect(packsOf(name)[0] === packsOf(donor)[0]).toBe(isCopied);
	expect(scratch.git(name, "fsck", "--full", "--no-dangling")).toBe("");
});
