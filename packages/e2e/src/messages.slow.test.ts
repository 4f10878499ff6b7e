import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { until } from "@robust-sync/git/fixtures/scratch";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("messages");
});
afterEach(() => world.remove());

test("messages: 10,000 in one cycle → each delivered once, in order", async () => {
	const [helios, chad] = await world.pair();
	fs.mkdirSync(helios.paths.pending, { recursive: true });
	for (let index = 0; index < 10_000; index++) {
		const file = path.join(helios.paths.pending, `m${index}`);
		fs.writeFileSync(file, String(index));
		fs.utimesSync(file, 1_000_000 + index, 1_000_000 + index);
	}
	const started = performance.now();
	// Killed once on the way.
	await helios.run(["--once"], { env: { ROBUST_SYNC_FAULT: "outbox-placed" } });
	await helios.once({ timeoutMs: 300_000 });
	expect(performance.now() - started).toBeLessThan(180_000);
	helios.write("more", "1");
	fs.writeFileSync(path.join(helios.paths.pending, "last"), "last");
	await helios.once();
	await chad.once({ timeoutMs: 300_000 });
	expect(chad.messages("helios")).toEqual([...Array.from({ length: 10_000 }, (_, index) => String(index)), "last"]);
	expect(helios.pending()).toBe(0);
});

test("messages: more than one cycle delivers → all delivered, each once, in order", async () => {
	const [helios, chad] = await world.pair();
	fs.mkdirSync(helios.paths.pending, { recursive: true });
	const count = 10_050;
	for (let index = 0; index < count; index++) {
		const file = path.join(helios.paths.pending, `m${index}`);
		fs.writeFileSync(file, String(index));
		fs.utimesSync(file, 1_000_000 + index, 1_000_000 + index);
	}
	// No timer and no event would start the second cycle for an hour.
	await helios.start({ env: { SYNC_INTERVAL: "3600", SYNC_WATCH: "0" }, ready: false });
	await until(() => helios.pending() === 0, "all messages to be delivered", 180_000);
	await chad.once({ timeoutMs: 300_000 });
	expect(chad.messages("helios")).toEqual(Array.from({ length: count }, (_, index) => String(index)));
	expect(helios.git("rev-list", "--count", "HEAD", "--", "messages").trim()).toBe("2");
}, 400_000);
