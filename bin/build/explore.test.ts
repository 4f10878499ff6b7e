import { spawnSync } from "node:child_process";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { root } from "./bootstrap.mjs";
import { runExplorer } from "./explore.mjs";
import { explorerMutants, modelMutants } from "./explorer-mutants.mjs";
import { placesOf } from "./sabotage.mjs";

test("explorer: each mistake that it must find → is in one place of the sources", () => {
	const sources = spawnSync("git", ["ls-files", "-z", "packages"], { cwd: root, encoding: "utf8" }).stdout.split("\0");
	const mutants = { ...explorerMutants, ...modelMutants };
	const places = Object.entries(mutants).map(([name, mutant]) => [
		name,
		sources.filter((source) => mutant.file.test(source)).map((source) => placesOf(mutant, path.join(root, source))),
	]);
	expect(places).toEqual(Object.keys(mutants).map((name) => [name, [1]]));
});

test("explorer: one act at each call of a checkout, each loss of before → none", async () => {
	const { status, output } = await runExplorer(["--quick"], { stdio: ["ignore", "pipe", "ignore"] });
	// An act that is never called would test nothing.
	expect(output).toMatch(/^(\d+) traces, \1 of them with every act carried out, 0 failed\n$/);
	expect(status).toBe(0);
}, 240_000);
