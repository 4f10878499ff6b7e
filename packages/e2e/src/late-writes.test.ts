import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("late");
});
afterEach(() => world.remove());

test("late write: into a file that a checkout took away → merged once, at a scan", async () => {
	const [helios, chad] = await world.pair({ "log.txt": "start\n" });
	chad.write("log.txt", "start\nchad\n");
	await chad.once();
	const open = fs.openSync(helios.path("log.txt"), "a");
	await helios.once();
	fs.writeSync(open, "late\n");
	fs.closeSync(open);
	expect((await helios.once()).totals.rescued).toBe(1);
	expect(helios.read("log.txt").split("\n").sort()).toEqual(["", "chad", "late", "start"]);
	expect((await helios.once()).totals.rescued).toBe(1);
});

test("backups: older than 7 days → removed, never below the newest 10", async () => {
	const [node] = await world.pair();
	const name = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().replaceAll(/[-:]/g, "");
	fs.mkdirSync(node.paths.backups, { recursive: true });
	const old = Array.from({ length: 8 }, (_, index) => name(8 + index));
	const recent = Array.from({ length: 6 }, (_, index) => name(1 + index / 2));
	for (const directory of [...old, ...recent, "of-a-person"]) fs.mkdirSync(`${node.paths.backups}/${directory}`);
	await node.once();
	const left = fs.readdirSync(node.paths.backups);
	for (const directory of [...recent, ...old.slice(0, 4), "of-a-person"]) expect(left).toContain(directory);
	for (const directory of old.slice(4)) expect(left).not.toContain(directory);
});
