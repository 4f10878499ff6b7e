import { expect, test } from "@jest/globals";
import { exactDuration, shortDuration } from "./format-duration.ts";

test.each([
	[-5, "0 s"],
	[119_400, "119 s"],
	[120_000, "2 min"],
	[7_199_000, "120 min"],
	[7_200_000, "2 h"],
	[172_800_000, "2 d"],
	[400_000_000, "5 d"],
])("short duration: %d ms → %s", (ms, text) => {
	expect(shortDuration(ms)).toBe(text);
});

test.each([
	[0.254, "0.25 ms"],
	[9.94, "9.9 ms"],
	[12.4, "12 ms"],
	[1_449, "1.4 s"],
	[185_000, "3 min 5 s"],
])("exact duration: %d ms → %s", (ms, text) => {
	expect(exactDuration(ms)).toBe(text);
});
