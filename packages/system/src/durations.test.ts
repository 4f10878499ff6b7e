import { describe, expect, test } from "@jest/globals";
import { formatDuration, formatTime, parseDuration } from "./durations.ts";

describe("durations", () => {
	test.each([
		[0, "0 s"],
		[999, "1 s"],
		[65_000, "1 min 5 s"],
		[180_000, "3 min"],
		[3_900_000, "1 h 5 min"],
		[86_400_000 * 2 + 5_000, "2 d"],
		[Number.NaN, "0 s"],
		[-5, "0 s"],
	])("durations: %d ms → %s", (ms, text) => expect(formatDuration(ms)).toBe(text));

	test.each([
		["30m", 1_800_000],
		["1h30m", 5_400_000],
		["90", 90_000],
		["2 h", 7_200_000],
		["1d", 86_400_000],
		["5min", 300_000],
		["0", null],
		["", null],
		["-1h", null],
		["1y", null],
		["h", null],
	])("durations: %s → %s", (text, ms) => expect(parseDuration(text)).toBe(ms));

	test("durations: a time of another day → with its date; none → no harm", () => {
		const now = Date.UTC(2026, 1, 18, 2, 0, 0);
		expect(formatTime(now - 1_000, now)).toBe("01:59:59 UTC");
		expect(formatTime(now - 86_400_000, now)).toBe("2026-02-17 02:00:00 UTC");
		expect(formatTime(Number.NaN, now)).toContain("1970");
	});
});
