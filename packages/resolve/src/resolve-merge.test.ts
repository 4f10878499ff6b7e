import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type History, makeHistory } from "./history-fixture.ts";
import { resolveMerge } from "./resolve-merge.ts";

let history: History;
beforeAll(async () => {
	history = await makeHistory();
});
afterAll(() => history.remove());

describe("by kind", () => {
	test("files that both sides changed are merged by their kinds, in one merge commit with both parents", async () => {
		const base = history.commit([], { "state.json": '{"a": 1, "b": 2}\n', "x.log": "one\n", "notes.md": "a\n\nb\n", other: "kept\n" });
		const a = history.commit([base], { "state.json": '{"a": 5, "b": 2}\n', "x.log": "one\ntwo\n", "notes.md": "A\n\nb\n" });
		const b = history.commit([base], { "state.json": '{"a": 1, "b": 7}\n', "x.log": "one\nthree\n", "notes.md": "a\n\nB\n" });
		const merge = await resolveMerge(history.repository, a, b);
		expect(await history.files(merge.commit)).toEqual({
			"state.json": '{"a": 5, "b": 7}\n',
			"x.log": "one\ntwo\nthree\n",
			"notes.md": "A\n\nB\n",
			other: "kept\n",
		});
		expect(history.git("log", "-1", "--format=%P|%an|%ae|%cn|%ce|%ct|%cd", "--date=format:%z", merge.commit).trim()).toBe(
			`${[a, b].sort().join(" ")}|robust-sync|robust-sync@localhost|robust-sync|robust-sync@localhost|${history.git("log", "-1", "--format=%ct", b).trim()}|+0000`,
		);
		expect(history.git("log", "-1", "--format=%b", merge.commit)).toContain("Resolved: json state.json");
	});
});
