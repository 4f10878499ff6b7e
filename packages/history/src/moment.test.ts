import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Repository } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { commitAt, resolveMoment } from "./moment.ts";

let scratch: Scratch;
let repository: Repository;
let commit: string;
beforeAll(async () => {
	scratch = new Scratch("moment");
	scratch.init("node");
	scratch.write("node/a", "1");
	commit = scratch.commitAll("node");
	repository = await scratch.open("node");
});
afterAll(() => scratch.remove());

const now = Date.parse("2026-11-29T12:00:00Z");

test.each([
	["2h", "2026-11-29T10:00:00Z"],
	["1d", "2026-11-28T12:00:00Z"],
	["90 min", "2026-11-29T10:30:00Z"],
	["2026-11-28T10:00Z", "2026-11-28T10:00:00Z"],
	["2026-11-28 10:00:30+01:00", "2026-11-28T09:00:30Z"],
	["2026-11-28T10:00:00.5Z", "2026-11-28T10:00:00.5Z"],
	["99999d", "1970-01-01T00:00:00Z"],
	["1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"],
])("moment: %s → %s", async (text, expected) => {
	expect(await resolveMoment(repository, text, now)).toEqual({ kind: "time", at: Date.parse(expected) });
});

test.each(["", "yesterday-ish", "2026-02-31", "2026-13-01", "-1h", "--all", "HEAD~50", "0123456789", "a\0b"])(
	"moment: %j → refused, with the accepted forms",
	async (text) => {
		await expect(resolveMoment(repository, text, now)).rejects.toThrow("give a duration (2h, 30min, 1d), a date");
	},
);

test("moment: a commit, whole, short or by name → it; a time → where the branch was", async () => {
	for (const text of [commit, commit.slice(0, 8), "HEAD", "main"])
		expect(await resolveMoment(repository, text, now)).toEqual({ kind: "commit", commit });
	expect(await commitAt(repository, { kind: "time", at: Date.now() + 1_000 })).toBe(commit);
	for (const at of [0, 1_000_000]) expect(await commitAt(repository, { kind: "time", at })).toBeNull();
});
