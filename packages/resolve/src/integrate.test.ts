import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readJournal } from "@robust-sync/workspace";
import { type History, makeHistory } from "./history-fixture.ts";
import { type IntegrateContext, integrate, resumeIntegration } from "./integrate.ts";

let history: History;
beforeEach(async () => {
	history = await makeHistory();
});
afterEach(() => history.remove());

test("a move whose versions cannot be saved fails only when nothing of it goes on any more, and is taken up again", async () => {
	const many = Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`d/${index}`, `${index}\n`]));
	const base = history.commit([], { "s.json": '{"a": 1}\n' });
	const ours = history.commit([base], { "s.json": '{"a": 2}\n' });
	const theirs = history.commit([base], { "s.json": '{"a": 3}\n', ...many });
	history.git("checkout", "-q", "-B", "main", ours);
	const { repository, paths } = history;
	const context: IntegrateContext = {
		repository,
		paths,
		lock: { assertHeld: () => undefined, release: async () => undefined },
		now: Date.now,
	};
	mkdirSync(path.dirname(paths.conflicts), { recursive: true });
	// Something lies where the saved versions would go.
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
