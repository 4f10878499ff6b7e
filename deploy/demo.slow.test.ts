import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";

const clone = path.resolve(import.meta.dirname, "..");
let directory: string;
beforeEach(() => {
	directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-demo-test-")));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

/** Processes whose command line names the test's directory. */
function running(): string[] {
	return fs
		.readdirSync("/proc")
		.filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
		.flatMap((pid) => {
			try {
				const line = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
				return line.includes(directory) ? [line] : [];
			} catch {
				return [];
			}
		});
}

function demo(
	onOutput: (text: string, kill: (signal: NodeJS.Signals) => void) => void = () => undefined,
): Promise<{ code: number | null; stdout: string }> {
	return new Promise((resolve, reject) => {
		// A configuration in the environment is not the demo's.
		const env = { ...process.env, TMPDIR: directory, NODE_NAME: "Not A Name", SYNC_WORKSPACE: "/nonexistent", GIT_DIR: "/nonexistent" };
		const child = spawn("bash", [path.join(clone, "deploy/setup.sh"), "--demo"], {
			cwd: directory,
			env,
			stdio: ["ignore", "pipe", "inherit"],
		});
		let stdout = "";
		child.stdout.on("data", (chunk) => {
			stdout += chunk;
			onOutput(stdout, (signal) => child.kill(signal));
		});
		child.on("error", reject);
		child.on("close", (code) => resolve({ code, stdout }));
	});
}

test("demo: run → shows every step, 0, leaves nothing running", async () => {
	const { code, stdout } = await demo();
	expect(stdout.slice(-1500)).toContain("The demo went as promised");
	expect(code).toBe(0);
	for (const section of [1, 2, 3, 4, 5, 6, 7, 8]) expect(stdout).toContain(`\n${section}. `);
	const trees = [...stdout.matchAll(/tree ([0-9a-f]{40})/g)].map((found) => found[1]);
	expect(new Set(trees).size).toBe(1);
	expect(trees).toHaveLength(3);
	const saved = /both versions are kept, whole: (.*)/.exec(stdout)?.[1] ?? "";
	expect(fs.readdirSync(saved)).toEqual(expect.arrayContaining(["state.json.ours", "state.json.theirs"]));
	expect(running()).toEqual([]);
}, 120_000);

test("demo: interrupted → stops everything, removes its directory, exit code 1", async () => {
	let sent = false;
	const { code } = await demo((text, kill) => {
		if (sent || !text.includes("\n2. ")) return;
		sent = true;
		kill("SIGTERM");
	});
	expect(sent).toBe(true);
	expect(code).toBe(1);
	expect(running()).toEqual([]);
	expect(fs.readdirSync(directory).filter((name) => name.startsWith("robust-sync-demo-"))).toEqual([]);
}, 60_000);
