import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";

const monitor = path.resolve(import.meta.dirname, "../../../dist/monitor.mjs");
let directory: string;
beforeEach(() => {
	directory = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-output-"));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

function run(file: string) {
	const env = { ...process.env, ROBUST_SYNC_SERVICE_LOG: file, MONITOR_INTERVAL: "many" };
	return spawnSync(process.execPath, [monitor, "--daemon", "--workspace", directory], { env, encoding: "utf8" });
}

test("service under a unit: its output → in its log too, also after that was moved", () => {
	fs.writeFileSync(path.join(directory, ".sync_env"), "");
	const file = path.join(directory, "monitor_service.log");
	const { status, stderr } = run(file);
	expect(status).toBe(2);
	expect(stderr).toMatch(/MONITOR_INTERVAL="many" is not accepted/);
	expect(fs.readFileSync(file, "utf8")).toBe(stderr);
	fs.renameSync(file, `${file}.1`);
	run(file);
	expect(fs.readFileSync(file, "utf8")).toBe(stderr);
});

test("service log: a link, directory, or no directory → not followed, service runs", () => {
	fs.writeFileSync(path.join(directory, ".sync_env"), "");
	const target = path.join(directory, "target");
	fs.writeFileSync(target, "as it was\n");
	for (const [name, make] of [
		["link", (file: string) => fs.symlinkSync(target, file)],
		["directory", (file: string) => fs.mkdirSync(file)],
		["no/such/directory", () => undefined],
	] as const) {
		const file = path.join(directory, name);
		make(file);
		const { status, stderr } = run(file);
		expect(status).toBe(2);
		expect(stderr).toContain("MONITOR_INTERVAL");
	}
	expect(fs.readFileSync(target, "utf8")).toBe("as it was\n");
});
