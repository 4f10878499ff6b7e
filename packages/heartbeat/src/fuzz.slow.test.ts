import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { eventually, freeUdpPort } from "./testing/daemon-fixture.ts";
import { FuzzedDatagrams } from "./testing/fuzzed-datagrams.ts";
import { HeartbeatWorkspace } from "./testing/heartbeat-process.ts";
import { openUdpTransport } from "./udp-transport.ts";

const rssBytes = (pid: number) => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1_024;

test.each([
	["without a key", {}],
	["with a key", { HEARTBEAT_KEY: "a secret of sixteen or more" }],
])("fuzz: a million hostile datagrams %s → memory flat within 10 %%, real ones heard", async (_, env: Record<string, string>) => {
	const [heliosPort, chadPort] = [await freeUdpPort(), await freeUdpPort()];
	const common = { ...env, HEARTBEAT_INTERVAL: "1", PEER_TIMEOUT: "10" };
	const helios = new HeartbeatWorkspace({
		...common,
		NODE_NAME: "helios",
		HEARTBEAT_PORT: String(heliosPort),
		PEERS: `chad=127.0.0.1:${chadPort}`,
	});
	const chad = new HeartbeatWorkspace({
		...common,
		NODE_NAME: "chad",
		HEARTBEAT_PORT: String(chadPort),
		PEERS: `helios=127.0.0.1:${heliosPort}`,
	});
	const attacker = await openUdpTransport({ host: null, port: 0 });
	try {
		const { child } = helios.start();
		chad.start();
		await eventually(() => helios.peer("chad")?.status === "alive" && chad.peer("helios")?.hears_us === true, 20_000);
		const fuzz = new FuzzedDatagrams(6, "chad", "helios");
		// Made beforehand, so that sending takes most of the time; each is sent with another byte changed every time.
		const pool = Array.from({ length: 20_000 }, () => fuzz.next());
		let fewestBytes = Number.POSITIVE_INFINITY;
		let mostBytes = 0;
		const statuses = new Set<string>();
		for (let i = 1; i <= 1_000_000; i++) {
			const datagram = pool[i % pool.length]!;
			if (i > pool.length && datagram.length > 0) datagram[(i * 7_919) % datagram.length]! ^= 1 + (i % 255);
			attacker.send(datagram, { host: "127.0.0.1", port: heliosPort });
			if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
			if (i % 50_000 !== 0) continue;
			statuses.add(helios.peer("chad")!.status);
			// During the first tenth V8's heap grows to its size under load.
			if (i < 100_000) continue;
			const bytes = rssBytes(child.pid!);
			fewestBytes = Math.min(fewestBytes, bytes);
			mostBytes = Math.max(mostBytes, bytes);
		}
		const during = Date.parse(helios.peer("chad")!.received_at!);
		await eventually(() => Date.parse(helios.peer("chad")!.received_at!) > during && chad.peer("helios")?.hears_us === true, 20_000);
		expect(child.exitCode).toBeNull();
		expect(statuses.has("down")).toBe(false);
		expect(mostBytes / fewestBytes).toBeLessThanOrEqual(1.1);
		await eventually(() => Object.values(helios.state()!.totals.rejected).reduce((sum, count) => sum + count, 0) > 100_000, 20_000);
	} finally {
		attacker.close();
		await Promise.all([helios.remove(), chad.remove()]);
	}
});
