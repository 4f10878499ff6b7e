import dgram from "node:dgram";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { heartbeatStateSchema, peerStateSchema, readState } from "@robust-sync/workspace";
import type { Ended, Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
let heartbeats: { node: Node; ended: Promise<Ended> }[];
beforeEach(() => {
	world = new World("announcements");
	heartbeats = [];
});
afterEach(async () => {
	for (const { node, ended } of heartbeats) {
		const read = readState(node.paths.heartbeatState, heartbeatStateSchema);
		if (read.kind === "ok") process.kill(read.state.pid, "SIGTERM");
		await ended;
	}
	await world.remove();
});

async function freeUdpPort(): Promise<number> {
	const socket = dgram.createSocket("udp4");
	await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
	const { port } = socket.address();
	await new Promise<void>((resolve) => socket.close(resolve));
	return port;
}

test("announcement: a change, no scan for hours → on the other node at once", async () => {
	const nodes = await world.pair({ a: "1\n" });
	const [helios, chad] = nodes;
	const ports = [await freeUdpPort(), await freeUdpPort()];
	for (const [i, node] of nodes.entries()) {
		const other = nodes[1 - i]!;
		await node.start({ env: { SYNC_INTERVAL: "86400" } });
		const env = {
			INVOCATION_ID: "test",
			HEARTBEAT_PORT: String(ports[i]),
			HEARTBEAT_KEY: "a secret of sixteen or more",
			PEERS: `${other.name}=127.0.0.1:${ports[1 - i]}`,
		};
		heartbeats.push({ node, ended: node.run([], { executable: "heartbeat", env }) });
	}
	await until(
		() =>
			nodes.every((node, i) => {
				const read = readState(node.paths.peerState(nodes[1 - i]!.name), peerStateSchema);
				return read.kind === "ok" && read.state.hears_us === true;
			}),
		"both nodes to hear each other",
		20_000,
	);
	for (const [from, to, name] of [
		[helios, chad, "from-helios"],
		[chad, helios, "from-chad"],
	] as const) {
		from.write(name, "new\n");
		await until(
			() => to.exists(name) && to.read(name) === "new\n",
			() => `what ${from.name} wrote on ${to.name}\n${to.log().slice(-1_500)}`,
			15_000,
		);
	}
	expect(world.git("hub.git", "ls-tree", "--name-only", "main").split("\n")).toEqual(
		expect.arrayContaining(["a", "from-chad", "from-helios"]),
	);
});
