import fs from "node:fs";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { type HttpGitServer, startHttpServer, startSilentServer } from "@robust-sync/git/fixtures/http-server";
import { until } from "@robust-sync/git/fixtures/scratch";
import { hasSsh, hasSshServer, SshServer } from "@robust-sync/git/fixtures/ssh-server";
import { type Node, untilConverged } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("network");
});
afterEach(() => world.remove());

/** Processes whose command line names this port: git, ssh, git-remote-http. */
function processesOn(port: number): number[] {
	return fs
		.readdirSync("/proc")
		.map(Number)
		.filter((pid) => {
			try {
				return pid > 0 && pid !== process.pid && fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(String(port));
			} catch {
				return false;
			}
		});
}

function aim(node: Node, url: string): void {
	node.git("remote", "set-url", "origin", url);
}

(hasSshServer ? describe : describe.skip)("a hub over real ssh", () => {
	let keys: World;
	let ssh: SshServer;
	beforeAll(async () => {
		keys = new World("ssh");
		ssh = await SshServer.start(keys.path("ssh"));
	});
	afterAll(async () => {
		await ssh.stop();
		await keys.remove();
	});
	const env = (key = "user") => ({ GIT_SSH_COMMAND: ssh.command({ key }) });

	test("ssh hub: two daemons → sync", async () => {
		const [helios, chad] = await world.pair({ a: "1" }, { env: { SYNC_INTERVAL: "0.5", ...env() } });
		for (const node of [helios, chad]) {
			aim(node, ssh.url(world.path("hub.git")));
			await node.start();
		}
		helios.write("from-helios", "1");
		chad.write("from-chad", "1");
		await until(
			() => helios.exists("from-chad") && chad.exists("from-helios"),
			() => `both files\n${helios.log().slice(-1_500)}`,
		);
		await untilConverged(world, [helios, chad]);
	}, 60_000);

	test("ssh hub: goes away and comes back → REMOTE_UNREACHABLE, then all is there", async () => {
		const [node] = await world.pair({ a: "1" }, { env: { SYNC_INTERVAL: "0.3", ...env() } });
		aim(node, ssh.url(world.path("hub.git")));
		await node.start();
		await ssh.stop({ connections: true });
		node.write("b", "1");
		await node.untilState((state) => state.last_error?.code === "REMOTE_UNREACHABLE", "the failure");
		await ssh.resume();
		await node.untilState((state) => state.status === "idle" && state.last_error === null, "recovery");
		await untilConverged(world, [node]);
	}, 60_000);

	test("ssh hub: changed host key, refused key → AUTH_FAILED, the remedy, no prompt", async () => {
		const [node] = await world.pair({ a: "1" });
		aim(node, ssh.url(world.path("hub.git")));
		expect(await node.failure({ env: env("stranger") })).toMatchObject({
			code: "AUTH_FAILED",
			message: expect.stringMatching(/key without passphrase/),
		});
		await ssh.changeHostKey();
		expect(await node.failure({ env: env() })).toMatchObject({ code: "AUTH_FAILED", message: expect.stringMatching(/host key/) });
		ssh.trustHostKey();
		await node.once({ env: env() });
	});
});

describe("a hub over real http", () => {
	let server: HttpGitServer;
	let node: Node;
	beforeEach(async () => {
		[node] = await world.pair({ a: "1" });
		server = await startHttpServer(world.directory);
		server.password = "hunter22";
		aim(node, server.url.replace("//", "//sync:hunter22@").concat("/hub.git"));
	});
	afterEach(() => server.close());

	test("http hub: password in the address → syncs, the password is in no log", async () => {
		node.write("b", "1");
		await node.once();
		expect(world.git("hub.git", "show", "main:b")).toBe("1");
		server.answer = 503;
		await node.failure();
		expect(node.log() + JSON.stringify(node.state())).not.toContain("hunter22");
	});

	test.each([
		[401, "AUTH_FAILED"],
		[403, "AUTH_FAILED"],
		[429, "RATE_LIMITED"],
		[500, "REMOTE_UNREACHABLE"],
	] as const)("http hub: answers %d → %s, and recovers by itself", async (status, code) => {
		node.write("b", "1");
		server.answer = status;
		expect((await node.failure()).code).toBe(code);
		server.answer = "serve";
		// A remote that limits is left alone for a minute, unless the repository is configured meanwhile.
		if (code === "RATE_LIMITED") node.git("config", "remote.origin.url", node.git("config", "remote.origin.url").trim());
		await node.once();
		expect(world.git("hub.git", "show", "main:b")).toBe("1");
	});
});

describe("a server that does not behave", () => {
	test("http hub: accepts, no answer → killed after GIT_TIMEOUT with its group", async () => {
		const [node] = await world.pair({ a: "1" });
		const silent = await startSilentServer();
		try {
			for (const url of [...(hasSsh ? [`ssh://nobody@127.0.0.1:${silent.port}/x`] : []), `http://127.0.0.1:${silent.port}/x.git`]) {
				aim(node, url);
				const failure = await node.failure({ env: { GIT_TIMEOUT: "0.7" } });
				expect(failure.code).toBe("GIT_TIMEOUT");
				await until(() => processesOn(silent.port).length === 0, "git and ssh to be gone");
			}
		} finally {
			await silent.close();
		}
	});

	test("http hub: the daemon is stopped in the middle → no orphan", async () => {
		const [node] = await world.pair({ a: "1" });
		const silent = await startSilentServer();
		try {
			await node.start({ env: { GIT_TIMEOUT: "60" } });
			aim(node, `http://127.0.0.1:${silent.port}/x.git`);
			process.kill(node.worker() ?? 0, "SIGUSR1");
			await until(() => silent.connections() > 0, "the connection");
			const worker = node.worker() ?? 0;
			process.kill(worker, "SIGTERM");
			// Two within 200 ms count as one: a wrapper and the terminal both pass a signal on.
			await sleep(400);
			process.kill(worker, "SIGTERM");
			await until(() => processesOn(silent.port).length === 0, "git to be gone");
		} finally {
			await silent.close();
		}
	});

	test("http hub: trickles one byte at a time → killed after GIT_TIMEOUT", async () => {
		const [node] = await world.pair({ a: "1" });
		const server = net.createServer((socket) => {
			const head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nContent-Length: 100000\r\n\r\n";
			socket.write(head);
			const timer = setInterval(() => socket.write("0"), 50);
			socket.on("close", () => clearInterval(timer));
			socket.on("error", () => clearInterval(timer));
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		try {
			aim(node, `http://127.0.0.1:${(server.address() as net.AddressInfo).port}/x.git`);
			expect((await node.failure({ env: { GIT_TIMEOUT: "0.8" } })).code).toBe("GIT_TIMEOUT");
		} finally {
			server.close();
		}
	});

	test("http hub: closes in the middle of a pack → REMOTE_UNREACHABLE, repository whole", async () => {
		const [helios, chad] = await world.pair({ a: "1" });
		for (let index = 0; index < 30; index++) chad.write(`large${index}`, Buffer.alloc(20_000, Math.random().toString(36).repeat(10)));
		await chad.once();
		const web = await startHttpServer(world.directory);
		let limit = 3_000;
		// Between git and the real server: lets this many bytes through in a connection, then hangs up.
		const proxy = net.createServer((client) => {
			const upstream = net.connect(Number(new URL(web.url).port), "127.0.0.1");
			let passed = 0;
			client.pipe(upstream);
			upstream.on("data", (chunk: Buffer) => {
				passed += chunk.length;
				if (passed > limit) {
					client.destroy();
					upstream.destroy();
				} else client.write(chunk);
			});
			upstream.on("end", () => client.end());
			for (const socket of [client, upstream]) socket.on("error", () => undefined);
		});
		await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
		try {
			aim(helios, `http://127.0.0.1:${(proxy.address() as net.AddressInfo).port}/hub.git`);
			expect((await helios.failure()).code).toBe("REMOTE_UNREACHABLE");
			helios.fsck();
			expect(helios.dirty()).toBe("");
			limit = Number.POSITIVE_INFINITY;
			await helios.once();
			expect(helios.files()).toEqual(chad.files());
		} finally {
			proxy.close();
			await web.close();
		}
	});

	test("hub hook: refuses → PUSH_REJECTED with its words; others' pushes are received", async () => {
		const [helios, chad] = await world.pair({ a: "1" });
		chad.write("from-chad", "1");
		await chad.once();
		world.write("hub.git/hooks/pre-receive", "#!/bin/sh\necho 'permission denied: no pushes today' >&2\nexit 1\n", 0o755);
		helios.write("mine", "1");
		const failure = await helios.failure();
		expect(failure).toMatchObject({ code: "PUSH_REJECTED", message: expect.stringContaining("hook") });
		expect(failure.stderr).toContain("the remote says: permission denied: no pushes today");
		expect(helios.state()?.last_error).toMatchObject({ remote_message: "permission denied: no pushes today" });
		expect((await helios.run(["--status"])).stdout).toContain("no pushes today");
		expect(helios.read("from-chad")).toBe("1");
		expect(helios.state()?.ahead).toBeGreaterThan(0);
		fs.rmSync(world.path("hub.git/hooks/pre-receive"));
		await helios.once();
		await chad.once();
		expect(chad.files()).toEqual(helios.files());
	});
});
