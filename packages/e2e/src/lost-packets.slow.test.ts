import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { SshServer } from "@robust-sync/git/fixtures/ssh-server";
import { NetworkNamespace } from "./fixture/namespace.ts";
import { untilConverged } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("packets");
});
afterEach(() => world.remove());

/** A hub over ssh in a network of its own, and two nodes there. Null where that needs more than this process may do. */
async function hubInNamespace(env: Record<string, string>) {
	const namespace = NetworkNamespace.make(world);
	if (!namespace) return null;
	const ssh = await SshServer.start(world.path("ssh"), { under: namespace.within });
	world.atEnd(() => ssh.stop({ connections: true }));
	const nodes = await world.pair({ a: "1" }, { within: namespace.within, env: { GIT_SSH_COMMAND: ssh.command(), ...env } });
	for (const node of nodes) node.git("remote", "set-url", "origin", ssh.url(world.path("hub.git")));
	/** git and ssh, but not the processes of the server. */
	const clients = () => [...namespace.processes().values()].filter((name) => /^(git|ssh)/.test(name) && name !== "sshd");
	return { namespace, ssh, nodes, clients };
}

describe("packets that get lost (iptables DROP, silently)", () => {
	test("lost packets: an open connection becomes half-open → killed after GIT_TIMEOUT", async () => {
		const lab = await hubInNamespace({ GIT_TIMEOUT: "1.5", SYNC_INTERVAL: "0.4" });
		if (!lab) return;
		const { namespace, ssh, nodes, clients } = lab;
		const daemons = [await nodes[0].start(), await nodes[1].start()];
		nodes[0].write("before", "1");
		await until(() => nodes[1].exists("before"), "the way before");
		namespace.drop(ssh.port);
		nodes[0].write("meanwhile", "1");
		nodes[1].write("there-too", "1");
		for (const node of nodes)
			await node.untilState((state) => state.last_error?.code === "GIT_TIMEOUT" && state.consecutive_failures >= 2, "two failures");
		// One attempt at a time, each with its own end: nothing piles up.
		expect(clients().length).toBeLessThanOrEqual(2 * 4);
		namespace.pass();
		await untilConverged(world, nodes, { deadlineMs: 40_000 });
		expect(nodes[0].files()).toEqual({ a: "1", before: "1", meanwhile: "1", "there-too": "1" });
		for (const node of nodes) await node.run(["--stop"]);
		await Promise.all(daemons.map((daemon) => daemon.ended));
		await until(
			() => clients().filter((name) => name.startsWith("ssh")).length === 0,
			() => `no ssh to be left: ${clients()}`,
		);
	}, 90_000);

	test("lost packets: no connection → killed after GIT_TIMEOUT, writes committed here", async () => {
		const lab = await hubInNamespace({ GIT_TIMEOUT: "1" });
		if (!lab) return;
		const { namespace, ssh, nodes, clients } = lab;
		namespace.drop(ssh.port);
		const [node] = nodes;
		node.write("b", "1");
		expect(await node.failure()).toMatchObject({ code: "GIT_TIMEOUT", message: expect.stringContaining("GIT_TIMEOUT") });
		expect(clients()).toEqual([]);
		expect(node.git("show", "HEAD:b")).toBe("1");
		node.git("remote", "set-url", "origin", `http://127.0.0.1:${ssh.port}/hub.git`);
		expect((await node.failure()).code).toBe("GIT_TIMEOUT");
		expect(clients()).toEqual([]);
		namespace.pass();
		node.git("remote", "set-url", "origin", ssh.url(world.path("hub.git")));
		await node.once({ env: { GIT_TIMEOUT: "60" } });
		expect(world.git("hub.git", "show", "main:b")).toBe("1");
	}, 60_000);
});

test("network: no route, unknown names → REMOTE_UNREACHABLE at once, recovers", async () => {
	const lab = await hubInNamespace({});
	if (!lab) return;
	const { namespace, ssh, nodes } = lab;
	const [node] = nodes;
	node.write("b", "1");
	namespace.nameserver("127.0.0.1");
	for (const host of ["192.0.2.1", "hub.example.org"]) {
		for (const url of [`ssh://root@${host}:${ssh.port}/hub.git`, `https://${host}/hub.git`]) {
			node.git("remote", "set-url", "origin", url);
			const { code, message } = await node.failure();
			expect({ url, code, message }).toEqual({ url, code: "REMOTE_UNREACHABLE", message: expect.stringContaining("git remote -v") });
		}
	}
	node.git("remote", "set-url", "origin", ssh.url(world.path("hub.git")));
	await node.once();
	expect(world.git("hub.git", "show", "main:b")).toBe("1");
}, 60_000);

test("hub over ssh: disk full, or read-only → its code, nothing lost, recovers later", async () => {
	const { SmallDisk } = await import("./fixture/small-disk.ts");
	const { cpSync, writeFileSync } = await import("node:fs");
	// First the disk: a network namespace has mounts of its own from its beginning.
	const disk = SmallDisk.mount(world, "hubdisk", "size=2m");
	const lab = disk && (await hubInNamespace({}));
	if (!lab) return;
	const [node, peer] = lab.nodes;
	cpSync(world.path("hub.git"), world.path("hubdisk/hub.git"), { recursive: true });
	for (const each of [node, peer]) each.git("remote", "set-url", "origin", lab.ssh.url(world.path("hubdisk/hub.git")));
	writeFileSync(node.path("random"), execFileSync("head", ["-c", "20000", "/dev/urandom"]));
	// Less than a pipe holds: git has sent it all before it gets the answer.
	disk.fill(8_000);
	// Its git's message about the disk is for people.
	expect((await node.failure()).code).toBe("PUSH_REJECTED");
	expect(node.state()?.last_error?.remote_message).toMatch(/./);
	disk.free();
	disk.remount("ro");
	expect((await node.failure()).code).toMatch(/^(PUSH_REJECTED|PERMISSION_DENIED)$/);
	disk.remount("rw");
	await node.once();
	await peer.once();
	expect(peer.files()).toEqual(node.files());
	world.git("hubdisk/hub.git", "fsck", "--strict");
}, 60_000);
