import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { oneKey, untilSame, valueFile } from "./fixture/forgetting.ts";
import type { Node } from "./fixture/node.ts";
import { objects } from "./fixture/objects.ts";
import { World } from "./fixture/world.ts";

// A value that is forgotten, written again and forgotten again: two maps are about one value.

let world: World;
let helios: Node;
let chad: Node;
let juno: Node;
beforeEach(async () => {
	world = new World("forget-again");
	[helios, chad] = await world.pair({ "a.md": `one ${value}\n`, "b.md": `two ${other}\n` }, oneKey);
	juno = world.join("juno", oneKey);
	for (const node of [helios, chad, juno]) await node.once();
});
afterEach(() => world.remove());

const value = "tok_9sK2mQ7vXcL4rT8w";
const other = "key_4hJ8wPz1NbYq6dFs";
const hub = () => world.path("hub.git");

async function forget(node: Node, text: string): Promise<void> {
	const { code, stderr } = await node.run(["--forget-value", valueFile(world, text)]);
	expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
}

function expectGone(text: string): void {
	for (const place of [...[helios, chad, juno].map((node) => node.path(".git")), hub()])
		expect([place, objects(place).includes(text)]).toEqual([place, false]);
}

describe("forget", () => {
	test.each([
		["what the second map lists", "again.md", `again ${value}\n`],
		["another file of its own", "own.md", `own ${value}\n`],
	])("again: a node that was offline has %s → the same everywhere", async (_what, name, content) => {
		juno.write(name, content);
		world.commitAll("juno", "by hand");
		await forget(helios, value);
		await chad.once();
		chad.write("again.md", `again ${value}\n`);
		await untilSame([chad, helios]);
		await forget(helios, value);
		await untilSame([juno, chad, helios]);
		for (const node of [helios, chad, juno]) {
			expect(node.read("again.md")).toMatch(/^again forgotten-a[0-9a-f]{12}\n$/);
			expect(await node.once()).toMatchObject({ skipped: [], ahead: 0 });
			node.fsck();
		}
		expectGone(value);
	});

	test("again: written between two maps about others, a node was offline → not undone", async () => {
		juno.write("own.md", `own ${value} ${other}\n`);
		await forget(helios, value);
		await chad.once();
		chad.write("again.md", `again ${value}\n`);
		await untilSame([chad, helios]);
		await forget(chad, other);
		await untilSame([juno, chad, helios]);
		expect([helios, chad, juno].map((node) => node.read("again.md"))).toEqual([1, 2, 3].map(() => `again ${value}\n`));
		expect(juno.read("own.md")).toMatch(/^own forgotten-a[0-9a-f]{12} forgotten-a[0-9a-f]{12}\n$/);
		for (const node of [helios, chad, juno]) expect(await node.once()).toMatchObject({ skipped: [], ahead: 0 });
		expectGone(other);
	});

	test("again: the hub got all old objects back → a later cycle removes them there", async () => {
		const saved = world.path("saved");
		const save = () => fs.cpSync(`${hub()}/objects`, saved, { recursive: true, force: false });
		save();
		await forget(helios, value);
		await chad.once();
		chad.write("again.md", `again ${value}\n`);
		await untilSame([chad, helios]);
		save();
		await forget(chad, value);
		await untilSame([helios, juno, chad]);
		fs.cpSync(saved, `${hub()}/objects`, { recursive: true, force: false });
		expect(objects(hub())).toContain(value);
		await juno.once();
		expectGone(value);
	});
});
