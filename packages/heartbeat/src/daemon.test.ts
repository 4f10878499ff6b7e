import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type HeartbeatState, heartbeatStateSchema, readState } from "@robust-sync/workspace";
import { canNameHolders, DaemonFixture, eventually, freeUdpPort } from "./testing/daemon-fixture.ts";
import { openUdpTransport } from "./udp-transport.ts";
import { decode, encode, type Message, paddedBytes } from "./wire-format.ts";

const head = (digit: string) => digit.repeat(40);
let helios: DaemonFixture;
let chad: DaemonFixture;

beforeEach(async () => {
	const [a, b] = [await freeUdpPort(), await freeUdpPort()];
	helios = new DaemonFixture("helios", a, { PEERS: `chad=127.0.0.1:${b}` });
	chad = new DaemonFixture("chad", b, { PEERS: `helios=127.0.0.1:${a}` });
});
afterEach(async () => {
	await Promise.all([helios.remove(), chad.remove()]);
});

const ownState = (of: DaemonFixture): HeartbeatState => {
	const read = readState(of.paths.heartbeatState, heartbeatStateSchema);
	if (read.kind !== "ok") throw new Error(JSON.stringify(read));
	return read.state;
};
const log = (of: DaemonFixture) => readFileSync(of.paths.logFile("heartbeat"), "utf8");

async function bothAlive(values: Record<string, string> = {}): Promise<void> {
	await helios.start(values);
	await chad.start(values);
	await eventually(() => helios.peer("chad")?.status === "alive" && chad.peer("helios")?.hears_us === true);
}

describe("two heartbeats on real sockets", () => {
	test("daemon: two on real sockets → each has the other's state in its file", async () => {
		await chad.sync({ head: head("c"), consecutive_failures: 0, messages_pending: 3 });
		await bothAlive({ HEARTBEAT_KEY: "a secret of sixteen or more" });
		await eventually(() => helios.peer("chad")?.hears_us === true);
		expect(helios.peer("chad")).toMatchObject({
			status: "alive",
			address: `127.0.0.1:${chad.port}`,
			authenticated: true,
			head: head("c"),
			sync_status: "idle",
			messages_pending: 3,
			services: { sync: "up", heartbeat: "up", "health-server": "unknown", monitor: "unknown" },
			missed: 0,
		});
		expect(Math.abs(helios.peer("chad")!.clock_offset_ms!)).toBeLessThanOrEqual(5 + helios.peer("chad")!.rtt_ms! / 2);
		expect(ownState(helios)).toMatchObject({ node: "helios", port: helios.port, authenticated: true, peers: ["chad"], pid: process.pid });
		expect(log(helios)).not.toContain("not authenticated");
		// No partial file, no file left over.
		await Promise.all([helios.stop(), chad.stop()]);
		expect(readdirSync(helios.paths.sync).filter((name) => !name.endsWith(".json"))).toEqual([]);
	});

	test.each(["127.0.0.1", "::1", "localhost"])("daemon: the peer by %s → reached", async (host) => {
		const at = (port: number) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
		await helios.start({ PEERS: `chad=${at(chad.port)}` });
		await chad.start({ PEERS: `helios=${at(helios.port)}` });
		await eventually(() => helios.peer("chad")?.status === "alive" && chad.peer("helios")?.status === "alive");
	});

	test("HEARTBEAT_BIND: an address → only that is listened on", async () => {
		await bothAlive({ HEARTBEAT_BIND: "127.0.0.1" });
		expect(helios.peer("chad")?.address).toBe(`127.0.0.1:${chad.port}`);
	});

	test("without a key: real senders at two addresses → only the named one counts", async () => {
		await helios.start({ PEERS: `chad=127.0.0.2:${chad.port}` });
		const sendFrom = async (host: string, how: Partial<Message>) => {
			const transport = await openUdpTransport({ host, port: chad.port });
			let sequence = 0;
			let answers = 0;
			const say = (nonce?: Uint8Array) =>
				transport.send(
					encode(
						{ type: "heartbeat", bootId: "66".repeat(8), sequence: ++sequence, sentAtUs: 0, from: "chad", to: "helios", nonce, ...how },
						{ padTo: paddedBytes },
					),
					{ host: "127.0.0.1", port: helios.port },
				);
			transport.listen((datagram) => {
				const message = decode(datagram);
				if (typeof message === "string" || message.type === "heartbeat") return;
				answers++;
				if (message.type === "challenge") say(message.nonce);
			});
			say();
			return { transport, answers: () => answers };
		};
		const impostor = await sendFrom("127.0.0.3", { head: head("c") });
		await eventually(() => (ownState(helios).totals.rejected.address ?? 0) > 0);
		expect(helios.peer("chad")?.head ?? null).toBeNull();
		const real = await sendFrom("127.0.0.2", { head: head("d"), bootId: "77".repeat(8) });
		await eventually(() => helios.peer("chad")?.status === "alive");
		expect(helios.peer("chad")).toMatchObject({ address: `127.0.0.2:${chad.port}`, head: head("d") });
		expect(impostor.answers()).toBe(0);
		expect(real.answers()).toBeGreaterThan(0);
		impostor.transport.close();
		real.transport.close();
	});

	test("restart: on another port → heard again", async () => {
		await bothAlive({ HEARTBEAT_INTERVAL: "0.3", PEER_TIMEOUT: "2" });
		await chad.stop();
		await eventually(() => helios.peer("chad")?.status === "down");
		expect(helios.peer("chad")?.reason).toBe("said goodbye: SIGTERM");
		const port = await freeUdpPort();
		await chad.start({ HEARTBEAT_PORT: String(port) });
		await eventually(() => helios.peer("chad")?.status === "alive" && chad.peer("helios")?.hears_us === true);
		expect(helios.peer("chad")?.address).toBe(`127.0.0.1:${port}`);
	});

	test("dead peer: PEER_TIMEOUT is over → down in the state file", async () => {
		await bothAlive({ HEARTBEAT_INTERVAL: "0.2", PEER_TIMEOUT: "1" });
		// Ends without a goodbye: no datagram reaches helios.
		const transport = await silence(chad);
		const lastWord = Date.parse(helios.peer("chad")!.received_at!);
		await eventually(() => helios.peer("chad")?.status === "suspect");
		await eventually(() => helios.peer("chad")?.status === "down");
		expect(Date.now() - lastWord).toBeGreaterThanOrEqual(900);
		expect(helios.peer("chad")?.missed).toBeGreaterThanOrEqual(4);
		transport.close();
	});
});

/** Stops a daemon in such a way that its goodbye is lost, and takes its port so that nothing answers there. */
async function silence(daemon: DaemonFixture) {
	const { values } = daemon;
	daemon.values = { ...values, PEERS: "" };
	await daemon.daemon.reload();
	await daemon.stop();
	return await openUdpTransport({ host: null, port: daemon.port });
}

describe("an announcement", () => {
	test("announcement: a new head → in the peer's state file within milliseconds", async () => {
		await helios.sync({ head: head("0") });
		await bothAlive();
		const delays: number[] = [];
		for (let i = 1; i <= 20; i++) {
			const next = head(i.toString(16).at(-1)!);
			// Not part of the measured time: robust-sync writes its state with a barrier of its own.
			await helios.sync({ head: next });
			const written = performance.now();
			await eventually(() => chad.peer("helios")?.head === next, 2_000, `head ${i} announced`);
			delays.push(performance.now() - written);
			await new Promise((resolve) => setTimeout(resolve, 30));
		}
		delays.sort((a, b) => a - b);
		// Far below the heartbeat interval of 60 s, on any machine.
		expect(delays[10]).toBeLessThan(1_500);
	});

	test("announcement: a commit that is not on the remote yet → not announced", async () => {
		await helios.sync({ head: head("a") });
		await bothAlive();
		await eventually(() => chad.peer("helios")?.head === head("a"));
		const seen = new Set<string | null | undefined>();
		const sees = (wanted: string) =>
			eventually(() => {
				const now = chad.peer("helios")?.head;
				seen.add(now);
				return now === wanted;
			});
		await helios.sync({ head: head("b"), ahead: 1 });
		await helios.sync({ head: head("b"), ahead: 0, status: "syncing" });
		await helios.sync({ head: head("c"), ahead: 0, status: "idle" });
		await sees(head("c"));
		expect([...seen].sort()).toEqual([head("a"), head("c")].filter((one) => seen.has(one)));
	});

	test("announcement: sync/ removed and made again → still announced", async () => {
		await bothAlive({ HEARTBEAT_INTERVAL: "0.3", PEER_TIMEOUT: "5" });
		rmSync(helios.paths.sync, { recursive: true });
		await eventually(() => existsSync(helios.paths.heartbeatState), 15_000);
		await helios.sync({ head: head("d") });
		await eventually(() => chad.peer("helios")?.head === head("d"), 5_000);
	});
});

describe("a heartbeat that starts", () => {
	test("start: the workspace has a heartbeat → refused with its pid", async () => {
		await helios.start();
		const second = new DaemonFixture("helios", await freeUdpPort());
		Object.assign(second, { paths: helios.paths });
		await expect(second.start()).rejects.toMatchObject({ exitCode: 4, message: expect.stringContaining(`pid ${process.pid}`) });
	});

	test("start: the port is taken → names holder, port and flag, releases the lock", async () => {
		await helios.start();
		chad.values = { ...chad.values, HEARTBEAT_PORT: String(helios.port) };
		await expect(chad.start()).rejects.toMatchObject({
			exitCode: 1,
			message: expect.stringMatching(
				new RegExp(`UDP port ${helios.port} is in use${canNameHolders ? ` by .*pid ${process.pid}` : ""}.*--port`),
			),
		});
		await chad.start({ HEARTBEAT_PORT: String(chad.port) });
	});

	test("start: without a key → one warning; state of former peers is removed", async () => {
		writeFileSync(helios.paths.peerState("atlas"), "{}");
		await helios.start();
		expect(existsSync(helios.paths.peerState("atlas"))).toBe(false);
		expect(log(helios).match(/not authenticated/g)).toHaveLength(1);
		expect(ownState(helios).authenticated).toBe(false);
	});

	test("state file: datagrams are refused → counted there within seconds", async () => {
		await helios.start({ PEERS: "" });
		const unknownNode = await openUdpTransport({ host: null, port: 0 });
		for (const text of ["hello", ""]) unknownNode.send(Buffer.from(text), { host: "127.0.0.1", port: helios.port });
		await eventually(() => ownState(helios).totals.rejected.malformed === 2, 5_000);
		unknownNode.close();
	});

	test("start: state files that do not parse → moved aside, heartbeat runs", async () => {
		writeFileSync(helios.paths.heartbeatState, '{"schema":1,"node":');
		writeFileSync(helios.paths.peerState("chad"), "[[[[");
		await bothAlive();
		const names = readdirSync(helios.paths.sync);
		expect(names.filter((name) => name.includes(".corrupt-"))).toHaveLength(2);
	});

	test("restart: totals and peers heard before → go on, known", async () => {
		await bothAlive();
		await Promise.all([helios.stop(), chad.stop()]);
		const before = ownState(helios);
		expect(before.totals.sent).toBeGreaterThan(0);
		await helios.start({ PEER_TIMEOUT: "0.5" });
		expect(helios.peer("chad")).toMatchObject({ status: "unknown", received_at: null });
		expect(ownState(helios).totals.sent).toBeGreaterThanOrEqual(before.totals.sent);
		await eventually(() => helios.peer("chad")?.status === "down");
		expect(helios.peer("chad")?.received_at).not.toBeNull();
	});
});

describe("SIGHUP", () => {
	test("SIGHUP: new peers, keys, intervals → used, known peers keep their state", async () => {
		await bothAlive();
		const { boot_id } = helios.peer("chad")!;
		helios.values = { ...helios.values, PEERS: `${helios.values.PEERS},atlas=127.0.0.1:9`, HEARTBEAT_INTERVAL: "1", NODE_NAME: "other" };
		await helios.daemon.reload();
		await eventually(() => helios.peer("atlas") !== null);
		expect(helios.peer("chad")).toMatchObject({ status: "alive", boot_id });
		expect(log(helios)).toContain("NODE_NAME was changed: restart");
		helios.values = { ...helios.values, PEERS: `chad=127.0.0.1:${chad.port}` };
		await helios.daemon.reload();
		expect(helios.peer("atlas")).toBeNull();
	});
});

describe("a hostile network", () => {
	test("flood: 50,000 datagrams of all kinds → real heartbeats are answered", async () => {
		await bothAlive({ HEARTBEAT_KEY: "a secret of sixteen or more", HEARTBEAT_INTERVAL: "0.5", PEER_TIMEOUT: "5" });
		const attacker = await openUdpTransport({ host: null, port: 0 });
		let answers = 0;
		attacker.listen(() => answers++);
		const valid: Message = { type: "heartbeat", bootId: "ab".repeat(8), sequence: 1, sentAtUs: 1, from: "chad", to: "helios" };
		for (let i = 0; i < 50_000; i++) {
			const datagram = encode({ ...valid, sequence: 1 + i }, { authenticated: true, padTo: paddedBytes });
			if (i % 3 === 0) datagram[i % paddedBytes]! ^= 0xff;
			if (i % 3 === 1) datagram.fill(i & 255, 100);
			attacker.send(datagram, { host: "127.0.0.1", port: helios.port });
			if (i % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
		}
		const heardAt = Date.parse(helios.peer("chad")!.received_at!);
		await eventually(() => Date.parse(helios.peer("chad")!.received_at!) > heardAt && chad.peer("helios")?.hears_us === true);
		expect(helios.peer("chad")?.status).toBe("alive");
		expect(answers).toBe(0);
		attacker.close();
		await eventually(() => (ownState(helios).totals.rejected.malformed ?? 0) > 0 && (ownState(helios).totals.rejected.rate ?? 0) > 0);
	});
});
