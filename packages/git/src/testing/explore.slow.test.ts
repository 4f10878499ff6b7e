import { expect, test } from "@jest/globals";
import { type Outcome, traceText } from "./explore/explore-model.ts";
import { eachPair, eachSingle } from "./explore/schedules.ts";

const share = Number(process.env.SLOW_SHARE ?? 1);

test("explorer in memory: one and two acts, with kills, both ways → nothing lost", async () => {
	const failed: Outcome[] = [];
	let count = 0;
	const report = (outcome: Outcome) => {
		count++;
		if (outcome.problems.length > 0) failed.push(outcome);
	};
	await eachSingle(["exchange", "link"], report);
	await eachPair(100_000 * share, 3, report);
	expect(failed.map(({ trace, problems }) => [traceText(trace), problems])).toEqual([]);
	expect(count).toBeGreaterThan(10_000 + 90_000 * share);
}, 240_000);
