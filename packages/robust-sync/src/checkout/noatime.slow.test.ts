import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { Agents, type Round } from "../testing/agents.ts";

// In a file of its own: another mount may get the same device number, whose check is cached for some seconds.

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("noatime");
});
afterEach(() => scratch.remove());

/** Mounts a file system for a test. @returns its directory */
function mount(name: string, ...options: string[]): string {
	scratch.write(`${name}/.keep`, "");
	execFileSync("mount", [...options, scratch.path(name)]);
	scratch.atEnd(() => void execFileSync("umount", [scratch.path(name)]));
	return scratch.path(name);
}

(process.getuid?.() === 0 ? test : test.skip)("agents in a bind mount with noatime → a write after 10 s stands", async () => {
	const directory = mount("device", "-t", "tmpfs", "tmpfs");
	const bind = mount("bind", "--bind", directory);
	execFileSync("mount", ["-o", "remount,bind,noatime", bind]);
	const round: Round = { kind: "json", way: "rename", waits: 60, isDeliberate: false };
	// Also seen from a mount with access times: other programs may read there.
	for (const place of [bind, directory]) {
		const agents = new Agents(place);
		scratch.atEnd(() => agents.remove());
		expect(await agents.play([round])).toEqual([expect.stringMatching(/^helios' change is lost: /)]);
		expect(agents.log).not.toContainEqual(expect.stringMatching(/no program has read the newest version/));
	}
});
