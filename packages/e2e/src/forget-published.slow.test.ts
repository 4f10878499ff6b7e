import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { valueFile } from "./fixture/forgetting.ts";
import type { Node } from "./fixture/node.ts";
import { objects } from "./fixture/objects.ts";
import { World } from "./fixture/world.ts";

// A secret that was published and is forgotten while nodes search for secrets themselves: the published commits are none of their unpublished ones.

let world: World;
beforeEach(() => {
	world = new World("forget-published");
});
afterEach(() => world.remove());

const token = `ghp_${randomBytes(60)
	.toString("base64")
	.replaceAll(/[^a-zA-Z0-9]/g, "")
	.slice(0, 36)}`;
const key = "a key that all of them have";
const hub = () => world.path("hub.git");
const secrets = (mode: string) => ({ env: { SYNC_SECRETS: mode } });
const refsOf = (node: Node) => node.git("for-each-ref", "refs/robust-sync/refused", "refs/robust-sync/replaced");
const subjects = (node: Node) => node.git("log", "--no-merges", "--topo-order", "--format=%at %s", "main").trim().split("\n");

/** A branch on the hub whose commits from the leak on are `depth`. */
function publishHistory(depth: number): void {
	const commit = (index: number, name: string, content: string) =>
		`commit refs/heads/main\ncommitter x <x@x> ${1_700_000_000 + index} +0000\ndata ${`c${index}`.length}\nc${index}\nM 100644 inline ${name}\ndata ${content.length}\n${content}\n`;
	const parts = [commit(0, "base.md", "base\n"), commit(1, "leak.md", `token ${token}\n`)];
	for (let index = 2; index <= depth; index++) parts.push(commit(index, "n.md", `version ${index}\n`));
	world.hub("hub.git");
	execFileSync("git", ["-C", hub(), "fast-import", "--quiet"], { input: parts.join("") });
}

const joined = (name: string) => world.join(name, { env: { HEARTBEAT_KEY: key } });

const modes = [
	["off", "off"],
	["warn", "warn"],
	["off", "hold"],
] as const;
const table = modes.flatMap(([before, after]) => [1, 3, 2_100].map((depth) => [before, after, depth] as const));

describe("forget", () => {
	test.each(table)("published leak: %s, then %s, %i commits ago → all else as it was", async (before, after, depth) => {
		publishHistory(depth);
		const [helios, chad, juno, karl, nina] = ["helios", "chad", "juno", "karl", "nina"].map(joined) as [Node, Node, Node, Node, Node];
		const nodes = [helios, chad, juno, karl, nina];
		for (const node of nodes) await node.once(secrets(before));
		const old = subjects(helios);
		const options = secrets(after);
		fs.renameSync(hub(), `${hub()}.away`);
		for (const node of [juno, karl])
			for (const text of ["one\n", "two\n"]) {
				node.write(`${node.name}.md`, text);
				await node.failure(options);
			}
		fs.renameSync(`${hub()}.away`, hub());
		const done = await helios.run(["--forget-value", valueFile(world, token)], options);
		expect([done.code, done.stdout, done.stderr]).toEqual([
			0,
			expect.stringContaining(`${depth} of ${depth + 1} commits`),
			expect.any(String),
		]);
		// A person, or a process that was killed, has fetched the new history already.
		for (const node of [karl, nina]) node.git("fetch", "--quiet", "origin");
		for (const node of [chad, nina, juno, karl]) await node.once(options);
		for (const node of nodes) await node.once(options);
		helios.write("after.md", "after\n");
		await helios.once(options);
		for (const node of nodes) expect(await node.once(options)).toMatchObject({ ahead: 0, skipped: [] });
		expect(nodes.map((node) => node.head())).toEqual(nodes.map(() => world.git(hub(), "rev-parse", "main").trim()));
		expect(subjects(helios).slice(-old.length)).toEqual(old);
		// Beside them: the map, two commits of each node that was offline, and the last one.
		expect(subjects(helios)).toHaveLength(old.length + 6);
		expect(helios.git("rev-list", "--count", "--merges", "main").trim()).toBe("2");
		expect(nodes.map(refsOf)).toEqual(nodes.map(() => ""));
		expect(helios.read("leak.md")).toMatch(/^token forgotten-a[0-9a-f]{12}\n$/);
		for (const place of [...nodes.map((node) => node.path(".git")), hub()]) expect(objects(place)).not.toContain(token);
		for (const node of nodes) node.fsck();
	});

	test("published leak: long ago, a node with another key → its remedy is the key", async () => {
		publishHistory(2_100);
		const [helios, chad] = ["helios", "chad"].map(joined) as [Node, Node];
		const other = { env: { HEARTBEAT_KEY: "a key of another fleet" } };
		for (const node of [helios, chad]) await node.once();
		expect((await helios.run(["--forget-value", valueFile(world, token)])).code).toBe(0);
		chad.git("fetch", "--quiet", "origin");
		expect(await chad.failure(other)).toMatchObject({ code: "PUSH_REJECTED", message: expect.stringContaining("HEARTBEAT_KEY") });
		expect(await chad.once()).toMatchObject({ ahead: 0, skipped: [] });
		expect([chad.head(), refsOf(chad)]).toEqual([helios.head(), ""]);
	});

	test("forget: commits of other branches are rewritten, too → the branch's own counted", async () => {
		publishHistory(25);
		const helios = joined("helios");
		await helios.once(secrets("off"));
		// Other commits that are rewritten, too: they are none of the branch.
		helios.git("branch", "side");
		for (let index = 0; index < 9; index++) {
			const tree = helios.git("rev-parse", "side^{tree}").trim();
			const commit = helios.git("commit-tree", "-m", `side ${index}`, "-p", "side", tree).trim();
			helios.git("update-ref", "refs/heads/side", commit);
		}
		const commits = helios.git("rev-list", "--reverse", "main").trim().split("\n");
		const run = async (...args: string[]) => await helios.run(["--forget-value", valueFile(world, token), ...args], secrets("off"));
		const dry = await run("--dry-run");
		expect([dry.code, dry.stdout.split("\n").slice(0, 22)]).toEqual([
			0,
			[
				"would rewrite 25 of 26 commits, the oldest first:",
				...commits.slice(1, 21).map((oid) => `  ${oid}`),
				expect.stringContaining("and 5 commits"),
			],
		]);
		expect((JSON.parse((await run("--dry-run", "--json")).stdout) as { commits: string[] }).commits).toEqual(commits.slice(1));
		expect((await run()).stdout).toContain("forgotten: 25 of 26 commits rewritten");
	});
});
