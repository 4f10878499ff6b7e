import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { bringInto, copyOf, expectAllIsWell, makeTemplate } from "./fixture/plight.ts";
import { faultPointNames } from "./fixture/sources.ts";
import type { World } from "./fixture/world.ts";

// A first checkout is a clone's that git left without one: first-checkout.slow.test.ts stops it at every step.
// Requests of a person, and commits that are made again: task-kills.slow.test.ts. Forgetting: forget.slow.test.ts. Files that no commit may have:
// replaced-files.test.ts of robust-sync.
const elsewhere = ["first-checkout-", "forget-", "own-files-", "refused-", "secret-", "guard-", "task-", "replace-"];
const names = faultPointNames(["robust-sync", "resolve", "git", "workspace", "system"]).filter(
	(name) => !elsewhere.some((prefix) => name.startsWith(prefix)),
);

let template: World;
let world: World | undefined;
beforeAll(async () => {
	template = await makeTemplate();
});
afterEach(async () => {
	await world?.remove();
	world = undefined;
});
afterAll(() => template.remove());

function copy(): ReturnType<typeof copyOf> {
	const copied = copyOf(template);
	world = copied.world;
	return copied;
}

test("fault points: every durable step → one before and after it", () => {
	for (const prefix of ["cycle-", "snapshot-", "outbox-", "integrate-", "move-", "foreign-", "saved-versions-", "write-"])
		expect(names.filter((name) => name.startsWith(prefix)).length).toBeGreaterThan(0);
});

test("fault points: no crash → all is well", async () => {
	const { helios, chad } = copy();
	await helios.once();
	await expectAllIsWell(world as World, helios, chad);
});

describe("killed at a fault point, the next cycle continues: nothing lost, nothing doubled, nothing to repair", () => {
	test.each(names)("fault point: killed at %s → the next cycle continues", async (name) => {
		const { helios } = copy();
		await bringInto(helios, name);
		const killed = await helios.run(["--once"], { env: { ROBUST_SYNC_FAULT: name } });
		expect({ name, code: killed.code }).toEqual({ name, code: "SIGKILL" });
		await helios.once();
		await expectAllIsWell(world as World, helios);
	});
});

test("fault point: killed at one after the other, the peer's cycles between → no loss", async () => {
	const { helios, chad } = copy();
	for (const name of [
		"snapshot-committed",
		"cycle-fetched",
		"cycle-after-push",
		"move-staged",
		"move-file",
		"move-files",
		"move-index",
		"move-ref",
		"move-saved",
	]) {
		await helios.run(["--once"], { env: { ROBUST_SYNC_FAULT: name } });
		await chad.once();
	}
	await helios.once();
	await expectAllIsWell(world as World, helios, chad);
});
