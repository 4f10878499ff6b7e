import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { oneKey as options } from "./fixture/forgetting.ts";
import { untilConverged } from "./fixture/node.ts";
import { objects } from "./fixture/objects.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("forget-lagging");
});
afterEach(() => world.remove());

const content = "a private text that has to go\n";

describe("forget", () => {
	test.each([
		["has it in its tree", false],
		["has it in its history, and own commits", true],
	])("lagging node: %s, lacks the tip that was replaced → forgets", async (_what, hasOwn) => {
		const [helios, chad] = await world.pair({ "base.md": "base\n" }, options);
		helios.write("d/private.md", content);
		await helios.once();
		await chad.once();
		helios.write("later.md", "later\n");
		await helios.once();
		if (hasOwn) chad.write("own.md", "own\n");
		expect((await helios.run(["--forget", "d/private.md"])).code).toBe(0);
		for (const node of [chad, helios, chad]) await node.once();
		expect(chad.head()).toBe(helios.head());
		expect([helios, chad].map((node) => node.exists("d/private.md"))).toEqual([false, false]);
		for (const place of [helios.path(".git"), chad.path(".git"), world.path("hub.git")])
			expect(objects(place).includes(content)).toBe(false);
		for (const node of [helios, chad]) node.fsck();
	});

	test("lagging daemon: it had looked at the old history before → forgets", async () => {
		const [helios, chad] = await world.pair({ "base.md": "base\n", "d/private.md": content }, options);
		await chad.start();
		expect((await chad.run(["--pause"])).code).toBe(0);
		helios.write("later.md", "later\n");
		await helios.once();
		chad.write("own.md", "own\n");
		expect((await helios.run(["--forget", "d/private.md"])).code).toBe(0);
		expect((await chad.run(["--resume"])).code).toBe(0);
		await until(() => chad.exists("later.md") && world.git("hub.git", "ls-tree", "--name-only", "main").includes("own.md"), "both files");
		await helios.once();
		await untilConverged(world, [helios, chad]);
		expect([helios, chad].map((node) => [node.exists("d/private.md"), node.state()?.last_error])).toEqual([
			[false, null],
			[false, null],
		]);
		for (const place of [helios.path(".git"), chad.path(".git"), world.path("hub.git")])
			expect(objects(place).includes(content)).toBe(false);
	});

	test("new node: same content at another path, the path written again → both stay", async () => {
		const [helios, chad] = await world.pair({ "base.md": "base\n", "d/private.md": content, "copy.md": content }, options);
		expect((await helios.run(["--forget", "d/private.md"])).code).toBe(0);
		await chad.once();
		chad.write("d/private.md", "written again\n");
		await chad.once();
		const juno = world.join("juno", options);
		juno.write("d/private.md", "written again\nby juno\n");
		helios.write("later.md", "later\n");
		for (const node of [helios, juno, chad, helios]) await node.once();
		expect([helios, chad, juno].map((node) => [node.read("d/private.md"), node.read("copy.md")])).toEqual(
			[1, 2, 3].map(() => ["written again\nby juno\n", content]),
		);
		expect(chad.head()).toBe(juno.head());
	});
});
