import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";

// A checker that finds nothing proves nothing, unless it finds planted faults.

const chaos = fileURLToPath(new URL("../../../bin/build/chaos.mjs", import.meta.url));

/** Runs it on loopback for a short while. @returns its exit code and its timeline */
async function run(...args: string[]): Promise<{ code: number | null; timeline: string }> {
	const child = spawn(process.execPath, [chaos, "--loopback", "--nodes", "3", ...args], { stdio: ["ignore", "pipe", "pipe"] });
	let timeline = "";
	for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (timeline += text));
	const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
	return { code, timeline };
}

test.each([
	["drop-the-loser", /PROBLEM \S+: merge \w+ left out \w+, and nobody saved it/],
	["skip-a-message", /PROBLEM messages: 'message \d*4 of node\d' was delivered 0 times/],
	["overwrite-what-is-there", /PROBLEM .*(is there 0 times|is undefined, not|is missing|other content|is nowhere)/],
])("chaos: a build that does %s → caught", async (sabotage, caught) => {
	const { code, timeline } = await run("--minutes", "0.3", "--seed", "6", "--sabotage", sabotage);
	expect(timeline).toMatch(caught);
	expect(timeline).toMatch(/problems with seed 6/);
	expect(code).toBe(1);
});

test("chaos: git add, commit, pull --rebase, push in a crontab → caught losing", async () => {
	const { code, timeline } = await run("--minutes", "0.4", "--seed", "5", "--one-liner");
	expect(timeline).toMatch(/PROBLEM not at rest|PROBLEM .*(is there 0 times|is undefined|conflict marker|is nowhere)/);
	expect(code).toBe(1);
});
