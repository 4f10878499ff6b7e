import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import type { Node } from "./fixture/node.ts";
import { SmallDisk } from "./fixture/small-disk.ts";
import { WebServer } from "./fixture/web-server.ts";
import { World } from "./fixture/world.ts";

let world: World;
let helios: Node;
let chad: Node;
beforeEach(async () => {
	world = new World("web");
	[helios, chad] = await world.pair({ a: "1" });
});
afterEach(() => world.remove());

function aim(node: Node, url: string): void {
	node.git("remote", "set-url", "origin", url);
}

/** Null where nginx or fcgiwrap is missing. */
async function serve(root = world.directory): Promise<WebServer | null> {
	return await WebServer.start(world, root);
}

describe("a hub behind nginx with git's http-backend and basic auth", () => {
	test("web hub: password in the address or by a helper, large pushes → in no log", async () => {
		const server = await serve();
		if (!server) return;
		aim(helios, server.url());
		aim(chad, server.url("", { user: "" }));
		fs.writeFileSync(world.path("credentials"), `http://sync:hunter22@127.0.0.1%3a${server.port}\n`, { mode: 0o600 });
		chad.git("config", "credential.helper", `store --file=${world.path("credentials")}`);
		// More than git sends in one piece (http.postBuffer).
		helios.write("large", Buffer.from(Array.from({ length: 1_500_000 }, (_, index) => (index * 2_654_435_761) >>> 24)));
		await helios.once();
		chad.write("from-chad", "1");
		await chad.once();
		await helios.once();
		expect(helios.files()).toEqual(chad.files());
		for (const node of [helios, chad]) expect(node.log() + JSON.stringify(node.state())).not.toContain("hunter22");
	}, 60_000);

	test("web hub: wrong or no password, 403, 429, 502 → its code, then recovers", async () => {
		const server = await serve();
		if (!server) return;
		helios.write("b", "1");
		for (const [url, code] of [
			[server.url("", { password: "wrong" }), "AUTH_FAILED"],
			[server.url("", { user: "" }), "AUTH_FAILED"],
			[server.url("forbidden"), "AUTH_FAILED"],
			[server.url("busy"), "RATE_LIMITED"],
			[server.url("broken"), "REMOTE_UNREACHABLE"],
		] as const) {
			aim(helios, url);
			expect({ url, code: (await helios.failure()).code }).toEqual({ url, code });
		}
		aim(helios, server.url());
		await helios.once();
		expect(world.git("hub.git", "show", "main:b")).toBe("1");
	}, 60_000);

	test("web hub: one byte a second → killed after GIT_TIMEOUT, nothing left running", async () => {
		const server = await serve();
		if (!server) return;
		aim(helios, server.url("trickle"));
		expect((await helios.failure({ env: { GIT_TIMEOUT: "1.5" } })).code).toBe("GIT_TIMEOUT");
		const clients = () =>
			fs.readdirSync("/proc").filter((pid) => {
				try {
					return (
						/^\d+$/.test(pid) &&
						/^git/.test(fs.readFileSync(`/proc/${pid}/cmdline`, "utf8")) &&
						fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`:${server.port}`)
					);
				} catch {
					return false;
				}
			});
		await until(() => clients().length === 0, "git and its helper to be gone");
	}, 30_000);

	test("web hub: disk full, or read-only → its code, nothing lost, then recovers", async () => {
		const disk = SmallDisk.mount(world, "disk", "size=3m");
		if (!disk) return;
		fs.cpSync(world.path("hub.git"), world.path("disk/hub.git"), { recursive: true });
		const server = await serve(world.path("disk"));
		if (!server) return;
		aim(helios, server.url());
		helios.write("random", Buffer.from(Array.from({ length: 20_000 }, () => Math.random() * 256)));
		disk.fill(8_000);
		// Its git's message about the disk is for people.
		expect((await helios.failure()).code).toBe("PUSH_REJECTED");
		expect(helios.state()?.last_error?.remote_message).toMatch(/./);
		disk.free();
		disk.remount("ro");
		// Git's progress before the failure decides whether its message arrives, or only the web server's 502.
		expect((await helios.failure()).code).toMatch(/^(PUSH_REJECTED|REMOTE_UNREACHABLE)$/);
		disk.remount("rw");
		await helios.once();
		world.git("disk/hub.git", "fsck", "--strict");
		expect(world.git("disk/hub.git", "rev-parse", "main").trim()).toBe(helios.head());
	}, 60_000);
});
