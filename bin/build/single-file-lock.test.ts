import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";

let directory: string;
let lock: string;
beforeEach(() => {
	directory = mkdtempSync(path.join(os.tmpdir(), "robust-sync-single-"));
	lock = path.join(directory, "lock");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Starts a process that takes the lock, writes "begin" and "end" with a pause between, unless "end" has been written before. */
function contender(): Promise<number | null> {
	const script = `
		import { withLock } from ${JSON.stringify(path.join(import.meta.dirname, "single-file-lock.mjs"))};
		import { appendFileSync, existsSync, readFileSync } from "node:fs";
		const log = ${JSON.stringify(path.join(directory, "log"))};
		await withLock(${JSON.stringify(lock)}, () => existsSync(log) && readFileSync(log, "utf8").includes("end"), async () => {
			appendFileSync(log, "begin\\n");
			await new Promise((resolve) => setTimeout(resolve, 100));
			appendFileSync(log, "end\\n");
		});`;
	return new Promise((resolve) => {
		const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "inherit", timeout: 20_000 });
		child.on("close", resolve);
	});
}
const log = () => readFileSync(path.join(directory, "log"), "utf8");

test("build lock: many come at once → one works, the others wait for it", async () => {
	expect(await Promise.all(Array.from({ length: 4 }, contender))).toEqual([0, 0, 0, 0]);
	expect(log()).toBe("begin\nend\n");
	expect(existsSync(lock)).toBe(false);
});

test.each([
	["a process that is gone", () => `${spawnSync("true").pid} 1\n`],
	["a process whose number another one has now", () => `${process.pid} 1\n`],
])("build lock: leftovers of %s → removed", async (_what, holder) => {
	writeFileSync(lock, holder());
	expect(await contender()).toBe(0);
	expect(log()).toBe("begin\nend\n");
});

test("build lock: an empty file left by a power cut → no hindrance", async () => {
	writeFileSync(lock, "");
	const before = Date.now() / 1000 - 60;
	utimesSync(lock, before, before);
	expect(await contender()).toBe(0);
});
