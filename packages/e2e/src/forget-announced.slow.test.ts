import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { oneKey as options, valueFile } from "./fixture/forgetting.ts";
import type { Node } from "./fixture/node.ts";
import { objects } from "./fixture/objects.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("forget-announced");
});
afterEach(() => world.remove());

const value = "tok_9sK2mQ7vXcL4rT8w";
const mapsRef = "refs/robust-sync/forget";
const hub = () => world.path("hub.git");
const ofHub = (...args: string[]) => world.git(hub(), ...args).trim();

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
	expect(chad.head()).toBe(helios.head());
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
		expect((await helios.run(["--forget-value", valueFile(world, value)])).code).toBe(0);
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
		expect((await helios.run(["--forget-value", valueFile(world, value)])).code).toBe(0);
		change();
		await expectSame(helios, chad);
		expect((await chad.once()).skipped).toEqual([]);
	});

	test("announced map: written without the key → ignored, and nothing is forgotten", async () => {
		const [helios, chad] = await pair();
		expect((await helios.run(["--forget-value", valueFile(world, value)], { env: { HEARTBEAT_KEY: "a key of another fleet" } })).code).toBe(
			0,
		);
		// The branch as it was, and the map of the other key beside it.
		const old = chad.head();
		chad.git("push", "--quiet", "--force", "origin", `${old}:refs/heads/main`);
		const state = await chad.once();
		expect([state.skipped, chad.head(), isIn(chad, ofHub("rev-parse", mapsRef))]).toEqual([[], old, true]);
		expect(chad.git("for-each-ref", mapsRef)).toBe("");
		expect(objects(chad.path(".git"))).toContain(value);
	});

	test("announced map: two forgettings, one of a path → the hub keeps nothing of it", async () => {
		const [helios, chad] = await pair();
		expect((await helios.run(["--forget-value", valueFile(world, value)])).code).toBe(0);
		await chad.once();
		expect((await chad.run(["--forget", "a.md"])).code).toBe(0);
		await expectSame(helios, chad);
		const all = execFileSync("git", ["-C", hub(), "rev-list", "--objects", "--all"], { encoding: "utf8" });
		expect(all).not.toContain(" a.md\n");
		expect(chad.exists("a.md")).toBe(false);
	});

	test("forget: only broken over lines, in two ways → both nodes without it", async () => {
		const [first, second] = [value.slice(0, 8), value.slice(8)];
		const [helios, chad] = await world.pair(
			{ "a.md": `> ${first}\n> ${second}\n\n${value.slice(0, 12)}\\\n  ${value.slice(12)}\n` },
			options,
		);
		chad.write("draft.md", `mine: ${first}\n  ${second}\n`);
		expect((await helios.run(["--forget-value", valueFile(world, value)])).code).toBe(0);
		for (const node of [chad, helios, chad]) await node.once();
		expect([chad.head(), helios.read("a.md").replaceAll(/[0-9a-f]{12}/g, "")]).toEqual([helios.head(), "> forgotten-i\n\nforgotten-i\n"]);
		for (const place of [helios.path(".git"), chad.path(".git"), hub()]) expect(objects(place)).not.toContain(second);
		expect(helios.read("draft.md")).toMatch(/^mine: forgotten-i[0-9a-f]{12}\n$/);
	});

	test("forget: another working tree at a path that is not UTF-8 → named, and found", async () => {
		const [helios] = await world.pair({ "a.md": `one ${value}\n` }, options);
		helios.git("branch", "side");
		helios.git("worktree", "add", "--quiet", world.path("linked"), "side");
		const odd = Buffer.concat([Buffer.from(world.path("li")), Buffer.of(0xff)]);
		fs.renameSync(world.path("linked"), odd);
		fs.writeFileSync(helios.path(".git/worktrees/linked/gitdir"), Buffer.concat([odd, Buffer.from("/.git\n")]));
		const done = await helios.run(["--forget-value", valueFile(world, value)]);
		expect([done.code, done.stderr]).toEqual([0, expect.stringContaining("is another working tree")]);
		expect(objects(helios.path(".git"))).not.toContain(value);
		const { stdout } = await helios.run(["--forget-value", valueFile(world, value), "--check", "--json"]);
		expect(JSON.parse(stdout)).toMatchObject({ found: [{ where: "file", name: expect.stringContaining("a.md") }] });
	});

	test("own secrets: .env below a directory that is not UTF-8 → the value is held", async () => {
		const helios = world.node("helios", { env: { HEARTBEAT_KEY: options.env.HEARTBEAT_KEY } });
		const directory = Buffer.concat([Buffer.from(helios.path("d")), Buffer.of(0xff)]);
		fs.mkdirSync(directory);
		fs.writeFileSync(Buffer.concat([directory, Buffer.from("/.env")]), "DOOR_PASSWORD=q7-Zk.w2LxBn\n");
		helios.write(".gitignore", ".env\n");
		helios.write("a.md", "the door is q7-Zk.w2LxBn today\n");
		const state = await helios.once();
		expect(state.skipped).toMatchObject([{ path: "a.md", reason: "secret" }]);
	});
});
