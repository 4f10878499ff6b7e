import { afterEach, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Agents, anyRound } from "./testing/agents.ts";

let agents: Agents;
beforeEach(() => {
	agents = new Agents();
});
afterEach(() => agents.remove());

test("agents: 1,000 read, think up to 10 minutes and write back → nothing lost", async () => {
	expect(await agents.play(fc.sample(anyRound, 1_000))).toEqual([]);
	expect(agents.log).toContainEqual(expect.stringMatching(/from an older version \(no program has read the newest version\): merged/));
});
