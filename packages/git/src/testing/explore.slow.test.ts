import { expect, test } from "@jest/globals";
import { type Outcome, traceText, withCut, withFault } from "./explore/explore-model.ts";
import { eachCut, eachFault, eachPair, eachSingle } from "./explore/schedules.ts";

const share = Number(process.env.SLOW_SHARE ?? 1);

test("explorer in memory: two acts, kills, faults, power cuts → nothing lost", async () => {
	const failed: Outcome[] = [];
	let count = 0;
	const report = (outcome: Outcome) => {
		count++;
		if (outcome.problems.length > 0) failed.push(outcome);
	};
	await eachSingle(["exchange", "link"], report);
	await eachFault(["exchange", "link"], report);
	await eachCut(["exchange", "link"], report);
	await eachPair(100_000 * share, 3, report);
	await eachPair(50_000 * share, 4, report, undefined, withFault);
	await eachPair(50_000 * share, 7, report, undefined, withCut);
	expect(failed.map(({ trace, problems }) => [traceText(trace), problems])).toEqual([]);
	expect(count).toBeGreaterThan(15_000 + 190_000 * share);
}, 240_000);
