import { expect, test } from "@jest/globals";
import type { GitPath } from "@robust-sync/git";
import { ChangeWindow } from "./change-window.ts";

const paths = (...names: string[]) => names as GitPath[];

test("changes: within ten minutes, each file once → counted, earlier ones too", async () => {
	let now = 1_000_000;
	const window = new ChangeWindow({ bootId: "boot", now: () => now });
	window.add(paths("a", "b"));
	window.add(paths("b"));
	expect(window.count).toBe(2);
	await window.seed(async () => [
		{ path: paths("old")[0] as GitPath, ago: 599_000 },
		{ path: paths("a")[0] as GitPath, ago: 300_000 },
	]);
	await window.seed(async () => {
		throw new Error("asked twice");
	});
	expect(window.count).toBe(3);
	now += 2_000;
	expect(window.count).toBe(2);
	window.add(paths("a"));
	now += 599_000;
	expect(window.count).toBe(1);
	now += 2_000;
	expect(window.count).toBe(0);
	window.add(Array.from({ length: 100_001 }, (_, index) => `f${index}` as GitPath));
	expect(window.count).toBe(Number.POSITIVE_INFINITY);
	now += 600_001;
	expect(window.count).toBe(0);
});
