import { expect, test } from "@jest/globals";
import { enduranceTimeoutMs, endure } from "./testing/endurance.ts";

test("a thousand simulated days at 20 % loss with defaults: nobody is called down who lives, and every death is found in time", () => {
	const result = endure({ days: 1_000, lossRate: 0.2, seed: 1, deathEveryMs: 24 * 3_600_000 });
	expect(result.deaths).toBeGreaterThan(900);
	expect(result.falseDowns).toBe(0);
	expect(result.slowestDeathMs).toBeLessThanOrEqual(enduranceTimeoutMs + 5_000);
});

test.each([0.1, 0.3, 0.5, 0.6])("a hundred days at %d loss: every death is found in time", (lossRate) => {
	const result = endure({ days: 100, lossRate, seed: 2, deathEveryMs: 6 * 3_600_000 });
	expect(result.slowestDeathMs).toBeLessThanOrEqual(enduranceTimeoutMs + 5_000);
});
