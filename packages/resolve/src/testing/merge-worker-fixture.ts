import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll } from "@jest/globals";
import type { MergeJob } from "../merge/merge-jobs.ts";
import { MergeThread } from "../merge/merge-thread.ts";

// The worker of a merge thread, bundled for one test file; its threads end with each test.

const directory = mkdtempSync(path.join(tmpdir(), "robust-sync-merge-thread-"));
const file = path.join(directory, "merge-worker.mjs");
export const worker = pathToFileURL(file);
const threads: MergeThread[] = [];
export const thread = (...args: ConstructorParameters<typeof MergeThread>) => {
	const made = new MergeThread(...args);
	threads.push(made);
	return made;
};

beforeAll(() => {
	const esbuild = createRequire(createRequire(import.meta.url).resolve("../../../../package.json")).resolve("esbuild/bin/esbuild");
	const source = fileURLToPath(new URL("../merge/merge-worker.ts", import.meta.url));
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
export function job(name: string, tasks: number, side: "a" | "b" = "b"): MergeJob {
	const text = (changed: number) =>
		JSON.stringify(
			Array.from({ length: tasks }, (_, id) => ({ id, title: `task ${id}`, done: id === changed })),
			null,
			1,
		);
	return { path: name, base: bytes(text(-1)), a: bytes(text(0)), b: bytes(text(tasks - 1)), later: side, attribute: undefined };
}
