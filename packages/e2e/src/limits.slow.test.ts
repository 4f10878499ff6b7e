import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("limits");
});
afterEach(() => world.remove());

const onHub = (name: string) => () => world.git("hub.git", "ls-tree", "-r", "--name-only", "main").split("\n").includes(name);

test("memory: above MEMORY_LIMIT_MB → cycle finished, 75, started again, nothing lost", async () => {
	const [node] = await world.pair({ a: "1" });
	world.write(
		"grow.mjs",
		`import fs from "node:fs"; const kept = [];
		setInterval(() => { if (fs.existsSync(${JSON.stringify(world.path("grow"))})) kept.push(Buffer.alloc(10_000_000, 1)); }, 50).unref();`,
	);
	const daemon = await node.start({ env: { MEMORY_LIMIT_MB: "200", NODE_OPTIONS: `--import ${world.path("grow.mjs")}` } });
	const grown = node.worker();
	// It passes the limit in the middle of a cycle, which takes until then.
	world.write("hub.git/hooks/pre-receive", `#!/bin/sh\nwhile [ ! -e '${world.path("go")}' ]; do sleep 0.1; done\n`, 0o755);
	node.write("b", "1");
	await node.run(["--send", "-"], { input: "a message" });
	world.write("grow", "");
	await until(
		() => /memory limit passed/.test(node.log()),
		() => node.log(),
	);
	fs.rmSync(world.path("grow"));
	expect(node.worker()).toBe(grown);
	node.write("c", "1");
	world.write("go", "");
	const worker = await node.untilOtherWorker(grown);
	await until(() => onHub("b")() && onHub("c")() && node.pending() === 0, "all that was written on the hub");
	expect(node.log()).toMatch(/memory limit passed.* committed.*worker exited with 75; starting it again/s);
	expect(node.messages()).toEqual(["a message"]);
	expect(node.worker()).toBe(worker);
	expect(daemon.process.exitCode).toBeNull();
	node.fsck();
}, 60_000);

describe("few open files are allowed", () => {
	test("open files: limit of 64 → directories that are not watched are scanned", async () => {
		const files = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`d${index}/f`, "1"]));
		const [node] = await world.pair(files, { within: ["prlimit", "--nofile=64:64"] });
		await node.start({ env: { SYNC_INTERVAL: "1", INVOCATION_ID: "e2e" } });
		node.write("d79/f", "2");
		node.write("new/directory/f", "1");
		await until(onHub("new/directory/f"), "the new file on the hub");
		await until(() => world.git("hub.git", "show", "main:d79/f") === "2", "the change on the hub");
	}, 60_000);

	test("open files: too few to start git → the remedy, recovers when there are more", async () => {
		const [node] = await world.pair(
			{ a: "1" },
			{ within: ["sh", "-c", 'exec prlimit --nofile="$FILES:$FILES" "$0" "$@"'], env: { FILES: "1024" } },
		);
		node.write("a", "2");
		const ended = await node.run(["--once"], { env: { FILES: "24" } });
		expect(ended.code).toBe(1);
		expect(ended.stderr).toMatch(/open files.*ulimit -n/);
		expect(node.git("show", "HEAD:a")).toBe("1");
		await node.once();
		expect(world.git("hub.git", "show", "main:a")).toBe("2");
	});
});

test("watches: the kernel's limit reached → one warning, changes are scanned for", async () => {
	// A user namespace has limits of its own (namespaces(7), /proc/sys/user): they affect no other process.
	const limited = ["unshare", "--user", "--map-root-user", "sh", "-c", 'echo 5 >/proc/sys/user/max_inotify_watches && exec "$0"'];
	if (spawnSync(limited[0] ?? "", [...limited.slice(1), "true"]).status !== 0) {
		process.stderr.write("user namespaces are not allowed here: nothing to test\n");
		return;
	}
	const files = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`d${index}/f`, "1"]));
	const [node] = await world.pair(files, { within: limited });
	await node.start({ env: { SYNC_INTERVAL: "60", INVOCATION_ID: "e2e" } });
	await until(() => /kernel's limit of file watches is reached/.test(node.log()), "the warning");
	node.write("d19/new", "1");
	await until(onHub("d19/new"), "the new file on the hub, long before the interval");
	expect(node.log().match(/limit of file watches/g)).toHaveLength(1);
}, 60_000);
