import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { owned } from "@robust-sync/git/fixtures/owned-files";
import { SlowHub } from "../testing/slow-hub.ts";

let hub: SlowHub;
beforeEach(() => {
	hub = new SlowHub();
});
afterEach(() => hub.remove());

/** helios has published its writes, and chad's fetch of them hangs until it is let go. */
async function fetching(secondsAgo = 0) {
	await hub.start();
	hub.writeAll("helios", "helios", secondsAgo);
	await hub.cycle("helios");
	const { waits, letGo } = hub.hang("chad", "upload-pack");
	const running = hub.cycle("chad");
	await waits();
	return { running, letGo };
}

// Writes while a cycle waits for the hub are a commit on the version that their writer had read, and merged like any other: the later writer
// wins, and both nodes save the losing versions.

test("slow hub: edit after the peer's → it wins, both save the peer's", async () => {
	const { running, letGo } = await fetching(100);
	hub.writeAll("chad", "chad");
	letGo();
	expect(await running).toMatchObject({ rescued: 0, pushed: 2 });
	await hub.cycle("helios");
	hub.expectOutcome("chad", "helios");
});

test.each([
	["after", 0, "chad", "helios"],
	["before", 500, "helios", "chad"],
] as const)("slow hub: edit %s the peer's → the later wins, both save the other", async (_when, secondsAgo, winner, loser) => {
	await hub.start();
	hub.writeAll("helios", "helios", 100);
	await hub.cycle("helios");
	const { waits, letGo } = hub.hang("chad", "upload-pack", 2);
	const running = hub.cycle("chad");
	letGo(0);
	await waits(1);
	hub.writeAll("chad", "chad", secondsAgo);
	letGo(1);
	expect(await running).toMatchObject({ rescued: 0 });
	await hub.cycle("helios");
	hub.expectOutcome(winner, loser);
});

test("slow hub: edits while both push → the later wins, both save the other", async () => {
	await hub.start();
	for (const name of ["helios", "chad"] as const) hub.writeAged(`${name}/${name}.txt`, "trigger\n", 500);
	await hub.cycle("helios");
	hub.writeAged("helios/helios.txt", "again\n", 400);
	const [first, second] = [hub.hang("helios", "receive-pack"), hub.hang("chad", "receive-pack", 2)];
	const running = [hub.cycle("helios"), hub.cycle("chad")];
	await Promise.all([first.waits(), second.waits()]);
	// chad's first push is refused, because helios was faster; the second one is of a merge.
	second.letGo();
	await second.waits(1);
	hub.writeAll("chad", "chad", 5);
	hub.writeAll("helios", "helios", 10);
	second.letGo(1);
	await running[1];
	first.letGo();
	await running[0];
	for (const name of ["helios", "chad", "helios", "chad"] as const) await hub.cycle(name);
	hub.expectOutcome("chad", "helios");
});

test("slow hub: edit while a refused push hangs → kept, and it wins", async () => {
	await hub.start();
	hub.writeAll("helios", "helios", 100);
	await hub.cycle("helios");
	hub.writeAged("chad/mine.txt", "mine\n", 500);
	hub.write("hub.git/hooks/pre-receive", '#!/bin/sh\n[ -e "$0.allow" ]\n', 0o755);
	const { waits, letGo } = hub.hang("chad", "receive-pack", 2);
	const running = hub.cycle("chad").catch((error: { code: string }) => error.code);
	// The first one is a race.
	letGo(0);
	await waits(1);
	hub.writeAll("chad", "chad");
	letGo(1);
	expect(await running).toBe("PUSH_REJECTED");
	expect(hub.read("chad/program.py")).toBe(owned["program.py"]?.("chad"));
	hub.write("hub.git/hooks/pre-receive.allow", "");
	for (const name of ["chad", "helios"] as const) await hub.cycle(name);
	hub.expectOutcome("chad", "helios");
});

test("slow hub: deletion meanwhile → the peer's change stays", async () => {
	const { running, letGo } = await fetching();
	for (const file of Object.keys(owned)) fs.rmSync(hub.path("chad", file));
	hub.write("chad/new.txt", "new\n");
	letGo();
	await running;
	await hub.cycle("helios");
	for (const name of ["helios", "chad"]) {
		for (const [file, content] of Object.entries(owned)) expect(hub.read(`${name}/${file}`)).toBe(content("helios"));
		expect(hub.read(`${name}/new.txt`)).toBe("new\n");
	}
});

test("slow hub: another branch checked out → nothing is committed or moved", async () => {
	const { running, letGo } = await fetching();
	hub.git("chad", "checkout", "-q", "-b", "mine");
	hub.writeAll("chad", "chad");
	const before = hub.git("chad", "rev-parse", "HEAD", "main");
	letGo();
	await expect(running).rejects.toMatchObject({ code: "WRONG_BRANCH" });
	expect(hub.git("chad", "rev-parse", "HEAD", "main")).toBe(before);
	expect(hub.read("chad/program.py")).toBe(owned["program.py"]?.("chad"));
});

test("slow hub: commit by a person → it is merged in the same cycle", async () => {
	const { running, letGo } = await fetching(100);
	hub.writeAll("chad", "chad");
	hub.commitAll("chad", "by hand");
	letGo();
	await running;
	await hub.cycle("helios");
	hub.expectOutcome("chad", "helios");
	expect(hub.git("helios", "log", "--format=%s")).toContain("by hand");
});
