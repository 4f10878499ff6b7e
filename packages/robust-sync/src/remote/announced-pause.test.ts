import { expect, test } from "@jest/globals";
import { isPauseOver, pauseLeftMs, pauseRef, pausesBelow } from "./announced-pause.ts";

const key = "a key that all of them have";
const now = 1_800_000_000_000;
const minute = 60_000;
const ref = pauseRef(now, 20, key);

test.each([
	["signed", ref, [key], 20_000],
	["signed with one of two keys", ref, ["another key of this node", key], 20_000],
	["signed with another key", ref, ["another key of this node"], 0],
	["signed, but this node has no key", ref, [], 0],
	["not signed", `${pausesBelow}${now}-20`, [key], 0],
	["with more seconds than signed", ref.replace("-20-", "-25-"), [key], 0],
	["with another time than signed", ref.replace(String(now), String(now + 1)), [key], 0],
	["with a signature of another length", ref.slice(0, -2), [key], 0],
	["below another name", ref.replace("/pause/", "/pauses/"), [key], 0],
	["longer than nodes accept", pauseRef(now, 301, key), [key], 0],
	["of a node whose clock is a minute behind", pauseRef(now - minute, 20, key), [key], 20_000],
	["of a node whose clock is a minute ahead", pauseRef(now + minute, 20, key), [key], 20_000],
	["made six minutes ago", pauseRef(now - 6 * minute, 20, key), [key], 0],
	["made in six minutes", pauseRef(now + 6 * minute, 20, key), [key], 0],
])("announced pause: %s → it counts for its time, or not at all", (_what, name, keys, expected) => {
	expect(pauseLeftMs([name, "refs/heads/main"], keys, now, new Map())).toBe(expected);
});

test("announced pause: made again by a node without the key → no longer than once", () => {
	const seen = new Map<string, number>();
	let paused = 0;
	for (let at = now; at < now + 30 * minute; at += 1_000) {
		const isThere = at % 3_000 === 0;
		if (pauseLeftMs(isThere ? [ref] : [], [key], at, seen) > 0) paused += 3_000;
	}
	expect(paused).toBeLessThanOrEqual(21_000);
	expect(seen.size).toBe(0);
});

test("announced pause: many unsigned names → few are examined, others do not end it", () => {
	const unsigned = Array.from({ length: 50 }, (_value, index) => `${pausesBelow}${now + index}-20-${"0".repeat(64)}`);
	const seen = new Map<string, number>();
	expect(pauseLeftMs([...unsigned, ref], [key], now, seen)).toBe(20_000);
	expect([...seen.keys()]).toEqual([ref]);
});

test("announced pause: left by a killed command → over later, others stay", () => {
	const names = [ref, "refs/robust-sync/pause/of-a-person", "refs/heads/main"];
	expect(names.map((name) => isPauseOver(name, now + minute))).toEqual([false, false, false]);
	expect(names.map((name) => isPauseOver(name, now + 6 * minute))).toEqual([true, false, false]);
});
