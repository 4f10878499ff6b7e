import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { type Node, untilConverged } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("guard");
});
afterEach(() => world.remove());

const tree = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`data/f${index}.md`, `file ${index} says ${index * 7}\n`]));
const kept = { "notes.md": "hello\n", "other.md": "other\n" };
const names = Object.keys(tree);
const gone = (node: Node) => names.filter((name) => !node.exists(name)).length;
const hub = () => world.git("hub.git", "ls-tree", "-r", "--name-only", "main").split("\n").filter(Boolean).length;

describe("a loss that is made here", () => {
	test("guard: a large deletion here → committed, not published, reported", async () => {
		const [helios, chad] = await world.pair({ ...tree, ...kept });
		helios.remove("data");
		helios.write("notes.md", "hello, too\n");
		const state = await helios.once();
		expect(state).toMatchObject({
			status: "held",
			ahead: 1,
			held: [{ direction: "outgoing", files: 80, deleted: 80, tracked: 82, paths: expect.arrayContaining(["data/f0.md"]) }],
		});
		expect(helios.dirty()).toBe("");
		expect(hub()).toBe(82);
		expect((await helios.run(["--doctor"])).stdout).toContain("removes 80 files of 82");
		chad.write("other.md", "from chad\n");
		await chad.once();
		await helios.run(["--send", "-"], { input: "a message\n" });
		expect(await helios.once()).toMatchObject({ status: "held", messages_pending: 1 });
		expect(helios.read("other.md")).toBe("from chad\n");
		expect(gone(helios)).toBe(80);
		await chad.once();
		expect([gone(chad), chad.read("notes.md")]).toEqual([0, "hello\n"]);
	});

	test("guard: a deletion in many small steps → held once they are too many together", async () => {
		const [helios, chad] = await world.pair({ ...tree, ...kept });
		let state = await helios.once();
		for (let start = 0; start < 80 && state.status !== "held"; start += 20) {
			for (const name of names.slice(start, start + 20)) helios.remove(name);
			const { stdout } = await helios.run(["--once", "--dry-run"]);
			expect([start, stdout.includes("would hold")]).toEqual([start, start === 40]);
			state = await helios.once();
		}
		expect(state).toMatchObject({ status: "held", held: [{ direction: "outgoing", files: 60, deleted: 60 }] });
		expect(hub()).toBe(42);
		for (const name of names.slice(60)) helios.remove(name);
		expect(await helios.once()).toMatchObject({ status: "held", held: [{ files: 80 }] });
		expect((await helios.run(["--reject"])).code).toBe(0);
		await chad.once();
		expect([gone(helios), gone(chad), hub()]).toEqual([0, 0, 82]);
	});

	test("guard: files emptied in many small steps → held, whole again after --reject", async () => {
		const [helios, chad] = await world.pair({ ...tree, ...kept });
		await helios.start();
		for (const [index, name] of names.entries()) {
			helios.write(name, "");
			if (index % 20 === 19) await until(() => helios.git("show", `HEAD:${name}`) === "", `${name} to be committed`);
		}
		await until(() => helios.state()?.status === "held", "the loss to be held");
		expect((await helios.run(["--reject"])).code).toBe(0);
		await until(() => names.every((name) => helios.read(name) === tree[name]), "the content to be back");
		await chad.once();
		await untilConverged(world, [helios, chad]);
		expect(names.filter((name) => chad.read(name) !== tree[name])).toEqual([]);
	});

	test("guard: approved → goes to all nodes, with all that was waiting", async () => {
		const [helios, chad] = await world.pair({ ...tree, ...kept });
		helios.remove("data");
		await helios.once();
		await helios.run(["--send", "-"], { input: "a message\n" });
		const { code, stdout } = await helios.run(["--approve"]);
		expect([code, stdout]).toEqual([0, "approved: the loss of 80 files goes to all nodes\n"]);
		expect(helios.state()).toMatchObject({ status: "idle", held: [], ahead: 0, messages_pending: 0 });
		expect(await chad.once()).toMatchObject({ status: "idle" });
		expect([gone(chad), chad.messages("helios")]).toEqual([80, ["a message\n"]]);
		expect((await helios.run(["--approve"])).stdout).toBe("nothing is held\n");
	});

	test("guard: rejected → its files are back everywhere, its other changes stay", async () => {
		const [helios, chad] = await world.pair({ ...tree, ...kept });
		helios.remove("data");
		helios.write("notes.md", "hello, too\n");
		helios.write("data", "a file in the place of the directory\n");
		await helios.once();
		const { code, stdout } = await helios.run(["--reject", "--json"]);
		expect([code, JSON.parse(stdout)]).toMatchObject([0, { decision: "reject", files: 80, held: [] }]);
		expect(await chad.once()).toMatchObject({ status: "idle" });
		for (const node of [helios, chad]) {
			expect(gone(node)).toBe(0);
			expect(node.read("notes.md")).toBe("hello, too\n");
			expect(Object.values(node.files())).toContain("a file in the place of the directory\n");
			expect(node.dirty()).toBe("");
		}
		helios.fsck();
	});

	test("guard: the files come back by themselves → nothing is held any more", async () => {
		const [helios, chad] = await world.pair({ ...tree, ...kept });
		helios.remove("data");
		await helios.once();
		for (const [name, content] of Object.entries(tree)) helios.write(name, content);
		expect(await helios.once()).toMatchObject({ status: "idle", held: [] });
		await chad.once();
		expect(gone(chad)).toBe(0);
	});

	test("guard: a person's own commit, and forty files → held, and not held", async () => {
		const [helios, chad] = await world.pair({ ...tree, ...kept });
		helios.git("rm", "-q", "-r", "data");
		helios.git("commit", "-q", "-m", "clean up");
		expect(await helios.once()).toMatchObject({ status: "held" });
		expect(hub()).toBe(82);
		for (const name of names.slice(0, 40)) chad.remove(name);
		expect(await chad.once()).toMatchObject({ status: "idle" });
		expect(hub()).toBe(42);
	});

	test("guard: GUARD=0, or a limit above it → published", async () => {
		for (const env of [{ GUARD: "0" }, { GUARD_FILES: "100" }]) {
			const [helios] = await world.pair({ ...tree, ...kept, ...Object.fromEntries(names.map((name) => [`more/${name}`, `${name}\n`])) });
			helios.remove("data");
			expect(await helios.once({ env })).toMatchObject({ status: "idle" });
			expect(hub()).toBe(82);
			await world.remove();
			world = new World("guard");
		}
	});

	test("guard: an empty mount point → held, however few files", async () => {
		const [helios] = await world.pair({ ...kept, "usb/a": "1\n", "usb/b": "2\n" });
		helios.remove("usb");
		mkdirSync(helios.path("usb"));
		execFileSync("mount", ["-t", "tmpfs", "tmpfs", helios.path("usb")]);
		let isMounted = true;
		const unmount = () => {
			if (isMounted) execFileSync("umount", ["-l", helios.path("usb")]);
			isMounted = false;
		};
		world.atEnd(unmount);
		expect(await helios.once()).toMatchObject({ status: "held", held: [{ files: 2, tracked: 4 }] });
		unmount();
		expect(await helios.once()).toMatchObject({ status: "held", held: [{ files: 2 }] });
		expect(hub()).toBe(4);
		expect((await helios.run(["--reject"])).code).toBe(0);
		expect([helios.read("usb/a"), helios.read("usb/b"), helios.state()?.status]).toEqual(["1\n", "2\n", "idle"]);
	});
});

describe("a loss that comes in", () => {
	/** Chad does not hold it, as a node of an earlier version. */
	async function disaster() {
		const [helios, chad] = await world.pair({ ...tree, ...kept });
		const juno = world.node("juno");
		await juno.once();
		chad.remove("data");
		for (const name of names.slice(60)) chad.write(name, "");
		chad.write("notes.md", "from chad\n");
		expect(await chad.once({ env: { GUARD: "0" } })).toMatchObject({ status: "idle" });
		return { helios, chad, juno };
	}

	test("guard: a large deletion comes in → its files stay, the rest comes", async () => {
		const { helios, chad } = await disaster();
		expect(await helios.once()).toMatchObject({
			status: "held",
			held: [{ direction: "incoming", files: 80, deleted: 60, emptied: 20, tracked: 82 }],
			skipped: [],
			last_cycle: { removed: 0 },
		});
		expect([gone(helios), helios.read("data/f70.md"), helios.read("notes.md")]).toEqual([0, tree["data/f70.md"], "from chad\n"]);
		helios.write("other.md", "from helios\n");
		expect(await helios.once()).toMatchObject({ status: "held", last_cycle: { committed: 1, pushed: 1 } });
		await chad.once();
		expect([chad.read("other.md"), gone(chad)]).toEqual(["from helios\n", 60]);
		helios.write("data/f1.md", "worth keeping\n");
		expect(await helios.once()).toMatchObject({ status: "held", held: [{ files: 79 }] });
		await chad.once();
		expect(chad.read("data/f1.md")).toBe("worth keeping\n");
	});

	test("guard: approved on any node → carried out on all", async () => {
		const { helios, juno } = await disaster();
		await helios.once();
		await juno.once();
		expect([gone(helios), gone(juno)]).toEqual([0, 0]);
		expect((await juno.run(["--approve"])).stdout).toBe("approved: the loss of 80 files goes to all nodes\n");
		expect([gone(juno), juno.read("data/f70.md"), juno.state()?.status]).toEqual([60, "", "idle"]);
		expect(await helios.once()).toMatchObject({ status: "idle", held: [] });
		expect([gone(helios), helios.read("data/f70.md"), helios.dirty()]).toEqual([60, "", ""]);
	});

	test("guard: approved before it is seen → not held", async () => {
		const { helios, juno } = await disaster();
		await juno.once();
		await juno.run(["--approve"]);
		expect(await helios.once()).toMatchObject({ status: "idle", held: [] });
		expect(gone(helios)).toBe(60);
	});

	test("guard: rejected on any node → the files are back on all", async () => {
		const { helios, chad, juno } = await disaster();
		await helios.once();
		await juno.once();
		expect((await helios.run(["--reject"])).code).toBe(0);
		for (const node of [juno, chad]) await node.once();
		for (const node of [helios, chad, juno]) {
			expect(node.state()).toMatchObject({ status: "idle", held: [] });
			expect([gone(node), node.read("data/f70.md"), node.read("notes.md")]).toEqual([0, tree["data/f70.md"], "from chad\n"]);
			expect(node.dirty()).toBe("");
		}
		expect(helios.tree()).toBe(chad.tree());
	});

	test("guard: in a merge with work of this node → its files stay, too", async () => {
		const { helios, chad } = await disaster();
		helios.write("other.md", "from helios\n");
		expect(await helios.once()).toMatchObject({ status: "held", held: [{ direction: "incoming", files: 80 }] });
		expect(gone(helios)).toBe(0);
		await helios.run(["--approve"]);
		await chad.once();
		expect(helios.files()).toEqual(chad.files());
	});

	test("guard: held.json is lost → the files are in the tree again", async () => {
		const { helios, chad } = await disaster();
		await helios.once();
		helios.remove("sync/held.json");
		await helios.once();
		await chad.once();
		expect([gone(helios), gone(chad)]).toEqual([0, 0]);
	});
});

test("guard: a directory deleted beside daemons → held, rejected, converged", async () => {
	const [helios, chad] = await world.pair({ ...tree, ...kept });
	for (const node of [helios, chad]) await node.start();
	helios.remove("data");
	await helios.untilState(({ status }) => status === "held", "held");
	await until(() => helios.log().includes("robust-sync --approve"), "the log to name the commands");
	expect((await helios.run(["--status"])).stdout).toContain("removes 80 files of 82 (80 deleted: data/f0.md, data/f1.md, data/f10.md, …)");
	expect((await helios.run(["--reject"])).code).toBe(0);
	await helios.untilState(({ status }) => status === "idle", "idle");
	chad.write("notes.md", "go on\n");
	await chad.untilState(({ last_cycle }) => (last_cycle?.pushed ?? 0) > 0, "pushed");
	for (const node of [helios, chad]) process.kill(node.worker() ?? 0, "SIGUSR1");
	await untilConverged(world, [helios, chad]);
	expect([gone(helios), gone(chad)]).toEqual([0, 0]);
});
