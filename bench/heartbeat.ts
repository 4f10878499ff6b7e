// What heartbeats cost: at rest, with a thousand peers, for one datagram beside a bare echo, and from a new head to the peer's state file.
import { type ChildProcess, spawn } from "node:child_process";
import dgram from "node:dgram";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeState } from "@robust-sync/workspace";
import { Keyring } from "../packages/heartbeat/src/keyring.ts";
import { eventually, freeUdpPort, syncStateOf } from "../packages/heartbeat/src/testing/daemon-fixture.ts";
import { HeartbeatWorkspace } from "../packages/heartbeat/src/testing/heartbeat-process.ts";
import { decode, encode, type Message, paddedBytes } from "../packages/heartbeat/src/wire-format.ts";
import { type BenchRow, type BenchTable, mib, ms, percentile, ratio } from "./table.ts";

const ticksPerSecond = 100;
const host = "127.0.0.1";
const key = "a secret of sixteen or more";
const manyPeers = 1_000;
const manySeconds = 60;
const restSeconds = 60;
/** Within the burst of 100 that each peer may send. */
const datagrams = 60_000;
const warmUpDatagrams = 20_000;
const window = 32;
const rounds = 3;
const announcements = 200;

interface Usage {
	cpuSeconds: number;
	rssBytes: number;
}

function usageOf(pid: number): Usage {
	const fields = fs
		.readFileSync(`/proc/${pid}/stat`, "utf8")
		.replace(/^.*\) /s, "")
		.split(" ")
		.map(Number);
	const rss = Number(/VmRSS:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1_024;
	return { cpuSeconds: ((fields[11] ?? 0) + (fields[12] ?? 0)) / ticksPerSecond, rssBytes: rss };
}

/** Acks that all simulated peers together have got. */
let acknowledged = 0;

/** A peer that sends what the protocol requires and no more, on a socket of its own. */
class SimulatedPeer {
	readonly name: string;
	readonly port: number;
	readonly #socket: dgram.Socket;
	readonly #keyring = new Keyring([key]);
	readonly #to: number;
	readonly #bootId = Buffer.from(Array.from({ length: 8 }, () => Math.floor(Math.random() * 256))).toString("hex");
	#sequence = 0;
	#beat = 0;

	static async open(name: string, to: number): Promise<SimulatedPeer> {
		const socket = dgram.createSocket({ type: "udp4", lookup: (address, _options, done) => done(null, address, 4) });
		await new Promise<void>((resolve) => socket.bind(0, host, resolve));
		return new SimulatedPeer(name, socket, to);
	}

	private constructor(name: string, socket: dgram.Socket, to: number) {
		this.name = name;
		this.#socket = socket;
		this.#to = to;
		this.port = socket.address().port;
		socket.on("message", (datagram) => this.#receive(datagram));
	}

	beat(): void {
		this.#send({ ...this.#message("heartbeat"), heard: true, intervalMs: 60_000, beat: ++this.#beat }, paddedBytes);
	}

	/** A heartbeat out of turn, as when it probes: the interval that it keeps is not measured by these. */
	probe(): void {
		this.#send({ ...this.#message("heartbeat"), heard: true, intervalMs: 60_000 }, paddedBytes);
	}

	close(): void {
		this.#socket.close();
	}

	#message(type: Message["type"]): Message {
		return { type, bootId: this.#bootId, sequence: ++this.#sequence, sentAtUs: Date.now() * 1_000, from: this.name, to: "helios" };
	}

	#send(message: Message, padTo: number): void {
		const datagram = encode(message, { padTo, authenticated: true });
		this.#keyring.sign(datagram);
		this.#socket.send(datagram, this.#to, host);
	}

	#receive(datagram: Buffer): void {
		const message = decode(datagram);
		if (typeof message === "string") return;
		if (message.type === "ack") acknowledged++;
		if (message.type === "challenge")
			this.#send({ ...this.#message("heartbeat"), heard: true, intervalMs: 60_000, nonce: message.nonce }, paddedBytes);
		if (message.type === "heartbeat") {
			const echo = { bootId: message.bootId, sequence: message.sequence, receivedAtUs: Date.now() * 1_000, holdUs: 0 };
			this.#send({ ...this.#message("ack"), echo }, 0);
		}
	}
}

/** A heartbeat with this many simulated peers, all of which it takes for alive. */
async function withPeers<T>(
	count: number,
	use: (pid: number, peers: SimulatedPeer[], workspace: HeartbeatWorkspace) => Promise<T>,
): Promise<T> {
	const port = await freeUdpPort();
	const peers = await Promise.all(Array.from({ length: count }, (_, i) => SimulatedPeer.open(`p${i}`, port)));
	const workspace = new HeartbeatWorkspace({
		NODE_NAME: "helios",
		HEARTBEAT_PORT: String(port),
		HEARTBEAT_KEY: key,
		PEERS: peers.map((peer) => `${peer.name}=${host}:${peer.port}`).join(","),
	});
	try {
		const { child } = workspace.start();
		await eventually(() => workspace.state() !== null, 30_000);
		for (const peer of peers) {
			peer.beat();
			await sleep(1);
		}
		await eventually(() => peers.every((peer) => workspace.peer(peer.name)?.status === "alive"), 60_000, "all peers are alive");
		return await use(child.pid!, peers, workspace);
	} finally {
		for (const peer of peers) peer.close();
		await workspace.remove();
	}
}

async function atRest(): Promise<BenchRow[]> {
	return await withPeers(1, async (pid, [peer]) => {
		await sleep(5_000);
		const before = usageOf(pid);
		peer!.beat();
		await sleep(restSeconds * 1_000);
		const after = usageOf(pid);
		const share = (100 * (after.cpuSeconds - before.cpuSeconds)) / restSeconds;
		return [
			{ what: "at rest, one peer: resident memory", ours: mib(after.rssBytes), floor: "", ratio: "", target: "" },
			{ what: "at rest, one peer: CPU of a core", ours: `${share.toFixed(3)} %`, floor: "", ratio: "", target: "" },
		];
	});
}

async function withManyPeers(): Promise<BenchRow[]> {
	return await withPeers(manyPeers, async (pid, peers) => {
		await sleep(5_000);
		const before = usageOf(pid);
		const started = performance.now();
		// Each once in the minute, as with the default interval.
		for (const [i, peer] of peers.entries()) {
			const at = (i / manyPeers) * manySeconds * 1_000;
			const wait = at - (performance.now() - started);
			if (wait > 1) await sleep(wait);
			peer.beat();
		}
		await sleep(Math.max(0, manySeconds * 1_000 - (performance.now() - started)));
		const after = usageOf(pid);
		const share = (100 * (after.cpuSeconds - before.cpuSeconds)) / manySeconds;
		return [
			{ what: `${manyPeers} peers: resident memory`, ours: mib(after.rssBytes), floor: "", ratio: "", target: "≤ 90 MiB" },
			{ what: `${manyPeers} peers, every 60 s: CPU of a core`, ours: `${share.toFixed(2)} %`, floor: "", ratio: "", target: "" },
		];
	});
}

/**
 * Sends one datagram after the other, a few of them on their way at any time, so that the receiver is never idle.
 * CPU of the receiver for one, microseconds.
 */
async function costOfOne(pid: number, send: (i: number) => void, answers: () => number): Promise<number> {
	const burst = async (total: number) => {
		const before = answers();
		for (let sent = 0; sent < total; ) {
			while (sent < total && sent - (answers() - before) < window) send(sent++);
			const stuckAt = answers();
			const since = performance.now();
			while (answers() === stuckAt) {
				if (performance.now() - since > 5_000) throw new Error(`only ${stuckAt - before} of ${sent} datagrams were answered`);
				await new Promise((resolve) => setImmediate(resolve));
			}
		}
	};
	// What V8 has not compiled yet is no cost of a datagram.
	await burst(warmUpDatagrams);
	const before = usageOf(pid);
	await burst(datagrams);
	return ((usageOf(pid).cpuSeconds - before.cpuSeconds) / datagrams) * 1e6;
}

const echoServer = `
const socket = require("node:dgram").createSocket({ type: "udp6", lookup: (a, o, d) => d(null, a, 6) });
socket.on("message", (datagram, from) => socket.send(datagram, from.port, from.address));
socket.bind(0, "::", () => console.log(socket.address().port));`;

async function spawnAndRead(script: string, args: string[] = []): Promise<{ child: ChildProcess; line: string }> {
	const child = spawn(process.execPath, ["-e", script, ...args], { stdio: ["ignore", "pipe", "inherit"] });
	const line = await new Promise<string>((resolve) => child.stdout.once("data", (chunk) => resolve(String(chunk).trim())));
	return { child, line };
}

async function oneDatagram(): Promise<BenchRow> {
	const ours: number[] = [];
	const floor: number[] = [];
	await withPeers(manyPeers, async (pid, peers) => {
		const { child, line } = await spawnAndRead(echoServer);
		const socket = dgram.createSocket({ type: "udp4", lookup: (address, _options, done) => done(null, address, 4) });
		let echoed = 0;
		socket.on("message", () => echoed++);
		const datagram = Buffer.alloc(paddedBytes);
		// In turns, so that a busy machine hits both.
		for (let round = 0; round < rounds; round++) {
			ours.push(
				await costOfOne(
					pid,
					(i) => peers[i % manyPeers]!.probe(),
					() => acknowledged,
				),
			);
			floor.push(
				await costOfOne(
					child.pid!,
					() => socket.send(datagram, Number(line), host),
					() => echoed,
				),
			);
			// Every peer's budget fills up again.
			await sleep(2_500);
		}
		socket.close();
		child.kill();
	});
	const [oursUs, floorUs] = [percentile(ours, 0.5), percentile(floor, 0.5)];
	return {
		what: "one heartbeat verified, answered, written down: CPU",
		ours: `${oursUs.toFixed(1)} µs`,
		floor: `${floorUs.toFixed(1)} µs`,
		ratio: ratio(oursUs, floorUs),
		target: "≤ 3 ×",
	};
}

const bareReceiver = `
const { open, rename } = require("node:fs/promises");
const file = process.argv[1];
const socket = require("node:dgram").createSocket("udp4");
socket.on("message", async (datagram) => {
	const handle = await open(file + ".tmp", "w");
	await handle.writeFile(datagram);
	await handle.sync();
	await handle.close();
	await rename(file + ".tmp", file);
});
socket.bind(0, "127.0.0.1", () => console.log(socket.address().port));`;
const bareSender = `
const { watch, readFileSync } = require("node:fs");
const path = require("node:path");
const [file, port] = process.argv.slice(1);
const socket = require("node:dgram").createSocket("udp4");
let last = "";
watch(path.dirname(file), (event, name) => {
	if (name !== path.basename(file)) return;
	const { head } = JSON.parse(readFileSync(file, "utf8"));
	if (head !== last) socket.send(JSON.stringify({ head: (last = head) }), Number(port), "127.0.0.1");
});
console.log("ready");`;

/** From the rename of a state file with a new head until `file` holds that head, milliseconds each. */
async function headDelays(source: string, file: string): Promise<number[]> {
	const delays: number[] = [];
	let arrived: ((at: number) => void) | null = null;
	let wanted = "";
	const look = () => {
		try {
			if (JSON.parse(fs.readFileSync(file, "utf8")).head === wanted) arrived?.(performance.now());
		} catch {
			// Not there yet.
		}
	};
	const watcher = fs.watch(path.dirname(file), look);
	for (let i = 0; i < announcements; i++) {
		const head = i.toString(16).padStart(40, "0");
		const state = `${JSON.stringify(syncStateOf("helios", { head }))}\n`;
		fs.writeFileSync(`${source}.bench`, state);
		const arrival = new Promise<number>((resolve) => {
			arrived = resolve;
		});
		wanted = head;
		const from = performance.now();
		fs.renameSync(`${source}.bench`, source);
		delays.push((await arrival) - from);
		await sleep(40);
	}
	watcher.close();
	return delays;
}

async function announcing(): Promise<BenchRow[]> {
	const [a, b] = [await freeUdpPort(), await freeUdpPort()];
	const helios = new HeartbeatWorkspace({ NODE_NAME: "helios", HEARTBEAT_PORT: String(a), HEARTBEAT_KEY: key, PEERS: `chad=${host}:${b}` });
	const chad = new HeartbeatWorkspace({ NODE_NAME: "chad", HEARTBEAT_PORT: String(b), HEARTBEAT_KEY: key, PEERS: `helios=${host}:${a}` });
	const bare = new HeartbeatWorkspace();
	try {
		await writeState(helios.paths.syncState, syncStateOf("helios", { head: "f".repeat(40) }));
		helios.start();
		chad.start();
		await eventually(() => chad.peer("helios")?.head === "f".repeat(40), 20_000);
		const ours = await headDelays(helios.paths.syncState, chad.paths.peerState("helios"));
		const target = path.join(bare.paths.pending, "received.json");
		fs.mkdirSync(bare.paths.pending);
		const receiver = await spawnAndRead(bareReceiver, [target]);
		const sender = await spawnAndRead(bareSender, [bare.paths.syncState, receiver.line]);
		const floor = await headDelays(bare.paths.syncState, target);
		receiver.child.kill();
		sender.child.kill();
		return [0.5, 0.95, 0.99].map((p) => ({
			what: `new head → readable in the peer's state file, p${p * 100} of ${announcements}`,
			ours: ms(percentile(ours, p)),
			floor: ms(percentile(floor, p)),
			ratio: ratio(percentile(ours, p), percentile(floor, p)),
			target: p === 0.5 ? "≤ 10 ms" : "",
		}));
	} finally {
		await Promise.all([helios.remove(), chad.remove(), bare.remove()]);
	}
}

export async function run(): Promise<BenchTable> {
	return {
		name: "Heartbeats (with HEARTBEAT_KEY, real processes on loopback)",
		rows: [await oneDatagram(), ...(await announcing()), ...(await withManyPeers()), ...(await atRest())],
		notes: [
			"floor of a datagram: a process that sends back what it got; ours also checks and makes an HMAC and keeps the peers' state files",
			"floor of a new head: a process that watches the file and sends its head, another that writes it with fsync and rename",
			"the supervisor that runs where there is no service manager is a further process, not counted here",
		],
	};
}
