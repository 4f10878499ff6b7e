import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Node } from "./fixture/node.ts";
import { objects } from "./fixture/objects.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("forget-announced");
});
afterEach(() => world.remove());

const value = "tok_9sK2mQ7vXcL4rT8w";
const options = { env: { HEARTBEAT_KEY: "a key that all of them have", SYNC_SECRETS: "off" } };
const mapsRef = "refs/robust-sync/forget";
const hub = () => world.path("hub.git");
const ofHub = (...args: string[]) => world.git(hub(), ...args).trim();
const tipOf = (node: Node) => node.git("rev-parse", "main").trim();

function valueFile(): string {
	fs.writeFileSync(world.path("value"), value);
	return world.path("value");
}

function isIn(node: Node, oid: string): boolean {
	return node.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split("\n").includes(oid);
}

/** Two nodes with the value in their history; the second also has it in a commit of its own, and in a file. */
async function pair(): Promise<[Node, Node]> {
	const [helios, chad] = await world.pair({ "a.md": `one ${value}\n`, "d/b.md": "two\n" }, options);
	helios.write("a.md", "one\n");
	await helios.once();
	await chad.once();
	return [helios, chad];
}

async function expectSame(helios: Node, chad: Node): Promise<void> {
	for (const node of [chad, helios, chad]) await node.once();
	expect(tipOf(chad)).toBe(tipOf(helios));
	for (const place of [helios.path(".git"), chad.path(".git"), hub()]) expect(objects(place)).not.toContain(value);
	for (const node of [helios, chad]) node.fsck();
}

describe("forget", () => {
	test("announced map: the old history is here → computed, only the map is fetched", async () => {
		const [helios, chad] = await pair();
		fs.renameSync(hub(), `${hub()}.away`);
		chad.write("own.md", `own ${value}\n`);
		await chad.failure();
		fs.renameSync(`${hub()}.away`, hub());
		chad.write("draft.md", `draft ${value}\n`);
		expect((await helios.run(["--forget-value", valueFile()])).code).toBe(0);
		const tip = ofHub("rev-parse", "main");
		const killed = await chad.run(["--once"], { env: { ROBUST_SYNC_FAULT: "forget-verified" } });
		expect([killed.code, isIn(chad, ofHub("rev-parse", "main^")), isIn(chad, tip)]).toEqual(["SIGKILL", true, false]);
		for (const step of ["noted", "refs", "scrubbed", "dropping"])
			expect([step, (await chad.run(["--once"], { env: { ROBUST_SYNC_FAULT: `forget-${step}` } })).code]).toEqual([step, "SIGKILL"]);
		await expectSame(helios, chad);
		expect([chad.read("own.md"), chad.read("draft.md")].map((text) => text.replace(/[0-9a-f]{12}\n$/, ""))).toEqual([
			"own forgotten-a",
			"draft forgotten-a",
		]);
	});

	test.each([
		["is missing", () => ofHub("update-ref", "-d", mapsRef)],
		["is a blob", () => ofHub("update-ref", mapsRef, ofHub("rev-parse", "main:d/b.md"))],
		["is a commit with a history", () => ofHub("update-ref", mapsRef, "main")],
		[
			"has a directory in its place",
			() => {
				ofHub("update-ref", "-d", mapsRef);
				ofHub("update-ref", `${mapsRef}/x`, "main");
			},
		],
	])("announced map: the ref %s → the new history is fetched instead", async (_what, change) => {
		const [helios, chad] = await pair();
		expect((await helios.run(["--forget-value", valueFile()])).code).toBe(0);
		change();
		await expectSame(helios, chad);
		expect((await chad.once()).skipped).toEqual([]);
	});

	test("announced map: written without the key → ignored, and nothing is forgotten", async () => {
		const [helios, chad] = await pair();
		expect((await helios.run(["--forget-value", valueFile()], { env: { HEARTBEAT_KEY: "a key of another fleet" } })).code).toBe(0);
		// The branch as it was, and the map of the other key beside it.
		const old = tipOf(chad);
		chad.git("push", "--quiet", "--force", "origin", `${old}:refs/heads/main`);
		const state = await chad.once();
		expect([state.skipped, tipOf(chad), isIn(chad, ofHub("rev-parse", mapsRef))]).toEqual([[], old, true]);
		expect(chad.git("for-each-ref", mapsRef)).toBe("");
		expect(objects(chad.path(".git"))).toContain(value);
	});

	test("announced map: two forgettings, one of a path → the hub keeps nothing of it", async () => {
		const [helios, chad] = await pair();
		expect((await helios.run(["--forget-value", valueFile()])).code).toBe(0);
		await chad.once();
		expect((await chad.run(["--forget", "a.md"])).code).toBe(0);
		await expectSame(helios, chad);
		const all = execFileSync("git", ["-C", hub(), "rev-list", "--objects", "--all"], { encoding: "utf8" });
		expect(all).not.toContain(" a.md\n");
		expect(chad.exists("a.md")).toBe(false);
	});
});
