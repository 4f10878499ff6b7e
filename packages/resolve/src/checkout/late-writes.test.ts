import { expect, test } from "@jest/globals";
import type { GitPath } from "@robust-sync/git";
import fc from "fast-check";
import { appendedCode, mergeFiltered } from "./late-writes.ts";

/** @param before what a descriptor's file had when it was last looked at @param written what it has now @param live what is at the path */
async function merged(name: string, before: string, written: string, live: string): Promise<string> {
	const path = name as GitPath;
	const [base, now, incoming] = [before, written, live].map((content) => Buffer.from(content)) as [Buffer, Buffer, Buffer];
	const tail = await appendedCode({ path, base, written: now, incoming });
	if (tail === null) return (await mergeFiltered({ path, before: base, onDisk: now, incoming })).toString();
	return incoming.subarray(-tail.length).equals(tail) ? live : live + tail.toString();
}

const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");

test.each(["x.py", "Makefile", "x.md", "x.log", "x.toml"])(
	"late append: to %s, between other nodes' lines → all of both, once",
	async (name) => {
		const lines = fc.uniqueArray(fc.stringMatching(/^[a-z]{3,8}$/), { minLength: 1, maxLength: 3 });
		await fc.assert(
			fc.asyncProperty(fc.array(fc.tuple(lines, lines), { minLength: 1, maxLength: 6 }), async (rounds) => {
				let [kept, live] = [text(["start = 0"]), text(["start = 0"])];
				const all = ["start = 0"];
				for (const [round, [theirs, ours]] of rounds.entries()) {
					const mark = (side: string) => (line: string, index: number) => `${side}${round}_${index} = ${line}`;
					const [incoming, appended] = [theirs.map(mark("t")), ours.map(mark("o"))];
					live += text(incoming);
					live = await merged(name, kept, kept + text(appended), live);
					kept += text(appended);
					all.push(...incoming, ...appended);
					expect(live.trimEnd().split("\n").sort()).toEqual([...all].sort());
				}
			}),
			{ numRuns: 15 },
		);
	},
);

test("late append: to code, put there already before a kill → not twice", async () => {
	const [before, live] = ["a = 1\nb = 1\n", "a = 2\nb = 2\nmine = 1\n"];
	expect((await merged("x.py", before, `${before}mine = 1\n`, live)).match(/mine/g)).toHaveLength(1);
});

test("late append: to code, last line changed by another node → both stay", async () => {
	expect(await merged("x.py", "a = 1\nb = 1\n", "a = 1\nb = 1\nmine = 1\n", "a = 1\nb = 2\nhers = 1\n")).toBe(
		"a = 1\nb = 2\nhers = 1\nmine = 1\n",
	);
});
