import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { WorkspacePaths, writeState } from "@robust-sync/workspace";
import { LocalContent } from "./local-content.ts";
import { syncStateOf } from "./testing/daemon-fixture.ts";

const [headA, headB] = ["a".repeat(40), "b".repeat(40)];
let paths: WorkspacePaths;
let now: number;
let content: LocalContent;

beforeEach(() => {
	paths = new WorkspacePaths(mkdtempSync(path.join(tmpdir(), "heartbeat-content-")));
	mkdirSync(paths.sync);
	now = Date.now();
	content = new LocalContent({ paths, isHeartbeat: true, now: () => now });
});
afterEach(() => rmSync(paths.root, { recursive: true }));

test("local content: robust-sync never ran → only that the heartbeat does", () => {
	expect(content.get()).toEqual({
		head: null,
		lastSyncMs: null,
		syncStatus: null,
		consecutiveFailures: null,
		messagesPending: null,
		services: { sync: "unknown", heartbeat: "up", "health-server": "unknown", monitor: "unknown" },
	});
	expect(new LocalContent({ paths, isHeartbeat: false }).get().services.heartbeat).toBe("unknown");
});

test("head: not on the remote yet → the last one that is there is reported", async () => {
	const announced = async (fields: Parameters<typeof syncStateOf>[1]) => {
		await writeState(paths.syncState, syncStateOf("helios", fields));
		return content.refresh().head;
	};
	expect(await announced({ head: headA, ahead: 1 })).toBeNull();
	expect(await announced({ head: headA, ahead: 0, status: "syncing" })).toBeNull();
	expect(await announced({ head: headA })).toBe(headA);
	expect(await announced({ head: headB, ahead: 2, status: "retrying", consecutive_failures: 4 })).toBe(headA);
	expect(content.get()).toMatchObject({ syncStatus: "retrying", consecutiveFailures: 4 });
	expect(await announced({ head: headB })).toBe(headB);
	expect(await announced({ head: "not a commit" })).toBe(headB);
});

test("services: process gone → down; state file invalid → unknown", async () => {
	await writeState(paths.syncState, syncStateOf("helios", { pid: 2 ** 22 + 1 }));
	writeFileSync(paths.monitorStatus, "{");
	expect(content.get().services).toEqual({ sync: "down", heartbeat: "up", "health-server": "unknown", monitor: "unknown" });
});

test("local content: files → read once a second at most, at once when known to change", async () => {
	expect(content.get().syncStatus).toBeNull();
	await writeState(paths.syncState, syncStateOf("helios", {}));
	now += 999;
	expect(content.get().syncStatus).toBeNull();
	now += 1;
	expect(content.get().syncStatus).toBe("idle");
	// The clock was set back: the reading counts as stale for as long as that.
	await writeState(paths.syncState, syncStateOf("helios", { status: "failed" }));
	now -= 3_600_000;
	expect(content.get().syncStatus).toBe("failed");
});
