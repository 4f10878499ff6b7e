import { expect, test } from "@jest/globals";
import { enduranceTimeoutMs, endure } from "./testing/endurance.ts";

// The thousand days are in endurance.slow.test.ts.
test("endurance: ten days at 20 % loss → no false down, each death found in time", () => {
	const result = endure({ days: 10, lossRate: 0.2, seed: 20_260_218, deathEveryMs: 6 * 3_600_000 });
	expect(result.deaths).toBeGreaterThan(30);
	expect(result.falseDowns).toBe(0);
	expect(result.slowestDeathMs).toBeLessThanOrEqual(enduranceTimeoutMs + 5_000);
});

test.each([0.1, 0.4, 0.6])("endurance: at %d loss → every death and every return is found in time", (lossRate) => {
	const result = endure({ days: 3, lossRate, seed: 7, deathEveryMs: 3_600_000 });
	expect(result.slowestDeathMs).toBeLessThanOrEqual(enduranceTimeoutMs + 5_000);
	// A return takes three datagrams in a row.
	if (lossRate < 0.5) expect(result.slowestReturnMs).toBeLessThanOrEqual(600_000);
});
