import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import { exists, expectArrived, live, move, put, read, repository, scratch, type Tree, template } from "../fixtures/moves.ts";
import { readRef } from "../objects/refs.ts";

describe("a write that happens in the middle of the move is never destroyed", () => {
	const before = { "d/log": "1\n", gone: "1\n" };
	const after = { "d/log": "1\n2\n", "z/new": "theirs\n" };
	const makeParent = (name: string) => fs.mkdirSync(path.dirname(live(name).toString()), { recursive: true });
	const writers: readonly (readonly [how: string, write: (name: string, text: string) => void])[] = [
		["appended", (name, text) => fs.existsSync(live(name)) && fs.appendFileSync(live(name), text)],
		["written over", (name, text) => [makeParent(name), fs.writeFileSync(live(name), text)]],
		[
			"renamed over it",
			(name, text) => {
				makeParent(name);
				fs.writeFileSync(scratch.path("temporary"), text);
				fs.renameSync(scratch.path("temporary"), live(name));
			},
		],
	];
	test.each(writers)(
		"checkout: %s, at every step, to every file → both stay",
		async (_how, write) => {
			const { ids, again } = await template(before, after);
			for (const name of ["d/log", "gone", "z/new"]) {
				// The number of steps is unknown: the loop ends after the last one.
				for (let at = 0; ; at++) {
					await again();
					let step = 0;
					let wrote = false;
					const { kept } = await move(ids, {
						checkpoint: () => {
							if (step++ !== at) return;
							const had = fs.existsSync(live(name));
							write(name, "late\n");
							wrote = had || fs.existsSync(live(name));
						},
					});
					if (step <= at) break;
					expect(await readRef(repository, "refs/heads/main")).toBe(ids.to);
					// At its path, where the next snapshot finds it, or in a kept file that the next check finds.
					const found = exists(name) ? [read(name)] : [];
					const seen = kept
						.filter((file) => file.mtimeMs === 0)
						.map((file) => fs.readFileSync(scratch.path(`backup/${file.file}`), "utf8"));
					if (wrote)
						expect({ name, at, texts: [...found, ...seen] }).toEqual({
							name,
							at,
							texts: expect.arrayContaining([expect.stringContaining("late\n")]),
						});
				}
			}
			scratch.git("w", "fsck", "--strict");
		},
		60_000,
	);
});

describe("a move that was interrupted is taken up again", () => {
	const before: Tree = { a: "1\n", "d/b": "1\n", gone: "1\n", l: { link: "x" } };
	const after: Tree = { a: "2\n", "d/b/c": "1\n", l: "no link\n", "z/new": { executable: "1\n" } };

	test.each([false, true])(
		"checkout: killed at every step, a write in between: %s → taken up again",
		async (writes) => {
			const { ids, again } = await template(before, after);
			for (let at = 0; ; at++) {
				await again();
				let step = 0;
				const stopped = move(ids, {
					checkpoint: () => {
						if (step++ === at) throw new Error("stop here");
					},
				});
				const done = await stopped.then(
					() => true,
					() => false,
				);
				if (done) break;
				if (writes) {
					if (exists("a")) fs.appendFileSync(live("a"), "late\n");
					else put("a", "late\n");
				}
				const { kept } = await move(ids, { resume: true });
				expect(await readRef(repository, "refs/heads/main")).toBe(ids.to);
				if (writes) {
					const isInPlace = read("a").includes("late\n");
					const [seen] = kept.filter((file) => file.path === "a" && file.mtimeMs === 0);
					if (!isInPlace) expect(fs.readFileSync(scratch.path(`backup/${seen?.file}`), "utf8")).toContain("late\n");
					expect(scratch.git("w", "status", "--porcelain", "--untracked-files=all").trim()).toBe(isInPlace ? "M a" : "");
				} else expectArrived(ids.to);
			}
			scratch.git("w", "fsck", "--strict");
		},
		60_000,
	);
});
