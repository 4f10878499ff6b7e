import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { compactTimestamp } from "@robust-sync/system/timestamps";
import { readJournal, writeJournal } from "@robust-sync/workspace";
import { type History, makeHistory } from "../testing/history-fixture.ts";
import { type IntegrateContext, integrate, resumeIntegration } from "./integrate.ts";

let history: History;
beforeEach(async () => {
	history = await makeHistory();
});
afterEach(() => history.remove());

/** A context with a lock that is never lost. */
function contextAt(now: () => number): IntegrateContext {
	const { repository, paths } = history;
	return { repository, paths, lock: { assertHeld: () => undefined, release: async () => undefined }, now };
}

test("checkout: saving fails → fails only when none of it runs on, then taken up again", async () => {
	const many = Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`d/${index}`, `${index}\n`]));
	const base = history.commit([], { "s.json": '{"a": 1}\n' });
	const ours = history.commit([base], { "s.json": '{"a": 2}\n' });
	const theirs = history.commit([base], { "s.json": '{"a": 3}\n', ...many });
	history.git("checkout", "-q", "-B", "main", ours);
	const { paths } = history;
	const context = contextAt(Date.now);
	mkdirSync(path.dirname(paths.conflicts), { recursive: true });
	// A file is in the place of the saved versions.
	writeFileSync(paths.conflicts, "");
	await expect(integrate(context, "refs/heads/main", ours, theirs)).rejects.toThrow();
	const moved = () => readdirSync(history.directory, { recursive: true, encoding: "utf8" }).filter((name) => name.startsWith("d/")).length;
	const atOnce = moved();
	await new Promise((resolve) => setTimeout(resolve, 200));
	expect(moved()).toBe(atOnce);
	expect(readJournal(paths)).not.toBeNull();
	rmSync(paths.conflicts);
	expect(await resumeIntegration(context)).toMatchObject({ kind: "merge", saved: [expect.any(String)] });
	expect(moved()).toBe(400);
	expect(history.git("status", "--porcelain", "--", ".", ":!sync")).toBe("");
});

test("checkout: the clock shows the time of an earlier one again → both backups kept", async () => {
	const first = history.commit([], { a: "1" });
	const second = history.commit([first], { a: "2" });
	const third = history.commit([second], { a: "3" });
	history.git("checkout", "-q", "-B", "main", first);
	const { paths } = history;
	const context = contextAt(() => 0);
	await integrate(context, "refs/heads/main", first, second);
	await integrate(context, "refs/heads/main", second, third);
	const kept = readdirSync(paths.backups).map((name) => readFileSync(path.join(paths.backups, name, "files/a"), "utf8"));
	expect(kept.sort()).toEqual(["1", "2"]);
	expect(readFileSync(path.join(history.directory, "a"), "utf8")).toBe("3");
});

test.each([
	["at once", false, false],
	["by the start after a kill", true, false],
	["after files were touched", true, true],
])("checkout: cannot be staged, %s → a newer one only if nothing was touched", async (_when, resumed, isTouched) => {
	const first = history.commit([], { a: "1", b: "1" });
	const huge = history.commit([first], { a: "2", b: "1", huge: "which does not fit" });
	const cured = history.commit([huge], { a: "3", huge: null });
	history.git("checkout", "-q", "-B", "main", first);
	const { paths } = history;
	const context = contextAt(() => 0);
	// A file that cannot be read cannot be staged either.
	const blob = history.git("rev-parse", `${huge}:huge`).trim();
	rmSync(path.join(history.directory, ".git/objects", blob.slice(0, 2), blob.slice(2)), { force: true });
	const backup = compactTimestamp(0);
	if (resumed)
		writeJournal(paths, {
			schema: 1,
			from: first,
			to: huge,
			ref: "refs/heads/main",
			theirs: null,
			branch_at: null,
			backup,
			started_at: "",
		});
	if (isTouched) mkdirSync(path.join(paths.backups, backup), { recursive: true });
	await expect(resumed ? resumeIntegration(context) : integrate(context, "refs/heads/main", first, huge)).rejects.toThrow();
	expect(readJournal(paths) !== null).toBe(isTouched);
	if (isTouched) return;
	expect(await resumeIntegration(context)).toBeNull();
	await integrate(context, "refs/heads/main", first, cured);
	expect(readFileSync(path.join(history.directory, "a"), "utf8")).toBe("3");
	expect(history.git("status", "--porcelain", "--", ".", ":!sync")).toBe("");
});

test("checkout: deletions, one held, one written meanwhile → neither counts", async () => {
	const database = "SQLite format 3\0";
	const before = history.commit([], { gone: "1\n", open: database, mine: "1\n" });
	const after = history.commit([before], { gone: null, open: null, mine: null });
	history.git("checkout", "-q", "-B", "main", before);
	const open = openSync(path.join(history.directory, "open"), "r+");
	writeFileSync(path.join(history.directory, "mine"), "2\n");
	const { deleted, changed, rescued } = await integrate(contextAt(Date.now), "refs/heads/main", before, after);
	closeSync(open);
	expect({ deleted, changed: [...changed].sort(), rescued }).toEqual({ deleted: 1, changed: ["gone", "mine", "open"], rescued: ["mine"] });
	expect(readdirSync(history.directory).filter((name) => ["gone", "open", "mine"].includes(name))).toEqual(["mine", "open"]);
});
