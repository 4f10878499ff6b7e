import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("by-hand");
});
afterEach(() => world.remove());

test("conflict by hand: theirs by git checkout → the next cycle saves both versions", async () => {
	const [helios, chad] = await world.pair({ "test_conflict.json": '{"test": "base"}\n' });
	chad.write("test_conflict.json", '{"test": "remote"}\n');
	await chad.once();
	helios.write("test_conflict.json", '{"test": "local"}\n');
	helios.git("add", "test_conflict.json");
	helios.git("commit", "-q", "-m", "Local change");
	helios.git("fetch", "-q", "origin");
	helios.git("checkout", "origin/main", "--", "test_conflict.json");
	await helios.once();
	expect(helios.read("test_conflict.json")).toBe('{"test": "remote"}\n');
	expect(helios.git("status", "--porcelain")).toBe("");
	const conflicts = helios.path("sync/conflicts");
	const [saved = ""] = fs.readdirSync(conflicts);
	const version = (side: string) => fs.readFileSync(path.join(conflicts, saved, `files/test_conflict.json.${side}`), "utf8");
	expect(["ours", "theirs", "base"].map(version)).toEqual(['{"test": "local"}\n', '{"test": "remote"}\n', '{"test": "base"}\n']);
});
