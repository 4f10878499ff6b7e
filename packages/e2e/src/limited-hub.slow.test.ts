import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type HttpGitServer, startHttpServer } from "@robust-sync/git/fixtures/http-server";
import { until } from "@robust-sync/git/fixtures/scratch";
import type { Node } from "./fixture/node.ts";
import { WebServer } from "./fixture/web-server.ts";
import { World } from "./fixture/world.ts";

let world: World;
let helios: Node;
let web: HttpGitServer;
beforeEach(async () => {
	world = new World("limited");
	web = await startHttpServer(world.directory);
	[helios] = await world.pair({ a: "1" }, { env: { SYNC_INTERVAL: "0.3" } });
	helios.git("remote", "set-url", "origin", `${web.url}/hub.git`);
});
afterEach(async () => {
	await world.remove();
	await web.close();
});

test("daemon: the hub answers 429 → one attempt, commits go on, also after a restart", async () => {
	Object.assign(web, { answer: 429, headers: { "retry-after": "100", "content-type": "text/plain" }, body: "slow down" });
	await helios.start();
	await until(() => helios.state()?.last_error?.code === "RATE_LIMITED", "the limit to be recorded");
	const attempts = web.requests.length;
	expect(attempts).toBe(1);
	const wait = () => Date.parse(helios.state()?.next_attempt ?? "") - Date.now();
	expect(wait()).toBeGreaterThan(80_000);
	for (const name of ["b", "c"]) {
		helios.write(name, name);
		await until(() => helios.git("log", "--format=%s", "-1").includes(`(${name})`), `${name} to be committed`);
	}
	await helios.run(["--stop"]);
	await helios.start();
	helios.write("d", "d");
	await until(() => helios.git("log", "--format=%s", "-1").includes("(d)"), "d to be committed");
	await until(() => helios.state()?.status === "retrying" && helios.state()?.ahead === 3, "the cycle that committed d to end");
	expect(web.requests).toHaveLength(attempts);
	expect(helios.state()).toMatchObject({
		status: "retrying",
		ahead: 3,
		consecutive_failures: 1,
		last_error: { code: "RATE_LIMITED", remote_message: "slow down" },
	});
	expect(wait()).toBeGreaterThan(50_000);
	web.answer = "serve";
	await helios.run(["--stop"]);
	// A person's cycle leaves it alone as well, until the time is over or the remote is set again.
	expect(await helios.failure()).toMatchObject({ code: "RATE_LIMITED", stderr: expect.stringMatching(/waiting another \d+ s/) });
	expect((await helios.run(["--once", "--dry-run"])).stdout).toMatch(/blocked .*limits requests.*waiting another \d+ s/);
	expect(web.requests).toHaveLength(attempts);
	helios.git("remote", "set-url", "origin", `${web.url}/hub.git`);
	await helios.once();
	expect(world.git("hub.git", "show", "main:d")).toBe("d");
});

test("daemon: a push interval → the first change at once, a burst in few pushes", async () => {
	await helios.start({ env: { SYNC_PUSH_INTERVAL: "3" } });
	await until(() => helios.state()?.status === "idle", "the first cycle");
	const pushes = () => web.requests.filter((request) => request.startsWith("POST git-receive-pack")).length;
	const started = Date.now();
	helios.write("first", "1");
	await until(() => pushes() === 1, "the first change on the hub");
	expect(Date.now() - started).toBeLessThan(2_500);
	for (let index = 0; index < 20; index++) {
		helios.write(`burst-${index}`, "1");
		await until(() => helios.git("ls-files", `burst-${index}`) !== "", `burst-${index} to be committed`);
	}
	await until(() => world.git("hub.git", "ls-tree", "--name-only", "main").includes("burst-19"), "the burst on the hub");
	expect(pushes()).toBeLessThanOrEqual(2 + Math.floor((Date.now() - started) / 3_000));
});

test("nginx: 429 with Retry-After → RATE_LIMITED, avoided that long, then asked", async () => {
	const server = await WebServer.start(world, world.directory);
	if (server === null) return;
	const failureOf = async (way: "limited" | "later") => {
		helios.git("remote", "set-url", "origin", server.url(way));
		helios.write(way, "1");
		await helios.start({ env: { SYNC_INTERVAL: "0.3" } });
		await until(() => helios.state()?.last_error?.code === "RATE_LIMITED", `${way}: the limit to be recorded`);
		await helios.run(["--stop"]);
		return Date.parse(helios.state()?.next_attempt ?? "") - Date.now();
	};
	expect(await failureOf("limited")).toBeGreaterThan(40_000);
	helios.git("remote", "set-url", "origin", server.url());
	await helios.once();
	expect(await failureOf("later")).toBeGreaterThan(7_000_000);
	helios.git("remote", "set-url", "origin", server.url());
	await helios.once();
	expect(world.git("hub.git", "ls-tree", "--name-only", "main")).toContain("later");
});

test("nginx: 1 MB limit, five commits of 300 kB → in steps; one too large → named", async () => {
	const server = await WebServer.start(world, world.directory);
	if (server === null) return;
	helios.git("remote", "set-url", "origin", server.url("small"));
	for (let index = 0; index < 5; index++) {
		helios.write(`large${index}`, randomBytes(300_000));
		world.commitAll("helios");
	}
	await helios.once();
	expect(world.git("hub.git", "rev-parse", "main").trim()).toBe(helios.head());
	helios.write("too-large.bin", randomBytes(1_500_000));
	const { code, message } = await helios.failure();
	expect(code).toBe("PUSH_TOO_LARGE");
	expect(message).toMatch(/commit [0-9a-f]{12} does not get through even alone; the largest file in it is too-large\.bin \(1\.5 MB\)/);
});

test("hub: restored from an old backup → missing commits pushed again, nothing lost", async () => {
	const backup = world.git("hub.git", "rev-parse", "main").trim();
	for (const name of ["b", "c"]) {
		helios.write(name, "1");
		await helios.once();
	}
	world.git("hub.git", "update-ref", "refs/heads/main", backup);
	helios.write("d", "1");
	await helios.once();
	expect(world.git("hub.git", "ls-tree", "--name-only", "main").trim().split("\n")).toEqual(["a", "b", "c", "d"]);
	expect(world.git("hub.git", "rev-parse", "main").trim()).toBe(helios.head());
});
