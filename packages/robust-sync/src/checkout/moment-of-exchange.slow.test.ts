import fs from "node:fs";
import { expect, test } from "@jest/globals";
import { World } from "../testing/explore/world.ts";

test.each([
	["JSON", "state.json", (...words: string[]) => `${JSON.stringify(Object.fromEntries(words.map((word) => [word, 1])), null, "\t")}\n`],
	["notes", "notes.md", (...words: string[]) => words.map((word) => `The line of ${word}.\n\n`).join("")],
	["records", "all.jsonl", (...words: string[]) => words.map((word) => `${JSON.stringify({ word })}\n`).join("")],
])("cycle: %s from before an earlier checkout, a moment before a swap → nothing lost", async (_kind, name, make) => {
	const nodes = new World();
	const link = fs.linkSync;
	try {
		const arrives = async (...words: string[]) => {
			nodes.commitOnHub(new Map([[name, Buffer.from(make(...words))]]));
			await nodes.cycle("here");
		};
		await arrives("theirs");
		await arrives("theirs", "one");
		let isMade = false;
		fs.linkSync = (from, to) => {
			const isBefore = !isMade && to.toString().endsWith(`/files/${name}`);
			if (isBefore) fs.writeFileSync(nodes.path("aside"), make("theirs", "mine"));
			if (isBefore) fs.renameSync(nodes.path("aside"), nodes.path(`here/${name}`));
			isMade ||= isBefore;
			link(from, to);
		};
		await arrives("theirs", "one", "two");
		expect(isMade).toBe(true);
		const counts = (node: string) => ["theirs", "one", "two", "mine"].map((word) => nodes.read(`${node}/${name}`).split(word).length - 1);
		expect(counts("here")).toEqual([1, 1, 1, 1]);
		expect(await nodes.settle()).toEqual([]);
		expect(nodes.problems()).toEqual([]);
	} finally {
		fs.linkSync = link;
		await nodes.remove();
	}
});

test("cycle: a write a moment before the swap → at its path when the cycle is over", async () => {
	const nodes = new World();
	const link = fs.linkSync;
	try {
		const content = (...words: string[]) => Buffer.from(words.map((word) => `The line of ${word}.\n\n`).join(""));
		nodes.commitOnHub(new Map([["notes.md", content("theirs")]]));
		await nodes.cycle("here");
		nodes.commitOnHub(new Map([["notes.md", content("theirs", "new")]]));
		let isMade = false;
		fs.linkSync = (from, to) => {
			const isBefore = !isMade && /\/sync\/backups\/[^/]*\/files\/notes\.md$/.test(to.toString());
			if (isBefore) fs.appendFileSync(nodes.path("here/notes.md"), content("mine"));
			isMade ||= isBefore;
			link(from, to);
		};
		await nodes.cycle("here");
		expect(isMade).toBe(true);
		for (const word of ["theirs", "new", "mine"]) expect(nodes.read("here/notes.md").split(word)).toHaveLength(2);
		expect(await nodes.settle()).toEqual([]);
		expect(nodes.problems()).toEqual([]);
	} finally {
		fs.linkSync = link;
		await nodes.remove();
	}
});
