import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { type MergeJob, runJob } from "./merge-jobs.ts";
import { MergeThread } from "./merge-thread.ts";

const directory = mkdtempSync(path.join(tmpdir(), "robust-sync-merge-thread-"));
const file = path.join(directory, "merge-worker.mjs");
const threads: MergeThread[] = [];
const thread = (...args: ConstructorParameters<typeof MergeThread>) => {
	const made = new MergeThread(...args);
	threads.push(made);
	return made;
};

beforeAll(() => {
	const esbuild = createRequire(createRequire(import.meta.url).resolve("../../../../package.json")).resolve("esbuild/bin/esbuild");
	const source = fileURLToPath(new URL("./merge-worker.ts", import.meta.url));
	execFileSync(esbuild, [
		source,
		`--outfile=${file}`,
		"--bundle",
		"--platform=node",
		"--format=esm",
		"--main-fields=module,main",
		"--log-level=error",
		'--banner:js=import { createRequire as __createRequire } from "node:module";const require = __createRequire(import.meta.url);',
	]);
});
afterEach(async () => {
	for (const one of threads.splice(0)) await one.stop();
});
afterAll(() => rmSync(directory, { recursive: true }));

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

/** A state file of an agent with this many tasks, of which each side changed one. */
function job(name: string, tasks: number, side: "a" | "b" = "b"): MergeJob {
	const text = (changed: number) =>
		JSON.stringify(
			Array.from({ length: tasks }, (_, id) => ({ id, title: `task ${id}`, done: id === changed })),
			null,
			1,
		);
	return { path: name, base: bytes(text(-1)), a: bytes(text(0)), b: bytes(text(tasks - 1)), later: side, attribute: undefined };
}

test("merge thread: many files of many kinds → the same answers in the same order", async () => {
	const names = ["s.json", "t.jsonl", "u.md", "v.yaml", "w", "x.lock"];
	const jobs = names.flatMap((name) => [job(name, 400), job(name, 5, "a")]);
	const expected = jobs.map(runJob);
	const merge = thread(pathToFileURL(file));
	const runs = await Promise.all([merge.run(jobs), merge.run(jobs.slice(0, 3)), merge.run([])]);
	expect(runs).toEqual([expected, expected.slice(0, 3), []]);
});
