import { expect, test } from "@jest/globals";
import type { GitPath } from "@robust-sync/git";
import fc from "fast-check";
import { mergeLateWrite } from "./late-writes.ts";

/** @param before the file of the descriptor when it was last read @param written its content now @param live the content at the path */
function merged(name: string, before: string, written: string, live: string): string {
	const late = { path: name as GitPath, writtenAt: null, appeared: false, exposed: [] };
	return mergeLateWrite({ ...late, before: Buffer.from(before), written: Buffer.from(written), incoming: Buffer.from(live) }).toString();
}

const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");

test.each(["x.py", "Makefile", "x.md", "x.log", "x.toml"])("late append: to %s, between other nodes' lines → all of both, once", (name) => {
	const lines = fc.uniqueArray(fc.stringMatching(/^[a-z]{3,8}$/), { minLength: 1, maxLength: 3 });
	fc.assert(
		fc.property(fc.array(fc.tuple(lines, lines), { minLength: 1, maxLength: 6 }), (rounds) => {
			let [kept, live] = [text(["start = 0"]), text(["start = 0"])];
			const all = ["start = 0"];
			for (const [round, [theirs, ours]] of rounds.entries()) {
				const mark = (side: string) => (line: string, index: number) => `${side}${round}_${index} = ${line}`;
				const [incoming, appended] = [theirs.map(mark("t")), ours.map(mark("o"))];
				live += text(incoming);
				live = merged(name, kept, kept + text(appended), live);
				kept += text(appended);
				all.push(...incoming, ...appended);
				expect(live.trimEnd().split("\n").sort()).toEqual([...all].sort());
			}
		}),
		{ numRuns: 15 },
	);
});

test("late append: to code, put there already before a kill → not twice", () => {
	const [before, live] = ["a = 1\nb = 1\n", "a = 2\nb = 2\nmine = 1\n"];
	expect(merged("x.py", before, `${before}mine = 1\n`, live).match(/mine/g)).toHaveLength(1);
});

test("late append: to code, last line changed by another node → both stay", () => {
	expect(merged("x.py", "a = 1\nb = 1\n", "a = 1\nb = 1\nmine = 1\n", "a = 1\nb = 2\nhers = 1\n")).toBe(
		"a = 1\nb = 2\nhers = 1\nmine = 1\n",
	);
});
