import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { SlowHub } from "../testing/slow-hub.ts";

// Writes while a cycle waits for the hub are a commit on the version that their writer had read, and merged like any other: the later writer
// wins, and both nodes save the losing versions. More: slow-hub.slow.test.ts.

let hub: SlowHub;
beforeEach(() => {
	hub = new SlowHub();
});
afterEach(() => hub.remove());

test("slow hub: edit after the peer's → it wins, both save the peer's", async () => {
	await hub.start();
	hub.writeAll("helios", "helios", 100);
	await hub.cycle("helios");
	const { waits, letGo } = hub.hang("chad", "upload-pack");
	const running = hub.cycle("chad");
	await waits();
	hub.writeAll("chad", "chad");
	letGo();
	expect(await running).toMatchObject({ rescued: 0, pushed: 2 });
	await hub.cycle("helios");
	hub.expectOutcome("chad", "helios");
});
