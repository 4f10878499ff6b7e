import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { untilConverged } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("editors");
});
afterEach(() => world.remove());

test("editor: 25 saves by unlink and rewrite → no deletion in history", async () => {
	const [helios, chad] = await world.pair({ "notes.md": "0\n", "d/stays-away.md": "1\n" });
	await Promise.all([helios.start(), chad.start()]);
	for (let save = 1; save <= 25; save++) {
		fs.rmSync(helios.path("notes.md"));
		await sleep(save * 12);
		helios.write("notes.md", `${save}\n`);
		await sleep(150);
	}
	helios.remove("d");
	const removedAt = performance.now();
	await until(() => world.git("hub.git", "ls-tree", "-r", "--name-only", "main").trim() === "notes.md", "the deletion on the hub");
	expect(performance.now() - removedAt).toBeLessThan(8_000);
	expect(world.git("hub.git", "log", "--format=", "--name-only", "--diff-filter=D", "main").trim()).toBe("d/stays-away.md");
	chad.git("fetch", "-q");
	process.kill(chad.worker() ?? 0, "SIGUSR1");
	await untilConverged(world, [helios, chad]);
	expect(chad.files()).toEqual({ "notes.md": "25\n" });
}, 120_000);

test("editor: rename beside the daemon → one commit", async () => {
	const [helios] = await world.pair({ "d/a.txt": "a file with\nsome lines\nin it\n", "d/b.txt": "another\nwith others\n" });
	await helios.start();
	fs.renameSync(helios.path("d"), helios.path("e"));
	await until(() => world.git("hub.git", "ls-tree", "-r", "--name-only", "main").includes("e/b.txt"), "the rename on the hub");
	expect(world.git("hub.git", "log", "-1", "--format=", "--name-status", "-M", "main").trim().split("\n")).toEqual([
		"R100\td/a.txt\te/a.txt",
		"R100\td/b.txt\te/b.txt",
	]);
}, 60_000);
