import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { stageFiles } from "../index/stage-files.ts";
import { diffTrees } from "../objects/diff.ts";
import { GitObjects } from "../objects/object-store.ts";
import { type GitPath, gitPathOf } from "../paths/git-path.ts";
import { Staging } from "../worktree/staging.ts";
import type { Progress } from "./progress.ts";
import { Repository } from "./repository.ts";

let scratch: Scratch;
beforeEach(() => {
	scratch = new Scratch("progress");
	scratch.init("node");
});
afterEach(() => scratch.remove());

test("progress: git that takes long over files → counted while it adds and writes them", async () => {
	scratch.git("node", "config", "filter.slow.clean", "sleep 0.4; cat");
	scratch.git("node", "config", "filter.slow.smudge", "sleep 0.4; cat");
	scratch.write("node/.gitattributes", "*.slow filter=slow\n");
	const names: GitPath[] = [];
	for (let index = 0; index < 10; index++) {
		names.push(gitPathOf(Buffer.from(`sub dir/${index} ü.slow`).toString("latin1")));
		scratch.write(`node/sub dir/${index} ü.slow`, `${index}\n`);
	}
	const seen: (Progress | null)[] = [];
	const repository = new Repository({ ...(await scratch.open("node")), onProgress: (progress) => seen.push(progress) });
	/** The reported work without its figures; each figure must be at most the total. */
	const reported = () => {
		const reports = seen.splice(0);
		const most = Math.max(...reports.map((one) => one?.done ?? 0));
		expect([most > 0, most <= 10]).toEqual([true, true]);
		return [...new Set(reports.map((one) => (one === null ? null : `${one.what} of ${one.total}`)))];
	};
	await stageFiles(repository, names);
	expect(reported()).toEqual(["adding files of 10", null]);
	scratch.git("node", "commit", "-qm", "files");
	const staging = new Staging(repository, scratch.path("staging"), new GitObjects(repository));
	staging.clear();
	await staging.write(await diffTrees(repository, repository.emptyTree, "HEAD"), "after", true);
	expect(reported()).toEqual(["writing files of 10", null]);
}, 120_000);
