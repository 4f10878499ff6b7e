import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import fc from "fast-check";
import { Agents, anyRound } from "../testing/agents.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("mounts");
});
afterEach(() => scratch.remove());

const merged = expect.stringMatching(/from an older version \(no program has read the newest version\): merged/);

/** Two nodes in a directory. */
function agentsIn(directory: string): Agents {
	const agents = new Agents(directory);
	scratch.atEnd(() => agents.remove());
	return agents;
}

test("agents: 1,000 read, think up to 10 minutes and write back → nothing lost", async () => {
	const agents = agentsIn(scratch.directory);
	expect(await agents.play(fc.sample(anyRound, 1_000))).toEqual([]);
	expect(agents.log).toContainEqual(merged);
});

/** Mounts a file system for a test. @returns its directory */
function mount(name: string, ...options: string[]): string {
	scratch.write(`${name}/.keep`, "");
	execFileSync("mount", [...options, scratch.path(name)]);
	scratch.atEnd(() => void execFileSync("umount", [scratch.path(name)]));
	return scratch.path(name);
}

(process.getuid?.() === 0 ? describe : describe.skip)("agents on a file system of their own", () => {
	test.each<readonly [string, () => string]>([
		["tmpfs", () => mount("tmpfs", "-t", "tmpfs", "tmpfs")],
		[
			"overlayfs",
			() => {
				// The upper directory must be on a file system of its own, if the tests themselves run on an overlay.
				const below = mount("below", "-t", "tmpfs", "tmpfs");
				execFileSync("mkdir", [`${below}/lower`, `${below}/upper`, `${below}/work`]);
				return mount("over", "-t", "overlay", "overlay", "-o", `lowerdir=${below}/lower,upperdir=${below}/upper,workdir=${below}/work`);
			},
		],
	])("agents on %s → nothing lost", async (_type, directoryOf) => {
		const agents = agentsIn(directoryOf());
		expect(await agents.play(fc.sample(anyRound, 60))).toEqual([]);
		expect(agents.log).toContainEqual(merged);
	});
});
