import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { writeAtomic, writeAtomicSync } from "./atomic-write.ts";
import { bundleFixture } from "./fixtures/bundle.ts";
import { fileError, ModelFiles } from "./testing/model-files.ts";

let directory: string;
let file: string;

beforeEach(() => {
	directory = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-atomic-"));
	file = path.join(directory, "sync", "state.json");
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

test("atomic write: our directory is missing → made; the workspace → not made", async () => {
	await writeAtomic(file, "1");
	expect(fs.readFileSync(file, "utf8")).toBe("1");
	await expect(writeAtomic(path.join(directory, "gone/sync/state.json"), "1")).rejects.toMatchObject({ code: "ENOENT" });
	expect(fs.existsSync(path.join(directory, "gone"))).toBe(false);
});

test("atomic write: several of one process → arrive in order, leave nothing behind", async () => {
	await Promise.all(Array.from({ length: 50 }, (_, index) => writeAtomic(file, String(index))));
	expect(fs.readFileSync(file, "utf8")).toBe("49");
	expect(fs.readdirSync(path.dirname(file))).toEqual(["state.json"]);
});

test("atomic write: fails → the old file untouched", async () => {
	await writeAtomic(file, "old");
	fs.rmSync(file);
	fs.mkdirSync(file);
	fs.writeFileSync(path.join(file, "inside"), "kept");
	await expect(writeAtomic(file, "new")).rejects.toMatchObject({ code: expect.stringMatching(/EISDIR|ENOTEMPTY|EEXIST/) });
	expect(() => writeAtomicSync(file, "new")).toThrow();
	expect(fs.readFileSync(path.join(file, "inside"), "utf8")).toBe("kept");
});

test("atomic write: a reader, a crash at any moment → one whole version", async () => {
	const writer = bundleFixture("state-writer", directory);
	fs.mkdirSync(path.dirname(file));
	for (let round = 0; round < 8; round++) {
		const child = spawn(process.execPath, [writer, file], { stdio: ["ignore", "pipe", "inherit"] });
		await new Promise((resolve) => child.stdout.once("data", resolve));
		const until = performance.now() + 5 + 10 * round;
		let reads = 0;
		while (performance.now() < until || reads === 0) {
			const { length, text } = JSON.parse(fs.readFileSync(file, "utf8"));
			expect(text).toHaveLength(length);
			reads++;
			await new Promise(setImmediate);
		}
		child.kill("SIGKILL");
		await new Promise((resolve) => child.once("close", resolve));
		const { length, text } = JSON.parse(fs.readFileSync(file, "utf8"));
		expect(text).toHaveLength(length);
	}
});

test("atomic write: room for a part only → ENOSPC, old file whole, nothing left behind", async () => {
	if (process.getuid?.() !== 0) return;
	fs.mkdirSync(path.dirname(file), { recursive: true });
	const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", path.dirname(file)]);
	if (mounted.status !== 0) return;
	try {
		await writeAtomic(file, "old");
		const content = "x".repeat(1_000_000);
		// Every round has one page less, so another part of the content is written.
		for (let pages = 0; pages < 14; pages++) {
			expect(() => writeAtomicSync(file, content)).toThrow(expect.objectContaining({ code: "ENOSPC" }));
			await expect(writeAtomic(file, content)).rejects.toMatchObject({ code: "ENOSPC" });
			expect(fs.readFileSync(file, "utf8")).toBe("old");
			expect(fs.readdirSync(path.dirname(file)).filter((name) => name !== "state.json" && !name.startsWith("page"))).toEqual([]);
			fs.writeFileSync(path.join(path.dirname(file), `page${pages}`), "p".repeat(4_096));
		}
	} finally {
		spawnSync("umount", [path.dirname(file)]);
	}
});

/** One write of a file that has a version already, with an event before its call `at`, or after it. @returns null: there is no such event */
function writtenOnModel(at: number | "end", event: "kill" | "ENOSPC" | "EIO" | number): { content: string; done: boolean } | null {
	const files = new ModelFiles();
	const state = "/w/sync/state.json";
	files.makeTree("/w/sync");
	files.writeFile(state, Buffer.from("old"));
	files.syncAll();
	let [calls, isMet, done] = [0, false, false];
	const act = () => {
		isMet = typeof event === "number" ? files.cutPower(event) : true;
		if (isMet) throw fileError(typeof event === "string" && event !== "kill" ? event : "EINTR", "write");
	};
	files.before = () => {
		// A process that was killed, or whose machine was, makes no further call.
		if (isMet && (event === "kill" || typeof event === "number")) throw fileError("EINTR", "write");
		if (calls++ === at) act();
	};
	try {
		writeAtomicSync(state, "the new version", 0o600, files);
		done = true;
		if (at === "end") act();
	} catch {
		// The event.
	}
	files.before = null;
	return isMet ? { content: files.readFile(state).toString(), done } : null;
}

test("atomic write: a kill, a fault, a power cut at each call → old or new", () => {
	const seen = new Set<string>();
	for (const event of ["kill", "ENOSPC", "EIO", ...Array.from({ length: 40 }, (_, number) => number)] as const)
		for (const at of [...Array.from({ length: 30 }, (_, call) => call), "end" as const]) {
			const result = writtenOnModel(at, event);
			if (result === null) continue;
			seen.add(`${typeof event === "number" ? "cut" : event} ${result.content}`);
			expect(["old", "the new version"]).toContain(result.content);
			if (result.done) expect([event, result.content]).toEqual([event, "the new version"]);
		}
	for (const event of ["kill", "EIO", "cut"])
		for (const content of ["old", "the new version"]) expect(seen).toContain(`${event} ${content}`);
});
