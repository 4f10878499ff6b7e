import { expect, test } from "@jest/globals";
import { enduranceTimeoutMs, endure } from "./testing/endurance.ts";

/** Less of it where time is limited (.ci/run): from 0 to 1. */
const share = Number(process.env.SLOW_SHARE ?? 1);

test("endurance: a thousand days at 20 % loss → no false down, deaths found in time", () => {
	const days = Math.ceil(1_000 * share);
	const result = endure({ days, lossRate: 0.2, seed: 1, deathEveryMs: 24 * 3_600_000 });
	expect(result.deaths).toBeGreaterThan(0.9 * days);
	expect(result.falseDowns).toBe(0);
	expect(result.slowestDeathMs).toBeLessThanOrEqual(enduranceTimeoutMs + 5_000);
});

test.each([0.1, 0.3, 0.5, 0.6])("endurance: a hundred days at %d loss → every death is found in time", (lossRate) => {
	const result = endure({ days: 100 * share, lossRate, seed: 2, deathEveryMs: 6 * 3_600_000 });
	expect(result.slowestDeathMs).toBeLessThanOrEqual(enduranceTimeoutMs + 5_000);
});
