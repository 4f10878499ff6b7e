import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { readState, syncStateSchema } from "@robust-sync/workspace";
import { Node } from "./fixture/node.ts";
import { SmallDisk } from "./fixture/small-disk.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("damage");
});
afterEach(() => world.remove());

function expectWholeState(node: Node): void {
	for (const name of fs.readdirSync(node.paths.sync).filter((file) => file.endsWith(".json")))
		expect(() => JSON.parse(fs.readFileSync(path.join(node.paths.sync, name), "utf8"))).not.toThrow();
	expect(readState(node.paths.syncState, syncStateSchema).kind).toBe("ok");
}

/** A node whose workspace, and a peer of it outside of there, on a small file system. */
async function onSmallDisk(options: string): Promise<{ disk: SmallDisk; node: Node; peer: Node } | null> {
	const peer = world.node("peer");
	peer.write("a", "1\n");
	await peer.once();
	const disk = SmallDisk.mount(world, "disk", options);
	if (!disk) return null;
	world.init("disk/node", world.path("hub.git"));
	const node = new Node(world, "disk/node", {});
	world.nodes.push(node);
	await node.once();
	return { disk, node, peer };
}

describe("a disk that is full", () => {
	test("full disk: while committing → DISK_FULL, state whole, then recovers", async () => {
		const setup = await onSmallDisk("size=8m");
		if (!setup) return;
		const { disk, node, peer } = setup;
		node.write("large", Buffer.alloc(600_000, "a line of text that is not like another\n"));
		fs.writeFileSync(node.path("random"), Buffer.from(Array.from({ length: 300_000 }, () => Math.random() * 256)));
		disk.fill(60_000);
		const failure = await node.failure();
		expect(failure.code).toBe("DISK_FULL");
		expectWholeState(node);
		disk.free();
		await node.once();
		await peer.once();
		expect(peer.files()).toEqual(node.files());
		node.fsck();
	});

	test("full disk: fetching, checking out → DISK_FULL, no file half, the old ones stay", async () => {
		const setup = await onSmallDisk("size=8m");
		if (!setup) return;
		const { disk, node, peer } = setup;
		peer.write("a", "2\n");
		for (let index = 0; index < 6; index++)
			fs.writeFileSync(peer.path(`random${index}`), Buffer.from(Array.from({ length: 200_000 }, () => Math.random() * 256)));
		await peer.once();
		for (const leave of [20_000, 700_000, 1_500_000, 2_400_000]) {
			disk.fill(leave);
			const ended = await node.run(["--once", "--json"]);
			if (ended.code !== 0) expect(JSON.parse(ended.stdout).last_error.code).toBe("DISK_FULL");
			expectWholeState(node);
			expect(["1\n", "2\n"]).toContain(node.read("a"));
			disk.free();
		}
		await node.once();
		expect(node.files()).toEqual(peer.files());
		expect(node.dirty()).toBe("");
		node.fsck();
	});

	test("full disk: git writes a large file for us → DISK_FULL, no file is half", async () => {
		const setup = await onSmallDisk("size=24m");
		if (!setup) return;
		const { disk, node, peer } = setup;
		fs.writeFileSync(peer.path("large"), randomBytes(5_000_000));
		await peer.once();
		// Enough for the pack, not for the file as well.
		disk.fill(7_000_000);
		const ended = await node.run(["--once", "--json"]);
		expect({ code: ended.code, error: JSON.parse(ended.stdout).last_error?.code }).toEqual({ code: 1, error: "DISK_FULL" });
		expect(node.exists("large")).toBe(false);
		expectWholeState(node);
		disk.free();
		await node.once();
		expect(node.files()).toEqual(peer.files());
		node.fsck();
	});

	test("full disk: the daemon writes its state → lives, state right once there is space", async () => {
		const setup = await onSmallDisk("size=6m");
		if (!setup) return;
		const { disk, node } = setup;
		await node.start({ env: { SYNC_INTERVAL: "0.3" } });
		const worker = node.worker();
		disk.fill();
		await new Promise((resolve) => setTimeout(resolve, 1_500));
		expectWholeState(node);
		disk.free();
		const before = node.state()?.totals.cycles ?? 0;
		await node.untilState((state) => state.status === "idle" && state.last_error === null && state.totals.cycles > before + 1, "the truth");
		expect(node.worker()).toBe(worker);
	});

	test("full disk: no inodes → DISK_FULL, then recovers", async () => {
		const setup = await onSmallDisk("size=8m,nr_inodes=400");
		if (!setup) return;
		const { disk, node } = setup;
		for (let index = 0; index < 20; index++) node.write(`f${index}`, `${index}`);
		disk.fillInodes(3);
		expect((await node.failure()).code).toBe("DISK_FULL");
		expectWholeState(node);
		disk.freeInodes();
		await node.once();
		node.fsck();
	});

	test("full disk: on the hub → DISK_FULL that names the remote, nothing lost here", async () => {
		const node = world.node("helios");
		node.write("a", "1");
		await node.once();
		const disk = SmallDisk.mount(world, "hubdisk", "size=2m");
		if (!disk) return;
		fs.cpSync(world.path("hub.git"), world.path("hubdisk/hub.git"), { recursive: true });
		node.git("remote", "set-url", "origin", world.path("hubdisk/hub.git"));
		fs.writeFileSync(node.path("random"), Buffer.from(Array.from({ length: 400_000 }, () => Math.random() * 256)));
		disk.fill(50_000);
		expect((await node.failure()).code).toBe("DISK_FULL");
		disk.free();
		await node.once();
		world.git("hubdisk/hub.git", "fsck", "--strict");
	});
});

describe("a file system that is read-only", () => {
	test("read-only: the workspace → PERMISSION_DENIED in one line, then recovers", async () => {
		const setup = await onSmallDisk("size=8m");
		if (!setup) return;
		const { disk, node } = setup;
		node.write("b", "1");
		disk.remount("ro");
		const ended = await node.run(["--once"]);
		expect(ended.code).toBe(1);
		expect(ended.stderr).toMatch(/PERMISSION_DENIED|read-only|EROFS/);
		disk.remount("rw");
		await node.once();
	});

	test("read-only: the hub → PUSH_REJECTED, then recovers", async () => {
		const node = world.node("helios");
		node.write("a", "1");
		await node.once();
		const disk = SmallDisk.mount(world, "hubdisk", "size=4m");
		if (!disk) return;
		fs.cpSync(world.path("hub.git"), world.path("hubdisk/hub.git"), { recursive: true });
		node.git("remote", "set-url", "origin", world.path("hubdisk/hub.git"));
		disk.remount("ro");
		node.write("b", "1");
		expect((await node.failure()).code).toBe("PUSH_REJECTED");
		disk.remount("rw");
		await node.once();
	});
});

describe("a damaged repository", () => {
	function objectFile(node: Node, name: string): string {
		const oid = node.git("rev-parse", name).trim();
		return node.path(`.git/objects/${oid.slice(0, 2)}/${oid.slice(2)}`);
	}

	test.each([
		["empty", (file: string) => fs.writeFileSync(file, "")],
		["torn", (file: string) => fs.writeFileSync(file, fs.readFileSync(file).subarray(0, 5))],
		["missing", (file: string) => fs.rmSync(file)],
	])("damage: an object that is %s → CORRUPT_REPOSITORY, fetched by the next cycle", async (_how, damage) => {
		const [helios, chad] = await world.pair({ "a.json": '{"x":0}\n' });
		helios.write("a.json", '{"x":0,"h":1}\n');
		chad.write("a.json", '{"x":0,"c":1}\n');
		await chad.once();
		// The base of the merge that comes.
		const file = objectFile(helios, "HEAD:a.json");
		fs.chmodSync(file, 0o644);
		damage(file);
		expect(await helios.failure()).toMatchObject({ code: "CORRUPT_REPOSITORY", message: expect.stringMatching(/fsck/) });
		expect(helios.read("a.json")).toBe('{"x":0,"h":1}\n');
		await helios.once();
		await chad.once();
		expect(JSON.parse(chad.read("a.json"))).toEqual({ x: 0, h: 1, c: 1 });
		helios.fsck();
		expect(helios.log()).toMatch(/recovered: objects were missing or damaged/);
	});

	test("damage: our own unpushed commit is unreadable → back to a good one, files again", async () => {
		const [helios, chad] = await world.pair({ a: "1", b: "1" });
		fs.renameSync(world.path("hub.git"), world.path("away.git"));
		helios.write("a", "2");
		await helios.failure();
		const lost = helios.head();
		// Its content for the commit would be trusted.
		helios.git("commit-graph", "write", "--reachable");
		fs.rmSync(objectFile(helios, "HEAD"));
		fs.renameSync(world.path("away.git"), world.path("hub.git"));
		helios.write("b", "2");
		expect((await helios.failure()).code).toBe("CORRUPT_REPOSITORY");
		await helios.once();
		await chad.once();
		expect(chad.files()).toEqual({ a: "2", b: "2" });
		expect(helios.head()).not.toBe(lost);
		expect(fs.existsSync(helios.path(".git/objects/info/commit-graph"))).toBe(false);
		helios.fsck();
		expect(helios.log()).toMatch(/went back from [0-9a-f]{12}, which cannot be read/);
	});

	test("damage: an index that is empty, torn or nonsense → set aside, made again", async () => {
		const [node] = await world.pair({ a: "1", b: "1" });
		for (const [index, damage] of [
			(content: Buffer) => content.subarray(0, 0),
			(content: Buffer) => content.subarray(0, content.length - 30),
			(content: Buffer) => Buffer.concat([content.subarray(0, 60), Buffer.alloc(content.length - 60)]),
			() => Buffer.from("nonsense"),
		].entries()) {
			const file = node.path(".git/index");
			fs.writeFileSync(file, damage(fs.readFileSync(file)));
			node.write("a", `${index + 2}`);
			await node.once();
			expect(world.git("hub.git", "ls-tree", "--name-only", "main").trim()).toBe("a\nb");
			expect(world.git("hub.git", "show", "main:a")).toBe(`${index + 2}`);
		}
		expect(node.log()).toMatch(/recovered: the index was torn/);
		expect(fs.readdirSync(node.path(".git/robust-sync/torn-indexes")).length).toBe(4);
	});

	test("damage: another git's automatic gc with prune → nothing is lost", async () => {
		const [helios, chad] = await world.pair({ a: "1" });
		for (let round = 0; round < 5; round++) {
			helios.write("a", `${round}`);
			chad.write("b", `${round}`);
			await Promise.all([helios.once(), chad.once(), (async () => helios.git("gc", "--quiet", "--prune=now"))()]);
		}
		await helios.once();
		await chad.once();
		await helios.once();
		helios.fsck();
		expect(helios.files()).toEqual(chad.files());
	});
});
