import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Scratch } from "../fixtures/scratch.ts";
import { stageFiles } from "../index/stage-files.ts";
import { diffTrees } from "../objects/diff.ts";
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
	for (let index = 0; index < 7; index++) {
		names.push(gitPathOf(Buffer.from(`sub dir/${index} ü.slow`).toString("latin1")));
		scratch.write(`node/sub dir/${index} ü.slow`, `${index}\n`);
	}
	const seen: (Progress | null)[] = [];
	const repository = new Repository({ ...(await scratch.open("node")), onProgress: (progress) => seen.push(progress) });
	/** What was reported, without how far each report was. */
	const reported = () => {
		const texts = seen.splice(0).map((one) => {
			if (one === null) return null;
			expect(one.done).toBeGreaterThan(0);
			expect(one.done).toBeLessThan(7);
			return `${one.what} of ${one.total}`;
		});
		return [...new Set(texts)];
	};
	await stageFiles(repository, names);
	expect(reported()).toEqual(["adding files of 7", null]);
	scratch.git("node", "commit", "-qm", "files");
	const staging = new Staging(repository, scratch.path("staging"));
	staging.clear();
	await staging.write(await diffTrees(repository, repository.emptyTree, "HEAD"), "after", true);
	expect(reported()).toEqual(["writing files of 7", null]);
}, 60_000);
