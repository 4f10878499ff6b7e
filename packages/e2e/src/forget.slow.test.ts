import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { oneKey as options, valueFile } from "./fixture/forgetting.ts";
import type { Node } from "./fixture/node.ts";
import { objects } from "./fixture/objects.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("forget");
});
afterEach(() => world.remove());

const value = 'tok_9sK2"mQ7vXcL4';
const quoted = 'tok_9sK2\\"mQ7vXcL4';

/** Files below a directory, those of the repository too, that hold the value as it is. */
function filesWith(directory: string): string[] {
	return fs
		.readdirSync(directory, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => path.join(entry.parentPath, entry.name))
		.filter((file) => [value, quoted].some((one) => fs.readFileSync(file).includes(one)));
}

const key = options.env.HEARTBEAT_KEY;

const hub = () => world.path("hub.git");
const fileOfValue = () => valueFile(world, `${value}\n`);
/** Two nodes with the value in their history. */
async function leakedPair(): Promise<[Node, Node]> {
	const [helios, chad] = await world.pair({ "notes.md": "one\n" }, options);
	helios.write("notes.md", `one\n${value}\n`);
	await helios.once();
	await chad.once();
	return [helios, chad];
}

const subjects = (node: Node) => node.git("log", "--topo-order", "--format=%an %at %s", "main").split("\n");

describe("forget", () => {
	test("forget: five nodes, one offline, one killed → gone everywhere, trees the same", async () => {
		const [helios, chad] = await world.pair({ "notes.md": "one\n", "d/private.md": "private\n", "plain.md": "plain\n" }, options);
		const untouched = helios.git("rev-parse", "main").trim();
		chad.write("notes.md", `one\nuse ${value} for it\n`);
		chad.write("conf/a.json", `{"token": "${quoted}", "n": 1}\n`);
		await chad.once();
		await helios.run(["--annotate", `because of ${value}`]);
		helios.write("plain.md", "plain two\n");
		await helios.once();
		const [juno, karl, nina] = ["juno", "karl", "nina"].map((name) => world.join(name, options)) as [Node, Node, Node];
		const before = subjects(helios);
		// Offline, with commits of its own, and more that is not committed.
		fs.renameSync(hub(), `${hub()}.away`);
		karl.write("karl.md", `mine: ${value}\n`);
		await karl.failure();
		karl.write("karl.md", "mine\n");
		await karl.failure();
		fs.renameSync(`${hub()}.away`, hub());
		juno.write("draft.md", `draft with ${value}\n`);
		const dry = await helios.run(["--forget-value", fileOfValue(), "--dry-run", "--json"]);
		const plan = JSON.parse(dry.stdout) as { commits: string[]; messages: string[]; paths: string[] };
		expect([plan.messages.length, plan.paths]).toEqual([1, ["conf/a.json", "notes.md"]]);
		const done = await helios.run(["--forget-value", fileOfValue()]);
		expect([done.code, done.stderr.includes(value)]).toEqual([0, false]);
		expect(subjects(helios).slice(-before.length)).toEqual(before);
		expect(helios.git("merge-base", untouched, "main").trim()).toBe(untouched);
		const kill = async (node: Node, place: string) =>
			expect([place, (await node.run(["--once"], { env: { ROBUST_SYNC_FAULT: place } })).code]).toEqual([place, "SIGKILL"]);
		for (const step of ["verified", "noted", "files", "refs", "index", "scrubbed", "dropping"]) await kill(nina, `forget-${step}`);
		await kill(juno, "forget-dropped");
		for (const node of [nina, chad, juno, karl, helios, chad, juno, nina]) await node.once();
		expect((await juno.run(["--forget", "d/private.md"])).code).toBe(0);
		for (const node of [helios, chad, karl, nina]) await node.once();
		const nodes = [helios, chad, juno, karl, nina];
		expect(new Set(nodes.map((node) => node.git("rev-parse", "main"))).size).toBe(1);
		expect(nodes.map((node) => node.git("status", "--porcelain"))).toEqual(nodes.map(() => ""));
		expect(helios.read("karl.md")).toBe("mine\n");
		expect(helios.read("draft.md")).toMatch(/^draft with forgotten-a[0-9a-f]{12}\n$/);
		expect(JSON.parse(helios.read("conf/a.json"))).toMatchObject({ n: 1 });
		expect(nodes.map((node) => node.exists("d/private.md"))).toEqual(nodes.map(() => false));
		expect(nodes.flatMap((node) => filesWith(node.workspace))).toEqual([]);
		for (const place of [...nodes.map((node) => node.path(".git")), hub()]) {
			const all = objects(place);
			expect([value, quoted, "private\n"].filter((one) => all.includes(one))).toEqual([]);
		}
		for (const node of nodes) node.fsck();
		expect((await karl.run(["--forget-value", fileOfValue(), "--check"])).code).toBe(0);
	});

	test("forget: another key → refused and merged; returned content → removed again", async () => {
		const [helios, chad] = await leakedPair();
		const other = { env: { HEARTBEAT_KEY: "a key of another fleet" } };
		expect((await helios.run(["--forget-value", fileOfValue()], { env: { HEARTBEAT_KEY: "" } })).code).toBe(2);
		expect((await helios.run(["--forget-value", fileOfValue()])).code).toBe(0);
		const state = await chad.once(other);
		expect(state.skipped).toMatchObject([{ path: expect.stringContaining(".robust-sync/forget/"), reason: "forget-refused" }]);
		expect(objects(chad.path(".git"))).toContain(value);
		expect(await helios.failure()).toMatchObject({ code: "FORGOTTEN_RETURNED", message: expect.stringContaining("robust-sync --forget") });
		expect(objects(helios.path(".git"))).not.toContain(value);
		const again = await helios.run(["--forget"]);
		expect([again.code, again.stderr]).toEqual([0, expect.any(String)]);
		await chad.once();
		await helios.once();
		expect(chad.git("rev-parse", "main")).toBe(helios.git("rev-parse", "main"));
		expect(objects(chad.path(".git"))).not.toContain(value);
		expect(world.git(hub(), "log", "-p", "main")).not.toContain(value);
	});

	test("forget: the hub is restored from a backup → not followed, and cleaned again", async () => {
		const [helios, chad] = await leakedPair();
		world.git(".", "clone", "-q", "--mirror", hub(), "backup.git");
		helios.write("later.md", "later\n");
		await helios.once();
		await chad.once();
		expect((await helios.run(["--forget-value", fileOfValue()])).code).toBe(0);
		await chad.once();
		world.git("backup.git", "push", "-q", "--force", hub(), "main:main");
		chad.write("own.md", "chad\n");
		const old = world.git(hub(), "rev-parse", "main");
		// Twice: the second cycle knows the tip.
		for (const node of [chad, helios, chad]) expect((await node.failure()).code).toBe("FORGOTTEN_RETURNED");
		expect(world.git(hub(), "rev-parse", "main")).toBe(old);
		for (const node of [chad, helios]) expect(objects(node.path(".git"))).not.toContain(value);
		expect((await chad.run(["--forget"])).code).toBe(0);
		await helios.once();
		await chad.once();
		expect(chad.git("rev-parse", "main")).toBe(helios.git("rev-parse", "main"));
		for (const place of [helios.path(".git"), chad.path(".git"), hub()]) expect(objects(place)).not.toContain(value);
		expect([helios.read("own.md"), chad.read("later.md")]).toEqual(["chad\n", "later\n"]);
	});

	test("forget: a restored hub, a node that cannot clean it → not followed, reported", async () => {
		const [helios, chad] = await leakedPair();
		world.git(".", "clone", "-q", "--mirror", hub(), "backup.git");
		expect((await helios.run(["--forget-value", fileOfValue()])).code).toBe(0);
		await chad.once();
		world.git("backup.git", "push", "-q", "--force", hub(), "main:main");
		// A shallow clone lacks commits to rewrite.
		chad.write(".git/shallow", `${chad.git("rev-list", "--max-parents=0", "main").split("\n")[0]}\n`);
		chad.write("own.md", "chad\n");
		const failed = { code: "FORGOTTEN_RETURNED", message: expect.stringContaining("git fetch --unshallow") };
		expect(await chad.failure()).toMatchObject(failed);
		chad.write("second.md", "second\n");
		expect(await chad.failure()).toMatchObject(failed);
		expect(chad.git("log", "--name-only", "--format=", "main")).toContain("second.md");
		const { code, stderr } = await chad.run(["--forget"]);
		expect([code, stderr]).toEqual([1, expect.stringContaining("git fetch --unshallow")]);
		expect(chad.git("log", "-p", "main")).not.toContain(value);
		fs.rmSync(chad.path(".git/shallow"));
		expect((await chad.run(["--forget"])).code).toBe(0);
		await helios.once();
		expect(chad.git("rev-parse", "main")).toBe(helios.git("rev-parse", "main"));
		for (const place of [helios.path(".git"), chad.path(".git"), hub()]) expect(objects(place)).not.toContain(value);
		expect(helios.read("own.md")).toBe("chad\n");
	});

	test("forget: a lagging node forgets on a hub from a backup → not followed, cleaned", async () => {
		const [helios, chad] = await leakedPair();
		const other = "key_4hJ8wPz1NbYq6dFs";
		helios.write("door.md", `door ${other}\n`);
		for (const node of [helios, chad]) await node.once();
		world.git(".", "clone", "-q", "--mirror", hub(), "backup.git");
		helios.write("later.md", "later\n");
		await helios.once();
		expect((await helios.run(["--forget-value", fileOfValue()])).code).toBe(0);
		world.git("backup.git", "push", "-q", "--force", "--mirror", hub());
		expect((await chad.run(["--forget-value", valueFile(world, other)])).code).toBe(0);
		expect(world.git(hub(), "log", "-p", "main")).toContain(value);
		expect((await helios.failure()).code).toBe("FORGOTTEN_RETURNED");
		for (const text of [value, other]) expect(objects(helios.path(".git"))).not.toContain(text);
		expect((await helios.run(["--forget"])).code).toBe(0);
		await chad.once();
		await helios.once();
		expect(chad.git("rev-parse", "main")).toBe(helios.git("rev-parse", "main"));
		for (const place of [helios.path(".git"), chad.path(".git"), hub()])
			for (const text of [value, other]) expect(objects(place)).not.toContain(text);
		expect([helios.read("door.md"), chad.read("later.md")]).toEqual([expect.stringMatching(/^door forgotten-a/), "later\n"]);
	});

	test("forget: with another key, which is corrected → no refused map stays reported", async () => {
		const [helios, chad] = await leakedPair();
		const other = { env: { HEARTBEAT_KEY: "a key of another fleet" } };
		expect((await helios.run(["--forget-value", fileOfValue()])).code).toBe(0);
		await chad.once(other);
		expect((await helios.failure()).code).toBe("FORGOTTEN_RETURNED");
		chad.write("own.md", "own\n");
		expect((await chad.run(["--forget-value", fileOfValue()], other)).code).toBe(0);
		for (const node of [helios, chad]) await node.once();
		await helios.run(["--forget"]);
		for (const node of [chad, helios]) await node.once();
		for (const node of [helios, chad]) expect(await node.once()).toMatchObject({ ahead: 0, skipped: [] });
		expect(chad.git("rev-parse", "main")).toBe(helios.git("rev-parse", "main"));
		for (const place of [helios.path(".git"), chad.path(".git"), hub()]) expect(objects(place).includes(value)).toBe(false);
	});

	test("forget: another key in a daemon, corrected and read again → the map is applied", async () => {
		const [helios, chad] = await world.pair({ "notes.md": "one\n" }, { env: { SYNC_SECRETS: "off" } });
		const setKey = (node: Node, key: string) => node.write(".sync_env", `HEARTBEAT_KEY="${key}"\n`, 0o600);
		setKey(helios, key);
		setKey(chad, "a key of another fleet");
		helios.write("notes.md", `one\n${value}\n`);
		await helios.once();
		await chad.once();
		expect((await helios.run(["--forget-value", fileOfValue()])).code).toBe(0);
		await chad.start();
		await chad.untilState(({ skipped }) => skipped.some(({ reason }) => reason === "forget-refused"), "the map is refused");
		setKey(chad, key);
		process.kill(chad.worker() ?? 0, "SIGHUP");
		// It had merged the old history, and published that.
		await chad.untilState(({ last_error }) => last_error?.code === "FORGOTTEN_RETURNED", "the map is applied");
		expect(objects(chad.path(".git")).includes(value)).toBe(false);
		expect((await helios.failure()).code).toBe("FORGOTTEN_RETURNED");
		expect((await helios.run(["--forget"])).code).toBe(0);
		process.kill(chad.worker() ?? 0, "SIGHUP");
		const { skipped } = await chad.untilState(({ consecutive_failures }) => consecutive_failures === 0, "the next success");
		expect([skipped, chad.head()]).toEqual([[], helios.head()]);
	});

	test("forget: other working trees, stashes, notes, tags, a mirror → all without it", async () => {
		const mirror = world.path("mirror.git");
		world.git(".", "init", "--quiet", "--bare", "-b", "main", mirror);
		const options = { env: { HEARTBEAT_KEY: key, SYNC_SECRETS: "off", SYNC_MIRRORS: "mirror" } };
		const helios = world.node("helios", options);
		helios.git("remote", "add", "mirror", mirror);
		helios.write("notes.md", "one\n");
		helios.write(`name-${value}.md`, "one\n");
		await helios.once();
		helios.git("checkout", "-qb", "side");
		helios.write("side.md", `side ${value}\n`);
		helios.git("add", "-A");
		helios.git("commit", "-qm", `side ${value}`);
		helios.git("checkout", "-q", "main");
		helios.git("merge", "-q", "--no-ff", "--no-commit", "side");
		helios.write("resolution.md", `resolved with ${value}\n`);
		helios.git("add", "-A");
		helios.git("commit", "-qm", "merge");
		helios.git("notes", "add", "-m", `note ${value}`);
		helios.git("tag", "-a", "-m", `tag ${value}`, "v1");
		helios.git("worktree", "add", "-q", world.path("linked"), "side");
		await helios.once();
		helios.write("notes.md", `stashed ${value}\n`);
		helios.git("stash", "-q");
		const dry = await helios.run(["--forget-value", fileOfValue(), "--dry-run", "--json"]);
		expect(JSON.parse(dry.stdout)).toMatchObject({ names: [`name-${value}.md`], paths: ["resolution.md", "side.md"] });
		world.git(hub(), "config", "receive.denyNonFastForwards", "true");
		const denied = await helios.run(["--forget-value", fileOfValue()]);
		expect([denied.code, denied.stderr]).toEqual([1, expect.stringContaining("receive.denyNonFastForwards")]);
		world.git(hub(), "config", "receive.denyNonFastForwards", "false");
		expect((await helios.run(["--forget-value", fileOfValue()])).code).toBe(0);
		const own = world.path("own");
		world.write("own", '"created_at"');
		const refused = await helios.run(["--forget-value", own]);
		expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("it is no secret")]);
		world.write("own", "forgotten");
		const ofPlaceholder = await helios.run(["--forget-value", own]);
		expect([ofPlaceholder.code, ofPlaceholder.stderr]).toEqual([2, expect.stringContaining("takes the place of forgotten values")]);
		helios.git("mv", `name-${value}.md`, "renamed.md");
		await helios.once();
		const withoutNames = (repository: string) => {
			const ids = world
				.git(repository, "cat-file", "--batch-all-objects", "--batch-check")
				.split("\n")
				.filter((line) => / (?:blob|commit|tag) /.test(line))
				.map((line) => line.split(" ")[0]);
			return execFileSync("git", ["-C", repository, "cat-file", "--batch"], { input: ids.join("\n") }).toString("latin1");
		};
		for (const repository of [helios.workspace, mirror, hub()]) expect(withoutNames(repository)).not.toContain(value);
		expect(fs.readFileSync(world.path("linked/side.md"), "utf8")).toMatch(/^side forgotten-/);
		expect(world.git("linked", "status", "--porcelain", "--untracked-files=no")).toBe("");
		expect(helios.git("stash", "list").trim().split("\n")).toHaveLength(1);
		expect(helios.git("stash", "show", "-p")).toContain("stashed forgotten-");
		helios.fsck();
		expect(world.git("linked", "fsck", "--full")).not.toMatch(/missing|invalid|error/);
	});
});
