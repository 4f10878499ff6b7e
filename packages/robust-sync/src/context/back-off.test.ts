import { expect, test } from "@jest/globals";
import { backOffMs, raceWaitMs } from "./back-off.ts";

test("back-off: failures in a row → 1 to 8 intervals, the wait anywhere in it", () => {
	const most = [1, 2, 3, 4, 5, 50, 5_000].map((failures) => backOffMs(failures, 60_000, 0.999_999));
	expect(most).toEqual([60_000, 120_000, 240_000, 480_000, 480_000, 480_000, 480_000]);
	expect(backOffMs(4, 60_000, 0.5)).toBe(240_000);
});

test("back-off: short interval → never nothing, never longer than the interval", () => {
	expect(backOffMs(1, 60_000, 0)).toBe(1_000);
	expect(backOffMs(1, 200, 0)).toBe(200);
	expect(backOffMs(0, 60_000, 0)).toBe(1_000);
});

test("push race: lost → again at once; then the wait grows with a try's time", () => {
	expect([1, 2, 3, 4, 5, 10].map((losses) => raceWaitMs(losses, 100, 1))).toEqual([0, 100, 300, 700, 1_500, 5_000]);
	expect(raceWaitMs(3, 1_000, 0.5)).toBe(1_500);
	expect(raceWaitMs(9, 1_000, 0)).toBe(0);
});
