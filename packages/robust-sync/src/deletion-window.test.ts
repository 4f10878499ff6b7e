import { expect, test } from "@jest/globals";
import { DeletionWindow } from "./deletion-window.ts";

test("deletions: of this process, within ten minutes → counted; before it began → not known", () => {
	let now = 5_000;
	const window = new DeletionWindow({ bootId: "boot", now: () => now });
	window.add(10);
	expect(window.count).toBe(Number.POSITIVE_INFINITY);
	now += 590_000;
	window.add(5);
	window.add(0);
	now += 10_000;
	expect(window.count).toBe(5);
	window.add(7);
	expect(window.count).toBe(12);
	now += 590_001;
	expect(window.count).toBe(7);
	now += 600_000;
	expect(window.count).toBe(0);
});
