import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { type MergeJob, runJob } from "./merge-jobs.ts";
import { MergeThread, MergeThreadError } from "./merge-thread.ts";

const directory = mkdtempSync(path.join(tmpdir(), "robust-sync-merge-thread-slow-"));
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

test("merge thread: a large file → the caller's thread stays responsive", async () => {
	const large = job("s.json", 40_000);
	const merge = thread(pathToFileURL(file));
	let ticks = 0;
	const timer = setInterval(() => ticks++, 5);
	const [answer] = await merge.run([large]).finally(() => clearInterval(timer));
	expect(answer).toMatchObject({ strategy: "json", winner: "merged", lost: false });
	expect(ticks).toBeGreaterThan(3);
});

test("merge thread: out of memory → an error, no result; the next merge is done", async () => {
	const merge = thread(pathToFileURL(file), { maxOldGenerationSizeMb: 12, maxYoungGenerationSizeMb: 2 });
	await expect(merge.run([job("s.json", 40_000)])).rejects.toThrow(MergeThreadError);
	const small = job("s.json", 200);
	expect(await merge.run([small])).toEqual([runJob(small)]);
});
