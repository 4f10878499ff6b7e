import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("converge");
});
afterEach(() => world.remove());

test("merge commit: two nodes merge the same two commits → the same commit", async () => {
	const [helios, chad] = await world.pair({ "a.json": '{"x":0}\n', "n.md": "1\n" });
	helios.write("a.json", '{"x":0,"helios":1}\n');
	chad.write("a.json", '{"x":0,"chad":1}\n');
	helios.write("n.md", "1\nhelios\n");
	chad.write("n.md", "1\nchad\n");
	// Both commit without the hub, then each merges the other's commit by itself.
	world.git(".", "clone", "-q", "--bare", "hub.git", "hub2.git");
	chad.git("remote", "set-url", "origin", world.path("hub2.git"));
	await helios.once();
	await chad.once();
	world.git("hub.git", "fetch", "-q", world.path("hub2.git"), "main:of-chad");
	world.git("hub2.git", "fetch", "-q", world.path("hub.git"), "main:of-helios");
	const [ofHelios, ofChad] = [helios.head(), chad.head()];
	world.git("hub.git", "update-ref", "refs/heads/main", ofChad ?? "");
	world.git("hub2.git", "update-ref", "refs/heads/main", ofHelios ?? "");
	await helios.once();
	await chad.once();
	expect(helios.head()).toBe(chad.head());
	expect(JSON.parse(chad.read("a.json"))).toEqual({ x: 0, helios: 1, chad: 1 });
});
