import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("pause");
});
afterEach(() => world.remove());

const onHub = (name: string) => world.git("hub.git", "ls-tree", "-r", "--name-only", "main").split("\n").includes(name);

describe("pause:", () => {
	test("a daemon that is paused → neither commits nor fetches until resumed", async () => {
		const [helios, chad] = await world.pair({ a: "1" });
		await helios.start();
		expect((await helios.run(["--pause"])).stdout).toContain("until someone resumes it; robust-sync --resume ends it");
		await until(() => helios.state()?.status === "paused", "the status");
		const head = helios.git("rev-parse", "HEAD");
		helios.write("mine", "1");
		chad.write("theirs", "1");
		await chad.once();
		expect(await helios.failure()).toMatchObject({ code: "PAUSED" });
		await sleep(1_000);
		expect(helios.git("rev-parse", "HEAD")).toBe(head);
		expect(helios.exists("theirs")).toBe(false);
		const { stdout, code } = await helios.run(["--status"]);
		expect(stdout).toContain("robust-sync is paused");
		expect(code).toBe(0);
		expect((await helios.run(["--resume"])).stdout).toBe("sync continues\n");
		await until(() => onHub("mine") && helios.exists("theirs"), "both files");
	}, 60_000);

	test("a paused daemon killed and started again → still paused, ends by itself", async () => {
		const [node] = await world.pair({ a: "1" });
		const daemon = await node.start();
		expect((await node.run(["--pause", "4s", "--json"])).code).toBe(0);
		const ends = Date.now() + 4_000;
		daemon.process.kill("SIGKILL");
		await daemon.ended;
		await node.killAll();
		node.write("mine", "1");
		await node.start({ ready: false });
		await until(() => onHub("mine"), "the file on the hub");
		expect(Date.now()).toBeGreaterThanOrEqual(ends - 1_000);
	}, 60_000);

	test.each(["soon", "0", "-1h", "9999999999d"])("--pause %s → exit code 2, nothing paused", async (duration) => {
		const [node] = await world.pair({ a: "1" });
		expect((await node.run([`--pause=${duration}`])).code).toBe(2);
		expect(fs.existsSync(node.paths.pause)).toBe(false);
	});
});

describe("wait:", () => {
	test("a running instance → returns when files, a deletion and a message are on the hub", async () => {
		const [node] = await world.pair({ a: "1", b: "2" });
		await node.start();
		for (let round = 0; round < 3; round++) {
			node.write(`dir/${round} ü`, "x");
			if (round === 1) fs.rmSync(node.path("b"));
			await node.run(["--send", "-"], { input: `message ${round}` });
			const { code, stderr } = await node.run(["--wait", "--json"]);
			expect([code, stderr]).toEqual([0, ""]);
			expect(world.git("hub.git", "-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", "main")).toContain(`dir/${round} ü`);
			expect(onHub("b")).toBe(round === 0);
			expect(world.git("hub.git", "ls-tree", "-r", "--name-only", "main").match(/^messages\//gm)).toHaveLength(round + 1);
		}
	}, 60_000);

	test("no instance → cycles are run here", async () => {
		const [node] = await world.pair({ a: "1" });
		node.write("mine", "1");
		expect((await node.run(["--wait"])).stdout).toMatch(/^on the hub: [0-9a-f]{12}\n$/);
		expect(onHub("mine")).toBe(true);
	}, 60_000);

	test("a file written again and again → waits for its first version only", async () => {
		const [node] = await world.pair({ a: "1" });
		await node.start();
		let stop = false;
		const writer = (async () => {
			for (let index = 0; !stop; index++) {
				fs.writeFileSync(node.path("restless"), `${index}\n`);
				await sleep(5);
			}
		})();
		try {
			node.write("mine", "1");
			expect((await node.run(["--wait", "--timeout", "30"])).code).toBe(0);
			expect(onHub("mine")).toBe(true);
		} finally {
			stop = true;
			await writer;
		}
	}, 60_000);

	test("no instance, and the hub hangs → exit code 1 in time; the cycle continues", async () => {
		const [node] = await world.pair({ a: "1" });
		const gate = world.path("gate");
		fs.writeFileSync(gate, "");
		fs.writeFileSync(world.path("receive"), `#!/bin/sh\nwhile [ -e '${gate}' ]; do sleep 0.05; done\nexec git-receive-pack "$@"\n`, {
			mode: 0o755,
		});
		node.git("config", "remote.origin.receivepack", world.path("receive"));
		node.write("mine", "1");
		const { code, stderr, stdout } = await node.run(["--wait", "--timeout", "3", "--json"]);
		expect([code, stderr]).toEqual([1, expect.stringContaining("the cycle still runs")]);
		expect(JSON.parse(stdout)).toMatchObject({ done: false, on_hub: false });
		fs.rmSync(gate);
		await until(() => onHub("mine"), "the file on the hub");
		expect((await node.run(["--wait"])).code).toBe(0);
	}, 60_000);

	test("the remote's address has changed → the new remote is asked", async () => {
		const [node] = await world.pair({ a: "1" });
		world.git(".", "clone", "--quiet", "--bare", "hub.git", "other.git");
		world.git("other.git", "update-ref", "-d", "refs/heads/main");
		node.git("remote", "set-url", "origin", world.path("other.git"));
		expect((await node.run(["--wait"])).code).toBe(0);
		expect(world.git("other.git", "rev-parse", "main")).toBe(node.git("rev-parse", "HEAD"));
	}, 60_000);

	test("the hub is away, or sync is paused → exit 1, the missing paths and the reason", async () => {
		const [node] = await world.pair({ a: "1" });
		node.write("mine", "1");
		fs.renameSync(world.path("hub.git"), world.path("away"));
		const away = await node.run(["--wait", "--timeout", "5"]);
		expect(away.code).toBe(1);
		expect(away.stderr).toMatch(/not on the hub yet; (REMOTE_UNREACHABLE|NO_REMOTE): /);
		// Runs after the cycle that the last command left running.
		await node.run(["--once"]);
		fs.renameSync(world.path("away"), world.path("hub.git"));
		node.write("more", "1");
		await node.run(["--pause"]);
		const paused = await node.run(["--wait", "--timeout", "9"]);
		expect(paused.stderr).toContain("not committed yet: more; sync is paused");
		expect(paused.code).toBe(1);
	}, 60_000);

	test("peers that are none, or a timeout that is none → exit code 2", async () => {
		const [node] = await world.pair({ a: "1" }, { env: { PEERS: "chad=127.0.0.1" } });
		const stranger = await node.run(["--wait", "--peers", "nobody"]);
		expect([stranger.code, stranger.stderr]).toEqual([2, expect.stringContaining("its peers are chad")]);
		expect((await node.run(["--wait", "--timeout", "long"])).code).toBe(2);
		await node.once();
		const silent = await node.run(["--wait", "--peers", "--timeout", "1"]);
		expect([silent.code, silent.stderr]).toEqual([1, expect.stringContaining("not on chad yet")]);
	}, 60_000);
});
