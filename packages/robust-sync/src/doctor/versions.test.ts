import { expect, test } from "@jest/globals";
import { readGitVersion } from "@robust-sync/git";
import { checkVersions } from "./machine.ts";

test.each([
	[null, /git cannot be run/],
	["git version 2.30.2\n", /git 2\.30\.2 is too old/],
])("doctor: versions, git is %j → failed", (git, says) => {
	expect(checkVersions("0.2.0", git)).toEqual({
		check: "versions",
		status: "failed",
		message: expect.stringMatching(says),
		fix: expect.stringMatching(/^apt-get install git/),
	});
});

test("doctor: versions, all new enough → ok, names git's", () => {
	expect(checkVersions("0.2.0", "git version 2.39.5 (Apple Git-154)\n")).toMatchObject({
		status: "ok",
		message: expect.stringContaining(", git 2.39.5, "),
	});
});

test("doctor: versions, git is not on PATH → null; is there → its output", async () => {
	expect(await readGitVersion({ PATH: "/nowhere" })).toBe(null);
	expect(await readGitVersion()).toMatch(/^git version \d/);
});
