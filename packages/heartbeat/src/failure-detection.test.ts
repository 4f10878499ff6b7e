import { describe, expect, test } from "@jest/globals";
import { ClockFilter, measure } from "./clock-filter.ts";
import { FailureDetector } from "./failure-detector.ts";
import { negLog10Tail, PhiAccrual, suspicionThreshold } from "./phi-accrual.ts";
import { ReplayWindow } from "./replay-window.ts";
import { burstTokens, maxSources, SourceBudget, sourceOf } from "./source-budget.ts";

describe("φ", () => {
	test("phi: a normal tail → its number of nines", () => {
		// Standard normal tail probabilities: tables, and R's pnorm(log.p = TRUE) in the far tail.
		for (const [z, tail] of [
			[0, 0.5],
			[1, 0.158655],
			[2, 0.02275013],
			[-1, 0.841345],
			[5.6120012, 1e-8],
		] as const) {
			expect(negLog10Tail(z)).toBeCloseTo(-Math.log10(tail), 4);
		}
		expect(negLog10Tail(40)).toBeCloseTo(349.437, 2);
	});

	test("φ: a steady peer → threshold after about 1.4 intervals, exactly when announced", () => {
		const phi = new PhiAccrual(60_000);
		for (let i = 0; i < 200; i++) phi.add(60_000 + (i % 2 ? 1_000 : -1_000));
		const silenceMs = phi.suspectAfterMs();
		expect(silenceMs).toBeGreaterThan(70_000);
		expect(silenceMs).toBeLessThan(90_000);
		expect(phi.phi(silenceMs)).toBeCloseTo(suspicionThreshold, 3);
		expect(phi.phi(0)).toBeLessThan(0.01);
		expect(phi.phi(1e9)).toBe(1_000);
	});

	test("phi: a peer whose heartbeats vary → suspected later", () => {
		const [steady, loose] = [new PhiAccrual(60_000), new PhiAccrual(60_000)];
		for (let i = 0; i < 100; i++) {
			steady.add(60_000);
			loose.add(i % 2 ? 40_000 : 80_000);
		}
		expect(loose.suspectAfterMs()).toBeGreaterThan(steady.suspectAfterMs() + 30_000);
	});

	test("phi: a gap of three beats → three intervals, not one slow one", () => {
		const detector = new FailureDetector(60_000, 180_000);
		detector.heard(0);
		for (let beat = 1; beat < 300; beat += 3) {
			detector.beat(beat, beat * 60_000);
			detector.heard(beat * 60_000);
		}
		expect(detector.deadline - 298 * 60_000).toBeLessThan(90_000);
	});
});

describe("the window against replay", () => {
	test("replay window: any order → agrees with a list of all that was seen", () => {
		let state = 1;
		const random = (below: number) => {
			state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
			return (state >>> 8) % below;
		};
		for (let round = 0; round < 50; round++) {
			const window = new ReplayWindow();
			const seen = new Set<number>();
			let highest = 0;
			for (let i = 0; i < 400; i++) {
				const sequence = Math.max(1, highest + random(100) - 80);
				const isNew = !seen.has(sequence) && highest - sequence < 64;
				expect(window.accept(sequence)).toBe(isNew);
				if (isNew) seen.add(sequence);
				highest = Math.max(highest, isNew ? sequence : 0);
			}
		}
	});

	test("replay window: any leap → survives", () => {
		const window = new ReplayWindow();
		for (const leap of [1, 2, 33, 34, 66, 98, 161, 162, 2 ** 40, 2 ** 40 + 63, 2 ** 53 - 1]) {
			expect(window.accept(leap)).toBe(true);
			expect(window.accept(leap)).toBe(false);
		}
		expect(window.accept(2 ** 40)).toBe(false);
	});
});

describe("the budget of a source", () => {
	test("source budget: a source sends → a burst, then a steady rate", () => {
		const budget = new SourceBudget();
		const take = (count: number, now: number) => Array.from({ length: count }, () => budget.take("a", now)).filter(Boolean).length;
		expect(take(1_000, 0)).toBe(burstTokens);
		expect(take(1_000, 1_000)).toBe(50);
		expect(take(1_000, 1_000_000)).toBe(burstTokens);
		expect(budget.take("b", 1_000_000)).toBe(true);
	});

	test("source budget: any sender → bounded memory", () => {
		const budget = new SourceBudget();
		for (let i = 0; i < 100_000; i++) budget.take(`source ${i}`, 0);
		expect(budget.size).toBe(maxSources);
	});

	test("source budget: an address → IPv4, or an IPv6 /64", () => {
		expect(sourceOf("10.1.2.3")).toBe("10.1.2.3");
		expect(sourceOf("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2");
		expect(sourceOf("2001:db8:1:2::9")).toBe("2001:db8:1:2");
		expect(sourceOf("2001:db8::1")).toBe("2001:db8:0:0");
		expect(sourceOf("::1")).toBe("0:0:0:0");
		expect(sourceOf("fe80::1%eth0")).toBe("fe80:0:0:0");
	});
});

describe("the clock filter", () => {
	test("clock filter: eight exchanges → the shortest round trip counts", () => {
		const filter = new ClockFilter();
		expect(filter.best).toBeNull();
		for (const rttMs of [40, 10, 30, 50, 60, 70, 80, 90]) filter.add({ rttMs, offsetMs: rttMs / 10 });
		expect(filter.best).toEqual({ rttMs: 10, offsetMs: 1 });
		filter.add({ rttMs: 45, offsetMs: 4 });
		expect(filter.best).toEqual({ rttMs: 10, offsetMs: 1 });
		filter.add({ rttMs: 46, offsetMs: 4 });
		expect(filter.best).toEqual({ rttMs: 30, offsetMs: 3 });
	});

	test("clock filter: a clock was set → starts again; a slow datagram → does not", () => {
		const filter = new ClockFilter();
		filter.add({ rttMs: 10, offsetMs: 0 });
		filter.add({ rttMs: 400, offsetMs: 190 });
		expect(filter.best).toEqual({ rttMs: 10, offsetMs: 0 });
		filter.add({ rttMs: 20, offsetMs: 3_000 });
		expect(filter.best).toEqual({ rttMs: 20, offsetMs: 3_000 });
	});

	test("clock filter: a symmetric path → offset within ± rtt / 2", () => {
		// Sent at 1,000; there in 30 ms, where it is 5,000 ms later; answered after 7 ms; back in 30 ms.
		expect(measure(1_000, 6_030, 7, 67)).toEqual({ rttMs: 60, offsetMs: 5_000 });
	});
});
