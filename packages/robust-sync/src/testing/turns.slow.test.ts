import { expect, test } from "@jest/globals";
import { anyTurns, eachTurns, type Turn, takeTurns } from "./explore/turns.ts";

const share = Number(process.env.SLOW_SHARE ?? 1);

/** @returns the traces that failed, with what was taken back */
async function failuresOf(traces: readonly (readonly Turn[])[]): Promise<[string, string[]][]> {
	const failed: [string, string[]][] = [];
	for (const trace of traces) {
		const problems = await takeTurns(trace);
		if (problems.length > 0) failed.push([trace.join(""), problems]);
	}
	return failed;
}

test("turns: another process, with each disturbance at each step → nothing taken back", async () => {
	const all = eachTurns();
	const traces = all.filter((_, index) => index % Math.ceil(4 / share) === 0);
	expect(traces.length).toBeGreaterThan(30 * share);
	expect(await failuresOf(traces)).toEqual([]);
}, 600_000);

test("turns: a worker of before, force push and deletion → nothing taken back", async () => {
	expect(await failuresOf([[..."kpexfpdwed"] as Turn[]])).toEqual([]);
}, 600_000);

test("turns: two processes, peers and agents at random → nothing taken back", async () => {
	let state = 11;
	const next = () => {
		// A linear congruential generator (glibc's constants): the choice must not depend on the machine.
		state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
		return state / 2_147_483_648;
	};
	expect(await failuresOf(Array.from({ length: Math.ceil(30 * share) }, () => anyTurns(14, next)))).toEqual([]);
}, 600_000);
