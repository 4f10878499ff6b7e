import { expect, test } from "@jest/globals";
import { ObstacleError } from "../files/obstacle.ts";
import { StagedFiles } from "./staged-files.ts";

test("staged files: by number, by path, obstacles, replaced → each at its change", () => {
	const files = new StagedFiles("/staging/1", 5);
	const obstacle = new ObstacleError("impossible-link");
	files.set(0, 0);
	files.set(1, 4_000_000);
	files.set(2, obstacle);
	files.set(3, 7);
	files.set(3, "/elsewhere/merged");
	expect([0, 1, 2, 3, 4, 5].map((index) => files.at(index))).toEqual([
		"/staging/1/0",
		"/staging/1/4000000",
		obstacle,
		"/elsewhere/merged",
		undefined,
		undefined,
	]);
});

test("staged files: a million of them → their list is of 4 MB", () => {
	const before = process.memoryUsage().arrayBuffers;
	const files = new StagedFiles("/staging/1", 1_000_000);
	for (let index = 0; index < 1_000_000; index++) files.set(index, index);
	expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5_000_000);
	expect(files.at(999_999)).toBe("/staging/1/999999");
});
