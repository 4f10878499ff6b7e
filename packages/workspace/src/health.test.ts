import { describe, expect, test } from "@jest/globals";
import type { ProcessTable } from "@robust-sync/system/process-table";
import { timestamp } from "@robust-sync/system/timestamps";
import { deriveHealth, type HealthInput } from "./health.ts";
import { peerLiveness, servicesLiveness, writerLiveness } from "./liveness.ts";
import type { StateRead } from "./read-state.ts";
import type { HeartbeatState, MonitorStatus, SyncState } from "./state-schemas.ts";
import { peerStateAt } from "./testing/peer-state.ts";
import { syncStateAt } from "./testing/sync-state.ts";

const now = Date.parse("2026-02-18T02:00:00.000Z");
const boot = now - 86_400_000;
const ago = (ms: number) => timestamp(now - ms);

/** Process 10 runs since an hour; nothing else does. */
const table: ProcessTable = {
	startTicks: (pid) => (pid === 10 ? (now - 3_600_000 - boot) / 10 : null),
	bootTimeMs: () => boot,
	bootId: () => "boot",
};

const sync = syncStateAt(ago(10_000), {
	pid: 10,
	pid_started_at: ago(3_600_000),
	updated_at: ago(1_000),
	started_at: ago(3_600_000),
});
const peer = peerStateAt(ago(5_000));
const ok = <T>(state: T): StateRead<T> => ({ kind: "ok", state });
const missing = { kind: "missing" } as const;

function input(changes: Partial<HealthInput> = {}, state: Partial<SyncState> = {}): HealthInput {
	return {
		view: { sync: ok({ ...sync, ...state }), heartbeat: missing, health: missing, monitor: missing },
		peers: [peer],
		conflictsUnresolved: 0,
		oldestPendingMs: null,
		syncIntervalSeconds: 60,
		peerTimeoutSeconds: 180,
		now,
		table,
		...changes,
	};
}
const status = (changes: Partial<HealthInput> = {}, state: Partial<SyncState> = {}) => deriveHealth(input(changes, state)).status;

describe("whether a service is up", () => {
	test("service: its process runs, same start, writes → up", () => {
		expect(writerLiveness(ok(sync), now, table)).toEqual({ status: "up", reason: "" });
	});
	test("service: never started, or a file that does not parse → unknown", () => {
		expect(writerLiveness(missing, now, table).status).toBe("unknown");
		expect(writerLiveness({ kind: "invalid", problem: "not JSON" }, now, table)).toEqual({
			status: "unknown",
			reason: expect.stringContaining("not JSON"),
		});
	});
	test("service: stopped, dead, another's pid, silent → down", () => {
		for (const change of [
			{ status: "stopped" as const },
			{ pid: 11 },
			{ pid_started_at: ago(7_200_000) },
			{ pid_started_at: ago(3_590_000) },
			{ updated_at: ago(90_001) },
		]) {
			expect(writerLiveness(ok({ ...sync, ...change }), now, table).status).toBe("down");
		}
	});
	test("service: two seconds of clock slew → the same process", () => {
		expect(writerLiveness(ok({ ...sync, pid_started_at: ago(3_602_000) }), now, table).status).toBe("up");
	});
	test("service: all four → answered for", () => {
		expect(Object.keys(servicesLiveness(input().view, now, table))).toEqual(["sync", "heartbeat", "health-server", "monitor"]);
	});
});

test("liveness: configuration not accepted → the reason of each service that is not up", () => {
	const problem = 'SYNC_INTERVAL="abc" is not accepted: give a number';
	const view = { ...input().view, sync: ok({ ...sync, status: "stopped" as const }), monitor: ok({ ...sync }) as never };
	const services = servicesLiveness(view, now, table, problem);
	expect(services.sync.reason).toBe(`stopped; its configuration is not accepted: ${problem}`);
	expect(services.heartbeat.reason).toBe(`never started here; its configuration is not accepted: ${problem}`);
	expect(services.monitor).toEqual({ status: "up", reason: "" });
	const [reason] = deriveHealth(input({ configurationProblem: problem }, { status: "stopped" })).reasons;
	expect(reason?.message).toBe(`robust-sync does not run: stopped; its configuration is not accepted: ${problem}`);
	expect(deriveHealth(input({ configurationProblem: problem })).status).toBe("ok");
});

describe("a peer as a reader sees it", () => {
	test("peer: the heartbeat runs → status of the file", () => {
		expect(peerLiveness(peer, now, 180_000)).toBe("alive");
		expect(peerLiveness({ ...peer, status: "down" }, now, 180_000)).toBe("down");
		expect(peerLiveness({ ...peer, status: "unknown", received_at: null }, now, 180_000)).toBe("unknown");
	});
	test("peer: nothing heard for its timeout, heartbeat alive or dead → down", () => {
		expect(peerLiveness({ ...peer, received_at: ago(184_000) }, now, 180_000)).toBe("alive");
		expect(peerLiveness({ ...peer, received_at: ago(186_000) }, now, 180_000)).toBe("down");
	});
});

describe("the state of a node", () => {
	test("node: everything is → ok", () => {
		expect(deriveHealth(input())).toEqual({ status: "ok", reasons: [] });
	});
	test("node: sync does not run, does not succeed, or failed → error", () => {
		expect(status({}, { pid: 11 })).toBe("error");
		expect(status({ view: { ...input().view, sync: missing } })).toBe("error");
		expect(status({}, { last_sync: ago(301_000) })).toBe("error");
		expect(status({}, { last_sync: null })).toBe("error");
		expect(status({}, { status: "failed" })).toBe("error");
		const paused = { since: ago(3_600_000), until: null };
		expect(deriveHealth(input({}, { status: "paused", paused, last_sync: ago(3_600_000) }))).toEqual({
			status: "degraded",
			reasons: [{ name: "sync", severity: "warning", message: expect.stringContaining(`paused since ${paused.since}`) }],
		});
	});
	test("late sync: five intervals → those that sync was started with", () => {
		const last_sync = ago(1_500_000);
		const judged = (state: Partial<SyncState>) => status({}, { last_sync, ...state });
		expect(judged({ interval_seconds: 600 })).toBe("ok");
		expect(judged({ interval_seconds: 600, status: "syncing", next_attempt: null })).toBe("ok");
		expect(judged({ interval_seconds: 200 })).toBe("error");
		expect(judged({ interval_seconds: 1e12, last_sync: ago(6 * 86_400_000) })).toBe("error");
		expect(judged({})).toBe("error");
	});
	test("node: no success in the first five intervals → no error", () => {
		expect(status({}, { last_sync: null, started_at: ago(200_000) })).toBe("ok");
	});
	test("node: a conflict unresolved, a critical alert → error", () => {
		expect(status({ conflictsUnresolved: 1 })).toBe("error");
		expect(status({ view: { ...input().view, monitor: ok(monitor("critical", "firing")) } })).toBe("error");
	});
	test("health: peer away, retrying, message waits or warning fires → degraded", () => {
		expect(status({ peers: [{ ...peer, status: "suspect" }] })).toBe("degraded");
		expect(status({ peers: [{ ...peer, status: "down" }] })).toBe("degraded");
		expect(status({}, { status: "retrying" })).toBe("degraded");
		expect(status({ oldestPendingMs: 600_001 })).toBe("degraded");
		expect(status({ view: { ...input().view, monitor: ok(monitor("warning", "firing")) } })).toBe("degraded");
	});
	test("node: heartbeat or monitor died → degraded; never ran → a choice", () => {
		const dead = { ...monitor("warning", "resolved"), pid: 11 };
		expect(deriveHealth(input({ view: { ...input().view, monitor: ok(dead) } }))).toEqual({
			status: "degraded",
			reasons: [{ name: "process:monitor", severity: "warning", message: expect.stringContaining("no alerts will be sent") }],
		});
		const silent: HeartbeatState = {
			...sync,
			pid: 11,
			boot_id: "b",
			sequence: 1,
			last_sent: null,
			port: 8765,
			authenticated: false,
			peers: [],
			totals: { sent: 0, received: 0, acked: 0, rejected: {} },
		};
		expect(status({ view: { ...input().view, heartbeat: ok(silent) } })).toBe("degraded");
		expect(status()).toBe("ok");
	});
	test("node: a critical alert held, its condition gone → degraded", () => {
		const held = monitor("critical", "firing");
		held.alerts = held.alerts.map((alert) => ({ ...alert, clear_since: ago(500) }));
		expect(status({ view: { ...input().view, monitor: ok(held) } })).toBe("degraded");
	});
	test("node: a resolved or pending alert → no reason", () => {
		for (const state of ["resolved", "pending"] as const)
			expect(status({ view: { ...input().view, monitor: ok(monitor("critical", state)) } })).toBe("ok");
	});
	test("node: several reasons → every one named, the worst decides", () => {
		const { status: worst, reasons } = deriveHealth(input({ peers: [{ ...peer, status: "down" }], conflictsUnresolved: 2 }));
		expect(worst).toBe("error");
		expect(reasons.map((reason) => reason.name)).toEqual(["conflicts", "heartbeat:chad"]);
	});
});

function monitor(severity: "warning" | "critical", state: "firing" | "pending" | "resolved"): MonitorStatus {
	return {
		schema: 1,
		node: "helios",
		pid: 10,
		pid_started_at: ago(3_600_000),
		updated_at: ago(1_000),
		status: "ok",
		checks: [],
		alerts: [{ id: "disk", severity, state, since: ago(1_000), last_notified: null, message: "full" }],
		undelivered: [],
	};
}
