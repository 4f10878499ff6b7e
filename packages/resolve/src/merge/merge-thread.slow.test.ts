import { expect, test } from "@jest/globals";
import { job, thread, worker } from "../testing/merge-worker-fixture.ts";
import { runJob } from "./merge-jobs.ts";
import { MergeThreadError } from "./merge-thread.ts";

test("merge thread: a large file → the caller's thread stays responsive", async () => {
	const large = job("s.json", 40_000);
	const merge = thread(worker);
	let ticks = 0;
	const timer = setInterval(() => ticks++, 5);
	const [answer] = await merge.run([large]).finally(() => clearInterval(timer));
	expect(answer).toMatchObject({ strategy: "json", winner: "merged", lost: false });
	expect(ticks).toBeGreaterThan(3);
});

test("merge thread: out of memory → an error, no result; the next merge is done", async () => {
	const merge = thread(worker, { maxOldGenerationSizeMb: 12, maxYoungGenerationSizeMb: 2 });
	await expect(merge.run([job("s.json", 40_000)])).rejects.toThrow(MergeThreadError);
	const small = job("s.json", 200);
	expect(await merge.run([small])).toEqual([runJob(small)]);
});
