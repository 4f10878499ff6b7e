import { rmSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { timestamp } from "@robust-sync/system/timestamps";
import { commitId, minute } from "./testing/node-fixture.ts";
import { all, newNode, statusFile, well } from "./testing/rounds.ts";

describe("the four alerts of the user: each fires once and is resolved once", () => {
	test("alert: no heartbeat for three minutes → fired once, resolved once", async () => {
		const node = newNode();
		const monitor = node.monitor();
		await node.pass(monitor, 5 * minute, well(node));
		expect(node.channel.texts).toEqual([]);
		const lastHeard = node.now;
		await node.pass(monitor, 3 * minute, () => node.beat());
		expect(node.channel.texts).toEqual([]);
		await node.pass(monitor, 30_000, () => node.beat());
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toMatch(
			/^helios: 🔴 chad is silent\nNo heartbeat from chad for 3 min 30 s \(last heard 02:05:00 UTC\)\.\nLikely: .*\nDo: ssh chad\.example /,
		);
		await node.pass(monitor, 20 * minute, () => node.beat(), minute);
		expect(node.channel.texts).toHaveLength(1);
		expect(statusFile(node).alerts).toMatchObject([
			{ id: "heartbeat:chad", state: "firing", severity: "critical", since: timestamp(lastHeard) },
		]);
		await node.pass(monitor, 10 * minute, well(node));
		expect(node.channel.texts).toHaveLength(2);
		expect(node.channel.texts[1]).toMatch(/^helios: ✅ Over: “chad is silent”\nFrom 02:05:00 UTC to 02:29:00 UTC \(24 min\)\.$/);
	});

	test("alert: sync fails three times in a row → fired once, resolved once", async () => {
		const node = newNode();
		const monitor = node.monitor();
		for (const failures of [1, 2])
			await node.pass(
				monitor,
				minute,
				all(well(node), () => node.failing(failures)),
			);
		expect(node.channel.texts).toEqual([]);
		await node.pass(
			monitor,
			10 * minute,
			all(well(node), () => node.failing(3)),
		);
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toMatch(
			/^helios: 🔴 sync failed 3 times in a row \(AUTH_FAILED\)\nSync failed 3 times in a row, last success .*: the remote refused the key\./,
		);
		await node.pass(monitor, 5 * minute, well(node));
		expect(node.channel.texts).toHaveLength(2);
		expect(node.channel.texts[1]).toContain("✅ Over: “sync failed");
	});

	test("alert: a git conflict stays unresolved → fired once, resolved once", async () => {
		const node = newNode();
		const monitor = node.monitor();
		await node.pass(monitor, minute, well(node));
		node.repository = { unmerged: 2, operation: "merge", operationSince: node.now };
		await node.pass(monitor, 30_000, well(node));
		expect(statusFile(node).checks.find((check) => check.name === "conflicts")?.status).toBe("critical");
		expect(node.channel.texts).toEqual([]);
		await node.pass(monitor, 30 * minute, well(node), minute);
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("a git conflict is unresolved\n2 paths have conflicts in ");
		expect(node.channel.texts[0]).toContain("conflict-resolver --resolve");
		node.repository = { unmerged: 0, operation: null, operationSince: null };
		await node.pass(monitor, 5 * minute, well(node));
		expect(node.channel.texts).toHaveLength(2);
	});

	test("conflict: sync does not run → alert without waiting for a cycle", async () => {
		const node = newNode();
		const monitor = node.monitor();
		node.stop("sync");
		node.repository = { unmerged: 1, operation: "merge", operationSince: node.now };
		await node.pass(monitor, minute, () => node.beat());
		expect(node.channel.texts.join("\n")).toContain("a git conflict is unresolved\n1 path has conflicts in ");
	});

	test("alert: a process dies → fired once, resolved once", async () => {
		const node = newNode();
		const monitor = node.monitor();
		await node.pass(monitor, minute, well(node));
		node.kill("sync");
		await node.pass(monitor, 30_000, well(node));
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toMatch(
			/^helios: 🔴 sync died\nrobust-sync on helios does not run: its process \d+ is gone\.\nLikely: it crashed/,
		);
		await node.pass(monitor, 5 * minute, well(node));
		node.start("sync");
		await node.pass(monitor, 5 * minute, well(node));
		expect(node.channel.texts).toHaveLength(2);
		expect(node.channel.texts[1]).toContain("✅ Over: “sync died");
	});
});

describe("processes", () => {
	test("process: an orderly restart → not sent, a stop that lasts → sent", async () => {
		const node = newNode();
		const monitor = node.monitor();
		node.stop("health-server");
		await node.pass(monitor, 5_000, well(node), 5_000);
		node.start("health-server");
		await node.pass(monitor, 2 * minute, well(node));
		expect(node.channel.texts).toEqual([]);
		node.stop("health-server");
		await node.pass(monitor, minute, well(node));
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("health-server is stopped");
	});

	test("process: hangs and writes no more → sent", async () => {
		const node = newNode();
		const monitor = node.monitor();
		await node.pass(monitor, 3 * minute, () => {
			node.hear("chad");
			node.heartbeat();
			node.sync();
		});
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("health-server hangs");
	});

	test("process: its pid belongs to another program → not taken for ours", async () => {
		const node = newNode();
		const monitor = node.monitor();
		node.running.set(node.pidOf("heartbeat"), 123_456_789);
		await node.pass(monitor, 30_000, () => node.hear("chad"));
		expect(node.channel.texts[0]).toContain("heartbeat died");
	});

	test("process: after a reboot → has time to start", async () => {
		const node = newNode();
		for (const service of ["sync", "heartbeat", "health-server"] as const) node.kill(service);
		node.bootId = "boot-2";
		const monitor = node.monitor();
		await node.pass(monitor, 30_000, () => node.hear("chad"));
		for (const service of ["sync", "heartbeat", "health-server"] as const) node.start(service);
		await node.pass(monitor, 5 * minute, well(node));
		expect(node.channel.texts).toEqual([]);
	});

	test("process: up at each check, restarted again and again → sent", async () => {
		const node = newNode();
		const monitor = node.monitor();
		for (let i = 0; i < 4; i++) {
			await node.pass(monitor, minute, well(node));
			node.kill("heartbeat");
			node.start("heartbeat");
		}
		await node.pass(monitor, minute, well(node));
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("heartbeat crashes again and again");
		await node.pass(monitor, 15 * minute, well(node));
		expect(node.channel.texts[1]).toContain("✅ Over");
	});

	test("process: cycles of commands between the daemon's → not counted as restarts", async () => {
		const node = newNode();
		const monitor = node.monitor();
		const command = node.writer("sync").pid + 1_000;
		node.running.set(command, 500);
		const pid_started_at = timestamp(node.table.bootTimeMs() + 5_000);
		let looks = 0;
		await node.pass(monitor, 5 * minute, () => {
			well(node)();
			if (looks++ % 2 === 1) node.sync({ once: true, pid: command, pid_started_at });
		});
		expect(looks).toBeGreaterThan(6);
		expect(node.channel.texts).toEqual([]);
	});

	test("process: systemd's restart counter → counts where there is one", async () => {
		const node = newNode();
		const monitor = node.monitor();
		const unit = { unit: "helios-sync", activeState: "active", subState: "running", result: "success", enabled: true, restarts: 7 };
		node.units.sync = unit;
		await node.pass(monitor, minute, well(node));
		expect(node.channel.texts).toEqual([]);
		node.units.sync = { ...unit, restarts: 11 };
		await node.pass(monitor, 30_000, well(node));
		expect(node.channel.texts[0]).toContain("sync crashes again and again");
		expect(node.channel.texts[0]).toContain("journalctl -u helios-sync");
	});

	test("process: never started → sent only if needed, or systemd is to start it", async () => {
		const node = newNode();
		rmSync(node.paths.healthState);
		rmSync(node.paths.syncState);
		const monitor = node.monitor();
		await node.pass(
			monitor,
			5 * minute,
			all(
				() => node.heartbeat(),
				() => node.hear("chad"),
			),
		);
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("sync does not run");
		expect(statusFile(node).checks.find((check) => check.name === "process:health-server")).toMatchObject({ status: "warning" });
		node.units["health-server"] = {
			unit: "helios-health-server",
			activeState: "inactive",
			subState: "dead",
			result: "success",
			enabled: true,
			restarts: 0,
		};
		await node.pass(
			monitor,
			5 * minute,
			all(
				() => node.heartbeat(),
				() => node.hear("chad"),
			),
		);
		expect(node.channel.texts[1]).toContain("health-server does not run");
	});

	test("dead monitor: → alert by its peer; its other services → by its own monitor", async () => {
		const node = newNode();
		const monitor = node.monitor();
		const hear = (services: object) => () => {
			node.beat();
			node.hear("chad", { services: { sync: "up", heartbeat: "up", "health-server": "up", monitor: "up", ...services } });
		};
		await node.pass(monitor, 5 * minute, hear({ "health-server": "down", sync: "down" }));
		expect(node.channel.texts).toEqual([]);
		await node.pass(monitor, 5 * minute, hear({ monitor: "down" }));
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("monitor of chad is down");
		expect(statusFile(node).alerts.find((alert) => alert.state === "firing")?.id).toBe("process:monitor@chad");
		await node.pass(monitor, 5 * minute, hear({}));
		expect(node.channel.texts[1]).toContain("✅ Over: “monitor of chad is down");
	});
});

describe("peers", () => {
	test("peer: never heard → sent after PEER_TIMEOUT", async () => {
		const node = newNode({ CHAD_HOST: "", PEERS: "apollo=10.0.0.7" });
		const monitor = node.monitor();
		await node.pass(monitor, 3 * minute, () => node.beat());
		expect(node.channel.texts).toEqual([]);
		await node.pass(monitor, 2 * minute, () => node.beat());
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("apollo was never heard");
	});

	test("peer: our own heartbeat is dead → its peers are not called silent", async () => {
		const node = newNode();
		const monitor = node.monitor();
		await node.pass(monitor, minute, well(node));
		node.kill("heartbeat");
		await node.pass(monitor, 20 * minute, () => node.beat());
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("heartbeat died");
	});

	test("silent peer: our heartbeat saw it and died → still an alert", async () => {
		const node = newNode();
		node.hear("chad", { status: "down", received_at: timestamp(node.now - 4 * minute), missed: 4 });
		node.kill("heartbeat");
		const monitor = node.monitor();
		await node.pass(monitor, 20 * minute, () => node.beat());
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("chad is silent");
		expect(node.channel.texts[0]).toContain("heartbeat died");
	});

	test("peer: remote and peer unreachable at once → one message with the common cause", async () => {
		const node = newNode();
		const monitor = node.monitor();
		await node.pass(monitor, 5 * minute, well(node));
		const cutAt = node.now;
		await node.pass(monitor, 30 * minute, () => {
			node.beat();
			node.failing(
				Math.max(1, Math.floor((node.now - cutAt) / minute)),
				"REMOTE_UNREACHABLE",
				"ssh: connect to host hub port 22: Network is unreachable",
			);
			if (node.now - cutAt > 90_000) node.hear("chad", { status: "suspect", received_at: timestamp(cutAt), missed: 1 });
		});
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toMatch(/^helios: The remote and peers are unreachable at once/);
		expect(node.channel.texts[0]).toContain("sync failed 3 times in a row (REMOTE_UNREACHABLE)");
		expect(node.channel.texts[0]).toContain("chad is late");
		await node.pass(monitor, 5 * minute, well(node));
		expect(node.channel.texts).toHaveLength(2);
		expect(node.channel.texts[1]).toMatch(/Over: “sync failed[\s\S]*Over: “chad is silent/);
	});

	test("peer: does not hear us, clocks that differ → sent", async () => {
		const node = newNode();
		const monitor = node.monitor();
		await node.pass(
			monitor,
			10 * minute,
			all(
				() => node.beat(),
				() => node.hear("chad", { hears_us: false, clock_offset_ms: 9_000 }),
			),
		);
		expect(node.channel.texts.join("\n")).toContain("chad does not hear us");
		expect(node.channel.texts.join("\n")).toContain("The clock of chad is 9 s ahead of ours.");
		expect(node.channel.texts).toHaveLength(2);
	});

	test("silent peers: a hundred at once → a few messages within the limit, each once", async () => {
		const names = Array.from({ length: 100 }, (_, i) => `peer-${String(i).padStart(3, "0")}`);
		const node = newNode({ CHAD_HOST: "", PEERS: names.map((name) => `${name}=${name}.example`).join(",") });
		for (const name of names) node.hear(name);
		const monitor = node.monitor();
		await node.pass(monitor, 10 * minute, () => node.beat());
		for (const text of node.channel.texts) expect(text.length).toBeLessThanOrEqual(4_096);
		expect(node.channel.texts.length).toBeLessThanOrEqual(8);
		const all = node.channel.texts.join("\n");
		for (const name of names) expect(all.split(`🔴 ${name} is silent`)).toHaveLength(2);
	});

	test("peer: nodes disagree for ten minutes → sent; for nine → not", async () => {
		const node = newNode();
		const monitor = node.monitor();
		const differ = all(
			() => node.beat(),
			() => node.hear("chad", { head: commitId("b") }),
		);
		await node.pass(monitor, 9 * minute, differ);
		expect(statusFile(node).status).toBe("ok");
		await node.pass(monitor, 90_000, well(node));
		await node.pass(monitor, 11 * minute, differ);
		expect(node.channel.texts).toHaveLength(1);
		expect(node.channel.texts[0]).toContain("nodes do not agree\nThis node and chad have been on different commits for more than 10 min.");
	});
});
