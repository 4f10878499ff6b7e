import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { monitorStatusSchema, readState } from "@robust-sync/workspace";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

// The four alerts of the user, each with the real executables: it fires once, and is over once.

const bin = fileURLToPath(new URL("../../../bin/", import.meta.url));
const intervals = { SYNC_INTERVAL: "1", HEARTBEAT_INTERVAL: "1", PEER_TIMEOUT: "6", MONITOR_INTERVAL: "1", HEALTH_PORT: "18097" };
// Long enough to see that no alert is sent twice.
const quietMs = 6_000;

let world: World;
let bot: Server;
let texts: string[];

beforeEach(async () => {
	world = new World("alerts");
	texts = [];
	bot = createServer((request, response) => {
		let body = "";
		request.on("data", (chunk) => {
			body += chunk;
		});
		request.on("end", () => {
			texts.push((JSON.parse(body) as { text: string }).text);
			response.writeHead(200, { "content-type": "application/json" });
			response.end('{"ok":true,"result":{"message_id":1,"date":1,"chat":{"id":1,"type":"private"}}}');
		});
	});
	await new Promise<void>((resolve) => bot.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
	await world.remove();
	bot.closeAllConnections();
	await new Promise((resolve) => bot.close(resolve));
});

/** Settings of these tests only: the channel of alerts, and the intervals. */
function settings(extra: Record<string, string> = {}): Record<string, string> {
	const { port } = bot.address() as AddressInfo;
	return {
		...intervals,
		CALEB_TELEGRAM_ID: "512366713",
		TELEGRAM_BOT_TOKEN: "1234:AAsecret-token",
		TELEGRAM_API_URL: `http://127.0.0.1:${port}`,
		NO_PROXY: "127.0.0.1",
		...extra,
	};
}

/** Starts an executable for a node, in a network namespace where one is named; ended with the test. */
function start(node: Node, executable: string, args: string[], env: Record<string, string>, namespace?: string): ChildProcess {
	const file = path.join(bin, executable);
	const [command = "", ...rest] = namespace === undefined ? [file, ...args] : ["ip", "netns", "exec", namespace, file, ...args];
	const child = spawn(command, rest, {
		cwd: node.workspace,
		// As under a service manager: the process is the service itself.
		env: world.environment({ NODE_NAME: node.name, SYNC_WORKSPACE: node.workspace, INVOCATION_ID: "e2e", ...env }),
		stdio: "ignore",
	});
	world.atEnd(async () => {
		if (child.exitCode !== null || child.signalCode !== null) return;
		const ended = new Promise((resolve) => child.once("exit", resolve));
		child.kill("SIGKILL");
		await ended;
	});
	return child;
}

function alerts(node: Node) {
	const read = readState(node.paths.monitorStatus, monitorStatusSchema);
	return read.kind === "ok" ? read.state.alerts : [];
}

const sent = (what: RegExp) => texts.filter((text) => what.test(text));
/** The received alerts and the monitors' state, for the message of a failed test. */
function seen(): string {
	const logs = world.nodes.map((node) => {
		const file = node.paths.logFile("monitor");
		return existsSync(file) ? `${node.name}: ${readFileSync(file, "utf8")}\n${JSON.stringify(alerts(node))}` : "";
	});
	return [JSON.stringify(texts, null, "\t"), ...logs].join("\n");
}

/** The monitor has looked at a node on which all is well. */
async function untilWell(node: Node): Promise<void> {
	await until(
		() => readState(node.paths.monitorStatus, monitorStatusSchema).kind === "ok" && alerts(node).every((alert) => alert.state !== "firing"),
		() => `the first round: ${JSON.stringify(alerts(node))}`,
	);
}

/** Waits for exactly one message of each kind and for none after it. */
async function firesOnceAndIsOverOnce(
	fires: RegExp,
	over: RegExp,
	happens: () => void | Promise<void>,
	ends: () => void | Promise<void>,
): Promise<void> {
	await happens();
	await until(
		() => sent(fires).length > 0,
		() => `${fires}: ${seen()}`,
		60_000,
	);
	await sleep(quietMs);
	expect(sent(fires)).toHaveLength(1);
	expect(sent(over)).toHaveLength(0);
	await ends();
	await until(
		() => sent(over).length > 0,
		() => `${over}: ${seen()}`,
		60_000,
	);
	await sleep(quietMs);
	expect(sent(fires)).toHaveLength(1);
	expect(sent(over)).toHaveLength(1);
	for (const text of texts) expect(text).toMatch(/^helios:/);
}

describe("on one node", () => {
	test("alert: a process is killed under its supervisor → sent, although it comes back", async () => {
		const [helios] = await world.pair({ "notes.md": "hello\n" }, { env: intervals });
		await helios.start();
		start(helios, "monitor", ["--daemon"], settings());
		await untilWell(helios);
		const worker = helios.worker() as number;
		process.kill(worker, "SIGKILL");
		const killedAt = performance.now();
		await until(
			() => texts.length > 0,
			() => `the message: ${seen()}`,
		);
		expect(performance.now() - killedAt).toBeLessThan(2_000);
		await until(
			() => texts.length > 1,
			() => `the end: ${seen()}`,
		);
		await sleep(quietMs);
		expect(texts).toEqual([expect.stringContaining("🔴 sync died"), expect.stringContaining("✅ Over: “sync died")]);
		expect(helios.worker()).not.toBe(worker);
		expect(readFileSync(helios.paths.monitorStatus, "utf8")).not.toContain("secret-token");
	});

	test("alert: sync fails three times in a row → sent, over when the hub is back", async () => {
		const [helios] = await world.pair({ "notes.md": "hello\n" }, { env: intervals });
		await helios.start();
		start(helios, "monitor", ["--daemon"], settings());
		await untilWell(helios);
		await firesOnceAndIsOverOnce(
			/🔴 sync failed 3 times in a row/,
			/✅ Over: “sync failed/,
			() => renameSync(world.path("hub.git"), world.path("gone.git")),
			() => renameSync(world.path("gone.git"), world.path("hub.git")),
		);
	});

	test("alert: a person's rebase stops at a conflict → sent, over when resolved", async () => {
		const [helios] = await world.pair({ "notes.md": "hello\n" }, { env: intervals });
		helios.git("checkout", "-q", "-b", "mine");
		helios.write("notes.md", "mine\n");
		helios.git("commit", "-q", "-a", "-m", "mine");
		helios.git("checkout", "-q", "main");
		helios.write("notes.md", "main\n");
		helios.git("commit", "-q", "-a", "-m", "main");
		start(helios, "monitor", ["--daemon"], settings());
		await untilWell(helios);
		await firesOnceAndIsOverOnce(
			/🔴 a git conflict is unresolved\n1 path has conflicts/,
			/✅ Over: “a git conflict is unresolved/,
			() => {
				helios.git("checkout", "-q", "mine");
				expect(() => helios.git("rebase", "main")).toThrow();
			},
			() => {
				helios.write("notes.md", "both\n");
				helios.git("add", "notes.md");
				helios.git("-c", "core.editor=true", "rebase", "--continue");
			},
		);
	});
});

const canCut = process.getuid?.() === 0;
if (!canCut) process.stderr.write("alerts.slow.test.ts: the cut network is not run: only root can make network namespaces\n");

(canCut ? describe : describe.skip)("between two nodes, each in a network of its own", () => {
	const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "pipe", "pipe"] });
	const id = `rs${process.pid}`;
	const [here, there] = [`${id}-helios`, `${id}-chad`];

	beforeEach(() => {
		for (const namespace of [here, there]) ip("netns", "add", namespace);
		ip("-n", here, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", there);
		for (const [index, namespace] of [here, there].entries()) {
			ip("-n", namespace, "addr", "add", `10.79.0.${index + 1}/24`, "dev", "eth0");
			ip("-n", namespace, "link", "set", "eth0", "up");
			ip("-n", namespace, "link", "set", "lo", "up");
		}
	});
	afterEach(() => {
		for (const namespace of [here, there]) ip("netns", "del", namespace);
	});

	test("alert: the cable is pulled, then plugged in → silent peer alerted, then resolved", async () => {
		const [helios, chad] = await world.pair({ "notes.md": "hello\n" }, { env: intervals });
		await helios.start();
		await chad.start();
		const peers = { PEERS: "helios=10.79.0.1,chad=10.79.0.2" };
		start(helios, "heartbeat", [], settings(peers), here);
		start(chad, "heartbeat", [], settings(peers), there);
		start(helios, "monitor", ["--daemon"], settings(peers));
		await until(
			() => readHeard(helios),
			() => `chad to be heard: ${seen()}`,
			20_000,
		);
		await untilWell(helios);
		await firesOnceAndIsOverOnce(
			/🔴 chad is silent\nNo heartbeat from chad for \d+ s \(last heard .* UTC\)/,
			/✅ Over: “chad is silent/,
			() => void ip("-n", here, "link", "set", "eth0", "down"),
			() => void ip("-n", here, "link", "set", "eth0", "up"),
		);
	});

	test("alert: a monitor dies → the other node's monitor sends it", async () => {
		const [helios, chad] = await world.pair({ "notes.md": "hello\n" }, { env: intervals });
		await helios.start();
		await chad.start();
		const peers = { PEERS: "helios=10.79.0.1,chad=10.79.0.2" };
		start(helios, "heartbeat", [], settings(peers), here);
		start(chad, "heartbeat", [], settings(peers), there);
		const { CALEB_TELEGRAM_ID: _id, TELEGRAM_BOT_TOKEN: _token, ...silent } = settings(peers);
		const theirs = start(chad, "monitor", ["--daemon"], silent);
		start(helios, "monitor", ["--daemon"], settings(peers));
		await until(
			() => readHeard(helios),
			() => `chad to be heard: ${seen()}`,
			20_000,
		);
		await untilWell(helios);
		await sleep(3_000);
		await firesOnceAndIsOverOnce(
			/🔴 monitor of chad is down/,
			/✅ Over: “monitor of chad is down/,
			() => void theirs.kill("SIGKILL"),
			() => void start(chad, "monitor", ["--daemon"], silent),
		);
	});
});

function readHeard(node: Node): boolean {
	try {
		return (JSON.parse(readFileSync(node.paths.peerState("chad"), "utf8")) as { status: string }).status === "alive";
	} catch {
		return false;
	}
}
