import { expect, test } from "@jest/globals";
import { job, thread, worker } from "../testing/merge-worker-fixture.ts";
import { runJob } from "./merge-jobs.ts";

test("merge thread: many files of many kinds → the same answers in the same order", async () => {
	const names = ["s.json", "t.jsonl", "u.md", "v.yaml", "w", "x.lock"];
	const jobs = names.flatMap((name) => [job(name, 400), job(name, 5, "a")]);
	const expected = jobs.map(runJob);
	const merge = thread(worker);
	const runs = await Promise.all([merge.run(jobs), merge.run(jobs.slice(0, 3)), merge.run([])]);
	expect(runs).toEqual([expected, expected.slice(0, 3), []]);
});
