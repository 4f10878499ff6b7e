import { expect, test } from "@jest/globals";
import { LoopSleep } from "./loop-sleep.ts";

const hour = 3_600_000;

test("loop: woken or ended while it sleeps → continues at once", async () => {
	const loop = new LoopSleep();
	for (const end of [() => loop.wake(), () => loop.wake(), () => loop.end()]) {
		const asleep = loop.sleep(hour);
		end();
		await asleep;
	}
});

test("loop: ended between two sleeps → sleeps no more", async () => {
	const loop = new LoopSleep();
	await loop.sleep(1);
	loop.end();
	await loop.sleep(hour);
	expect(await Promise.race([loop.sleep(hour).then(() => "awake"), new Promise((resolve) => setTimeout(resolve, 50, "asleep"))])).toBe(
		"awake",
	);
});
