import { expect, test } from "@jest/globals";
import { askIntervalMs, HubPace, hostOf, type PushTurn, pushIntervalMs, pushTurn } from "./hub-pace.ts";

test.each([
	["git@github.com:me/x.git", "github.com"],
	["github.com:me/x.git", "github.com"],
	["ssh://git@ssh.GitHub.com:443/me/x.git", "ssh.github.com"],
	["https://user:p@ss@gitlab.com/x.git", "gitlab.com"],
	["https://gitlab.com./x", "gitlab.com"],
	["git+ssh://codeberg.org/x", "codeberg.org"],
	["git@[::1]:x.git", "[::1]"],
	["http://[::1]:80/x.git", "[::1]"],
	["/srv/github.com:x/hub.git", null],
	["./github.com:x", null],
	["file:///srv/hub.git", null],
	["../hub.git", null],
	["", null],
])("address of a remote: %s → host %s", (url, host) => {
	expect(hostOf(url)).toBe(host);
});

test.each([
	["auto", "git@github.com:me/x.git", 1, 10_000],
	["auto", "git@github.com:me/x.git", 5, 50_000],
	["auto", "https://ssh.dev.azure.com/x", 2, 20_000],
	["auto", "https://notgithub.com/x", 5, 0],
	["auto", "https://github.com.example.org/x", 5, 0],
	["auto", "helios:hub.git", 5, 0],
	["auto", "/srv/github.com/hub.git", 5, 0],
	[0, "git@github.com:me/x.git", 5, 0],
	[2.5, "/srv/hub.git", 1, 2_500],
] as const)("push interval: %s, %s, %d nodes → %d ms", (setting, url, nodes, expected) => {
	expect(pushIntervalMs(setting, url, nodes)).toBe(expected);
});

test.each([
	[0, 60_000, true, 0],
	[20_000, 60_000, false, 0],
	[20_000, 60_000, true, 300_000],
	[20_000, 500_000, true, 600_000],
	[20_000, 3_600_000, true, 3_600_000],
])("questions: push interval %d ms, sync interval %d ms, announced %s → %d ms apart", (push, sync, announced, expected) => {
	expect(askIntervalMs(push, sync, announced)).toBe(expected);
});

/** A node that commits at these times, ms, and pushes as soon as permitted. @returns the times of its pushes, and the wait of each commit */
function pushesOf(commits: readonly number[], intervalMs: number, turnAt: (now: () => number) => PushTurn | null = () => null) {
	let now = 0;
	const pace = new HubPace(() => now);
	pace.configure(
		intervalMs,
		0,
		turnAt(() => now + 1_000_003),
	);
	const pushes: number[] = [];
	const waits: number[] = [];
	let waiting: number[] = [];
	let next = 0;
	while (next < commits.length || waiting.length > 0) {
		const wait = pace.waitToPushMs();
		if (waiting.length > 0 && wait === 0) {
			// A cycle needs some time until it pushes.
			now += 150;
			pace.pushes();
			pushes.push(now);
			waits.push(...waiting.map((at) => now - at));
			waiting = [];
			continue;
		}
		now = waiting.length > 0 ? Math.min(now + wait, commits[next] ?? Number.POSITIVE_INFINITY) : Math.max(now, commits[next] ?? now);
		for (let at = commits[next]; at !== undefined && at <= now; at = commits[next]) {
			waiting.push(at);
			next++;
		}
	}
	return { pushes, waits };
}

const dayMs = 86_400_000;

test.each([
	[1, 0],
	[2, 0],
	[5, 0],
	[5, 4_900],
	[5, 37_000],
])("hub pace: %d nodes write each second from %d ms on → at most six pushes a minute", (nodes, from) => {
	const intervalMs = pushIntervalMs("auto", "git@github.com:x", nodes);
	const names = Array.from({ length: nodes }, (_, index) => `node${index}`);
	const all: number[] = [];
	for (const [index, name] of names.entries()) {
		const commits = Array.from({ length: dayMs / 1_000 }, (_, second) => from + second * 1_000 + index * 37);
		const others = names.filter((other) => other !== name);
		const { pushes, waits } = pushesOf(commits, intervalMs, (now) => pushTurn(name, others, intervalMs, now));
		expect(waits).toHaveLength(commits.length);
		expect(waits[0]).toBeLessThan(1_000);
		expect(Math.max(...waits.slice(200))).toBeLessThanOrEqual(intervalMs + 1_000);
		all.push(...pushes);
	}
	all.sort((a, b) => a - b);
	const minutes = all.filter((at, index) => (all[index + 6] ?? Number.POSITIVE_INFINITY) < at + 59_000);
	expect(minutes).toEqual([]);
});

test("hub pace: a change after a quiet period → pushed at once; those after together", () => {
	expect(pushesOf([0, 100, 5_000, 60_000, 120_000], 20_000)).toEqual({
		pushes: [150, 20_300, 60_150, 120_150],
		waits: [150, 20_200, 15_300, 150, 150],
	});
});

test("hub pace: a limited remote → left alone a minute, doubling to an hour", () => {
	let now = 0;
	const pace = new HubPace(() => now);
	const waits: number[] = [];
	for (let time = 0; time < 9; time++) {
		waits.push(pace.limited(null, 0) / 60_000);
		expect([pace.mayAsk(), pace.waitToPushMs()]).toEqual([false, pace.limitedMs()]);
		now += pace.limitedMs();
		expect([pace.mayAsk(), pace.waitToPushMs()]).toEqual([true, 0]);
	}
	expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
	pace.recovered();
	expect(pace.limited(null, 0.5)).toBe(63_000);
});

test.each([
	[null, 60_000],
	[5_000, 60_000],
	[300_000, 300_000],
	[7_200_000, 7_200_000],
])("a limited remote: Retry-After %s ms → %d ms", (retryAfter, expected) => {
	expect(new HubPace(() => 0).limited(retryAfter, 0)).toBe(expected);
});

test("a limited remote: refused again without an attempt → the wait is not longer", () => {
	let now = 0;
	const pace = new HubPace(() => now);
	pace.limited(null, 0);
	now = 10_000;
	expect([pace.limited(500_000, 0), pace.limited(null, 0)]).toEqual([50_000, 50_000]);
});

test("a limited remote: the process starts again → it still waits, a day at most", () => {
	const pace = new HubPace(() => 0);
	for (const wait of [0, -5, Number.NaN]) {
		pace.resume(wait, 3);
		expect(pace.limitedMs()).toBe(0);
	}
	pace.resume(30_000, 3);
	expect(pace.limitedMs()).toBe(30_000);
	pace.resume(1e15, 3);
	expect(pace.limitedMs()).toBe(dayMs);
});

test("questions: peers announce → as rarely as configured", () => {
	let now = 0;
	const pace = new HubPace(() => now);
	pace.configure(20_000, 300_000);
	expect(pace.mayAsk()).toBe(true);
	pace.asked();
	now = 60_000;
	expect(pace.mayAsk()).toBe(false);
	now = 299_500;
	expect(pace.mayAsk()).toBe(true);
});

test("announced pause: pushes are frequent → asks beside one, waits, asks again", () => {
	let now = 0;
	const pace = new HubPace(() => now);
	const asks: number[] = [];
	// A push every 600 ms.
	for (; asks.length === 0; now += 600) {
		pace.pushes();
		if (pace.shouldReadPauses()) asks.push(now);
	}
	expect(asks).toEqual([1_200]);
	pace.pausesRead(15_000);
	expect([pace.waitToPushMs(), pace.mustReadPauses()]).toEqual([2_000, false]);
	now += 2_000;
	expect([pace.waitToPushMs(), pace.mustReadPauses()]).toEqual([0, true]);
	pace.pausesRead(500);
	expect(pace.waitToPushMs()).toBe(500);
	pace.pausesRead(0);
	expect([pace.waitToPushMs(), pace.mustReadPauses()]).toEqual([0, false]);
});

test.each([
	["rarely", 0, 60_000],
	["at an interval", 10_000, 10_000],
])("announced pause: a node that pushes %s → asks no more than before", (_how, intervalMs, everyMs) => {
	let now = 0;
	const pace = new HubPace(() => now);
	pace.configure(intervalMs, 0);
	for (let round = 0; round < 20; round++, now += everyMs) {
		pace.pushes();
		expect(pace.shouldReadPauses()).toBe(false);
		// The question for the tip between two pushes.
		pace.pausesRead(0);
	}
});
