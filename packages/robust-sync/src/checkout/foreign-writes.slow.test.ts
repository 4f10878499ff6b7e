import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { owned } from "@robust-sync/git/fixtures/owned-files";
import { SlowHub } from "../testing/slow-hub.ts";

let hub: SlowHub;
beforeEach(() => {
	hub = new SlowHub();
});
afterEach(() => hub.remove());

/** A writer that opened the files before the checkout, and rewrites each one in place. */
function openAll(name: "helios" | "chad"): () => void {
	const open = Object.entries(owned).map(([file, content]) => [fs.openSync(hub.path(name, file), "r+"), content(name)] as const);
	return () => {
		for (const [descriptor, content] of open) {
			fs.ftruncateSync(descriptor);
			fs.writeSync(descriptor, content, 0);
			fs.closeSync(descriptor);
		}
	};
}

/** A writer that read the files before the checkout, and replaces each one with a new file. */
function saveAll(name: "helios" | "chad"): () => void {
	return () => {
		for (const file of Object.keys(owned)) fs.rmSync(hub.path(name, file));
		hub.writeAll(name, name);
	};
}

/** The commits whose message mentions a write from an older version, each with its parents. */
function foreignCommits(name: string): string[][] {
	const lines = hub.git(name, "log", "--format=%H %P", "--grep=^Written from the version of").trim().split("\n");
	return lines.map((line) => line.split(" "));
}

test.each([
	["lost updates", saveAll],
	["late writes", openAll],
])("%s: JSON, TOML, notes, code, binary → the later wins, both save the other", async (_what, writer) => {
	await hub.start();
	const base = hub.git("chad", "rev-parse", "HEAD").trim();
	const write = writer("chad");
	hub.writeAll("helios", "helios", 100);
	await hub.cycle("helios");
	await hub.cycle("chad");
	expect(hub.read("chad/program.py")).toBe(owned["program.py"]?.("helios"));
	write();
	for (const name of ["chad", "helios", "chad"] as const) await hub.cycle(name);
	hub.expectOutcome("chad", "helios");
	// Writes with one base are one commit, whose parent is that base.
	const commits = foreignCommits("helios");
	expect(commits.map(([, ...parents]) => parents)).toEqual([[base]]);
	expect(hub.git("chad", "status", "--porcelain")).toBe("");
});

test("late writes: the same writer continues → each is made on the one before", async () => {
	await hub.start();
	const descriptor = fs.openSync(hub.path("chad/notes.md"), "a");
	hub.writeAll("helios", "helios", 100);
	await hub.cycle("helios");
	await hub.cycle("chad");
	for (const line of ["first", "second", "third"]) {
		fs.writeSync(descriptor, `\nThe ${line} line.\n`);
		await hub.cycle("chad");
	}
	fs.closeSync(descriptor);
	await hub.cycle("helios");
	const [third, second, first] = foreignCommits("helios");
	expect([third?.slice(1), second?.slice(1)]).toEqual([[second?.[0]], [first?.[0]]]);
	for (const name of ["helios", "chad"])
		expect(hub.read(`${name}/notes.md`).match(/The \w+ line|owned by \w+/g)).toEqual([
			"owned by helios",
			"The first line",
			"The second line",
			"The third line",
		]);
});
