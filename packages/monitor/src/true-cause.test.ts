import { appendFileSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "@jest/globals";
import { timestamp } from "@robust-sync/system/timestamps";
import { errorCodes, type PeerCause, type PeerState } from "@robust-sync/workspace";
import { adviceFor } from "./checks/advice.ts";
import { minute, NodeFixture } from "./testing/node-fixture.ts";

// The alerts and checks name the cause that the product knows.

const nodes: NodeFixture[] = [];
function newNode(env: Record<string, string> = {}): NodeFixture {
	const node = new NodeFixture(env);
	nodes.push(node);
	return node;
}
afterEach(() => {
	for (const node of nodes.splice(0)) node.remove();
});

const causes: readonly [cause: PeerCause, reason: string, expected: readonly RegExp[]][] = [
	[
		"key",
		"its datagrams are refused: HEARTBEAT_KEY is not the same there as here",
		[/another HEARTBEAT_KEY/, /Do: put the same HEARTBEAT_KEY/],
	],
	["unresolved", "chad.example does not resolve (EAI_AGAIN)", [/name of chad does not resolve/, /Do: getent hosts chad\.example/]],
	["misdirected", "it takes this node for 'other'", [/takes this node for another/, /Do: correct PEERS there/]],
];

describe("peer that is not heard: the alert names the cause that the heartbeat reports", () => {
	test.each(causes)("heartbeat alert: %s, peer was heard before → its own title and action", async (cause, reason, expected) => {
		const node = newNode();
		const monitor = node.monitor();
		const lost: Partial<PeerState> = { status: "down", received_at: timestamp(node.now), missed: 4, reason, cause };
		await node.pass(monitor, 5 * minute, () => {
			node.beat();
			node.hear("chad", lost);
		});
		expect(node.channel.texts).toHaveLength(1);
		for (const text of expected) expect(node.channel.texts[0]).toMatch(text);
		expect(node.channel.texts[0]).not.toMatch(/is off, its network/);
	});

	test.each(causes)("heartbeat check: %s, never heard → shown at once, alerted after PEER_TIMEOUT", async (cause, reason, expected) => {
		const node = newNode();
		const monitor = node.monitor();
		const never: Partial<PeerState> = { status: "unknown", received_at: null, sequence: null, boot_id: null, reason, cause };
		await node.pass(monitor, minute, () => {
			node.beat();
			node.hear("chad", never);
		});
		expect(node.channel.texts).toEqual([]);
		const shown = monitor.memory.checks.find(({ name }) => name === "heartbeat:chad");
		expect(shown?.status).toBe("warning");
		await node.pass(monitor, 4 * minute, () => {
			node.beat();
			node.hear("chad", never);
		});
		expect(node.channel.texts).toHaveLength(1);
		for (const text of expected) expect(node.channel.texts[0]).toMatch(text);
	});

	test("heartbeat alert: peer stopped on purpose → a warning, not before PEER_TIMEOUT", async () => {
		const node = newNode();
		const monitor = node.monitor();
		const at = timestamp(node.now);
		const stopped = () => {
			node.beat();
			node.hear("chad", { status: "down", received_at: at, reason: "said goodbye: SIGTERM", cause: "stopped" });
		};
		await node.pass(monitor, 3 * minute, stopped);
		expect(node.channel.texts).toEqual([]);
		await node.pass(monitor, minute, stopped);
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toMatch(/🟡|⚠|chad was stopped/);
		expect(monitor.memory.alerts).toMatchObject([{ id: "heartbeat:chad", severity: "warning" }]);
		expect(node.channel.texts[0]).toMatch(/SIGTERM[\s\S]*systemctl start/);
	});
});

describe("alerts that fire when no channel is configured", () => {
	test("no channel: one is added while an alert fires → sent once, and its end", async () => {
		const node = newNode();
		const monitor = node.monitor([]);
		const failing = () => {
			node.beat();
			node.hear("chad");
			node.failing(4);
		};
		await node.pass(monitor, 10 * minute, failing);
		expect(node.log.filter((line) => line.includes("firing: sync failed"))).toHaveLength(1);
		expect(monitor.memory.alerts).toMatchObject([{ id: "sync", last_notified: null }]);
		monitor.reconfigure(node.config, { channels: [node.channel], problem: null });
		await node.pass(monitor, 10 * minute, failing);
		expect(node.channel.texts.map((text) => /sync failed|Over/.exec(text)?.[0])).toEqual(["sync failed"]);
		await node.pass(monitor, 5 * minute, () => {
			node.beat();
			node.hear("chad");
			node.sync();
		});
		expect(node.channel.texts).toHaveLength(2);
		expect(node.channel.texts[1]).toContain("Over");
	});

	test("alert without a channel: resolved before one is added → nothing is sent", async () => {
		const node = newNode();
		const monitor = node.monitor([]);
		await node.pass(monitor, 10 * minute, () => {
			node.beat();
			node.hear("chad");
			node.failing(4);
		});
		monitor.reconfigure(node.config, { channels: [node.channel], problem: null });
		await node.pass(monitor, 10 * minute, () => {
			node.beat();
			node.hear("chad");
			node.sync();
		});
		expect(node.channel.texts.filter((text) => text.includes("Over"))).toHaveLength(0);
	});
});

describe("services that do not run: the known reason comes first", () => {
	test("process alert: configuration refused → the alert names the value", async () => {
		const node = newNode();
		const monitor = node.monitor();
		await node.pass(monitor, minute, () => node.beat());
		appendFileSync(node.paths.envFile, "export SYNC_INTERVAL=abc\n");
		node.stop("sync");
		await node.pass(monitor, 3 * minute, () => {
			node.beat();
			node.hear("chad");
		});
		const text = node.channel.texts.find((text) => /sync is stopped|sync died/.test(text));
		expect(text).toMatch(/SYNC_INTERVAL.*abc[\s\S]*Do: correct .*\.sync_env/);
	});

	test("crash loop: the instance lock was lost → the alert names two instances", async () => {
		const node = newNode();
		const monitor = node.monitor();
		for (let restart = 0; restart < 6; restart++) {
			node.kill("sync");
			node.start("sync");
			writeFileSync(`${node.paths.instanceLock("sync")}-lost`, "");
			await node.pass(monitor, minute / 2, () => {
				node.beat();
				node.hear("chad");
			});
		}
		expect(node.channel.texts.join("\n")).toMatch(/crashes again[\s\S]*another instance took its lock/);
	});
});

test.each([
	["REMOTE_UNREACHABLE", null, 4, /Do: if the hub stays away: robust-sync --promote backup, on every node/],
	["REMOTE_UNREACHABLE", { code: "REMOTE_UNREACHABLE", message: "x" } as const, 4, /Do: git ls-remote/],
	["AUTH_FAILED", null, 4, /Do: git ls-remote/],
] as const)("sync alert: %s, a mirror with error %j, hub away for %d min → the remedy", async (code, error, minutes, expected) => {
	const node = newNode();
	const monitor = node.monitor();
	await node.pass(monitor, minutes * minute, () => {
		node.beat();
		node.sync({
			status: "failed",
			consecutive_failures: minutes,
			last_sync: timestamp(node.now - minutes * minute),
			last_error: { code, message: "away", at: timestamp(node.now) },
			mirrors: [{ name: "backup", head: "a".repeat(40), pushed_at: timestamp(node.now - 5 * minute), error }],
		});
	});
	expect(node.channel.texts.join("\n")).toMatch(expected);
});

test.each(errorCodes.map((code) => [code]))("advice: %s → a cause and an action of its own", (code) => {
	const { cause, action } = adviceFor[code];
	expect(cause).toMatch(/^.{8,}\.$/);
	expect(action.length).toBeGreaterThan(5);
	const same = errorCodes.filter((other) => adviceFor[other].cause === cause);
	expect(same).toEqual([code]);
});

test.each([
	["RATE_LIMITED", /SYNC_INTERVAL/, /ls-remote|network/],
	["PUSH_TOO_LARGE", /client_max_body_size/, /ls-remote|SYNC_INTERVAL/],
	["BRANCH_GONE", /ls-remote --heads/, /remote add|git push/],
	["PUSH_REJECTED", /robust-sync --status/, /ls-remote|chown/],
] as const)("advice: %s → the remedy that helps, and no other", (code, action, other) => {
	expect(adviceFor[code].action).toMatch(action);
	expect(`${adviceFor[code].cause} ${adviceFor[code].action}`).not.toMatch(other);
});

test.each([
	["OPERATION_OPEN", /--abort/],
	["WRONG_BRANCH", /git checkout/],
	["DETACHED_HEAD", /git checkout/],
] as const)("advice: %s → not that of a conflict", (code, action) => {
	expect(adviceFor[code].action).toMatch(action);
	expect(adviceFor[code].action).not.toContain("conflict-resolver");
});

describe("sync that someone paused:", () => {
	test("for hours → a warning of the check, no alert; longer than a day → one alert", async () => {
		const node = newNode();
		const monitor = node.monitor();
		const since = timestamp(node.now);
		const lastSync = timestamp(node.now - minute);
		const beat = () => {
			node.beat();
			node.sync({ status: "paused", paused: { since, until: null }, last_sync: lastSync });
			node.hear("chad");
		};
		await node.pass(monitor, 23 * 60 * minute, beat, 20 * minute);
		expect(node.channel.texts).toEqual([]);
		expect(monitor.memory.checks.find(({ name }) => name === "sync")).toMatchObject({
			status: "warning",
			message: expect.stringContaining(`paused since ${since}`),
		});
		await node.pass(monitor, 120 * minute, beat, 20 * minute);
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toMatch(/sync is paused[\s\S]*robust-sync --resume/);
	});
});

test("large loss held: one check → one alert: how many, which, both commands", async () => {
	const node = newNode();
	const monitor = node.monitor();
	const loss = { direction: "outgoing", commit: "b".repeat(40), deleted: 80, emptied: 0, replaced: 0, files: 80, tracked: 82 } as const;
	const held = [{ ...loss, since: timestamp(node.now), paths: ["d/f1", "d/f2", "d/f3", "d/f4"] }];
	const beat = () => {
		node.beat();
		node.sync({ status: "held", held, head: "b".repeat(40), last_sync: timestamp(node.now) });
		// The peer's head is another one: that is no news of its own.
		node.hear("chad");
	};
	await node.pass(monitor, 2 * minute, beat, minute);
	expect(node.channel.texts).toHaveLength(1);
	expect(node.channel.texts[0]).toMatch(/80 files of 82 \(80 deleted: d\/f1, d\/f2, d\/f3, …\)[\s\S]*--approve[\s\S]*--reject/);
});

test.each([true, false])("sync check: long without a success, running: %j → only then it 'hangs'", async (isRunning) => {
	const node = newNode();
	const monitor = node.monitor();
	const last_sync = timestamp(node.now);
	if (!isRunning) node.stop("sync");
	const beat = () => {
		node.beat();
		node.sync({ last_sync });
	};
	await node.pass(monitor, 60 * minute, beat, 20 * minute);
	const shown = monitor.memory.checks.find(({ name }) => name === "sync")?.message;
	expect(shown).toMatch(/No sync has succeeded for/);
	expect(/robust-sync hangs/.test(shown ?? "")).toBe(isRunning);
});
