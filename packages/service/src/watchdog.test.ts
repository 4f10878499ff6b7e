import { describe, expect, test } from "@jest/globals";
import { Watchdog } from "./watchdog.ts";

function watched(windowMs = 60_000) {
	const world = { now: 0, progress: 0 };
	const watchdog = new Watchdog({ windowMs, now: () => world.now, progress: () => world.progress });
	/** Lets time pass in steps of half a window; returns for how long signs of life were given. */
	const aliveFor = (ms: number, each: () => void = () => {}): number => {
		let alive = 0;
		for (let passed = 0; passed < ms; passed += windowMs / 2) {
			world.now += windowMs / 2;
			each();
			if (!watchdog.isAlive()) return alive;
			alive += windowMs / 2;
		}
		return alive;
	};
	return { world, watchdog, aliveFor };
}

describe("watchdog", () => {
	test("watchdog: a loop that moves → lives", () => {
		const { world, aliveFor } = watched();
		expect(aliveFor(3_600_000, () => world.progress++)).toBe(3_600_000);
	});

	test("watchdog: a loop that never moves → given up within half a window", () => {
		expect(watched().aliveFor(3_600_000)).toBeLessThanOrEqual(30_000);
	});

	test("watchdog: an announced long sleep → alive; does not wake → given up", () => {
		const { watchdog, aliveFor } = watched();
		watchdog.idle(480_000);
		const alive = aliveFor(3_600_000);
		expect(alive).toBeGreaterThanOrEqual(480_000);
		expect(alive).toBeLessThanOrEqual(510_000);
	});

	test("watchdog: woken early, then hangs → given up before the sleep would end", () => {
		const { world, watchdog, aliveFor } = watched();
		watchdog.idle(480_000);
		aliveFor(60_000);
		world.progress++;
		expect(aliveFor(3_600_000)).toBeLessThanOrEqual(60_000);
	});

	test("watchdog: a service that only answers to events → idle for ever", () => {
		const { watchdog, aliveFor } = watched();
		watchdog.idle(Number.POSITIVE_INFINITY);
		expect(aliveFor(3_600_000)).toBe(3_600_000);
	});
});
