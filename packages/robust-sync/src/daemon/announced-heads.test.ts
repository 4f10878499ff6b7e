import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { AnnouncedHeads } from "./announced-heads.ts";

let clock = 0;
let have: Set<string>;
let wanted: { head: string; at: number }[];
let heads: AnnouncedHeads;
beforeEach(() => {
	jest.useFakeTimers({ now: 0 });
	clock = 0;
	have = new Set();
	wanted = [];
	heads = new AnnouncedHeads({
		has: async (head) => have.has(head),
		wanted: (head) => wanted.push({ head, at: clock }),
		now: () => clock,
	});
});
afterEach(() => {
	heads.close();
	jest.useRealTimers();
});

const head = (n: number) => n.toString(16).padStart(40, "0");
async function pass(ms: number): Promise<void> {
	clock += ms;
	await jest.advanceTimersByTimeAsync(ms);
}
/** A cycle of 100 ms that brings the commits in `brings`. */
async function cycle(...brings: string[]): Promise<void> {
	heads.cycleBegins();
	await pass(100);
	for (const one of brings) have.add(one);
	await heads.cycleEnded();
	await pass(0);
}

test("announced heads: one that is not here → a cycle at once; one that is → none", async () => {
	have.add(head(1));
	heads.announced("chad", head(1));
	heads.announced("chad", "not a head");
	await pass(0);
	expect(wanted).toEqual([]);
	heads.announced("chad", head(2));
	await pass(0);
	expect(wanted).toEqual([{ head: head(2), at: 0 }]);
});

test("announced heads: 40 unknown ones a second → at most three cycles a second", async () => {
	let asked = 0;
	for (let n = 0; n < 40 * 30; n++) {
		heads.announced("chad", head(1_000 + n));
		await pass(25);
		if (wanted.length > asked) {
			asked = wanted.length;
			await cycle();
		}
	}
	for (let second = 0; second < clock / 1_000; second++) {
		expect(wanted.filter(({ at }) => at >= second * 1_000 && at < (second + 1) * 1_000).length).toBeLessThanOrEqual(3);
	}
	expect(wanted.length).toBeLessThan(15);
	// The peer's own announcement is accepted in the end, and later ones at once.
	heads.announced("chad", head(1));
	await pass(5_000);
	expect(wanted.at(-1)?.head).toBe(head(1));
	await cycle(head(1));
	const before = clock;
	heads.announced("chad", head(2));
	await pass(0);
	expect(wanted.at(-1)).toEqual({ head: head(2), at: before });
});

test("announced heads: those of one peer lead to nothing → another peer is not held up", async () => {
	for (let n = 0; n < 5; n++) {
		heads.announced("chad", head(1_000 + n));
		await pass(0);
		await cycle();
	}
	heads.announced("atlas", head(7));
	await pass(0);
	expect(wanted.at(-1)?.head).toBe(head(7));
});

test("announced heads: while a cycle runs → tried after it, not judged by it", async () => {
	heads.cycleBegins();
	heads.announced("chad", head(1));
	await pass(0);
	await heads.cycleEnded();
	expect(wanted).toHaveLength(1);
	await cycle(head(1));
	heads.announced("chad", head(2));
	await pass(0);
	expect(wanted.map((one) => one.head)).toEqual([head(1), head(2)]);
	// During its cycle the next one arrives, which the same cycle brings.
	heads.cycleBegins();
	heads.announced("chad", head(3));
	have.add(head(2)).add(head(3));
	await heads.cycleEnded();
	await pass(0);
	expect(wanted).toHaveLength(2);
});
