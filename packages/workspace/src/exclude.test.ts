import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ensureExcluded } from "./exclude.ts";

let root: string;
const git = (...args: string[]) => execFileSync("git", args, { cwd: root, encoding: "utf8" });

beforeEach(() => {
	root = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-exclude-"));
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

function fill(): void {
	for (const name of ["sync/sync_state.json", "logs/sync.log", ".sync_env", "deep/sync/kept", "deep/logs/kept", "deep/.sync_env"]) {
		fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
		fs.writeFileSync(path.join(root, name), "");
	}
}

test("exclusion: our own files → never committed; same names further down → are", () => {
	git("init", "-q");
	fill();
	ensureExcluded(root);
	expect(git("ls-files", "--others", "--exclude-standard").trim().split("\n").sort()).toEqual([
		"deep/.sync_env",
		"deep/logs/kept",
		"deep/sync/kept",
	]);
	expect(fs.existsSync(path.join(root, ".gitignore"))).toBe(false);
});

test("exclusion: written twice → once there, a person's lines kept", () => {
	git("init", "-q");
	const file = path.join(root, ".git/info/exclude");
	fs.writeFileSync(file, "*.mine");
	ensureExcluded(root);
	const once = fs.readFileSync(file, "utf8");
	ensureExcluded(root);
	expect(fs.readFileSync(file, "utf8")).toBe(once);
	expect(once).toMatch(/^\*\.mine\n/);
});

test("exclusion: no .git/info, a linked working tree → works", () => {
	git("init", "-q");
	fs.rmSync(path.join(root, ".git/info"), { recursive: true });
	ensureExcluded(root);
	git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x");
	const linked = `${root}-linked`;
	git("worktree", "add", "-q", linked);
	try {
		fs.rmSync(path.join(root, ".git/info/exclude"));
		ensureExcluded(linked);
		expect(fs.readFileSync(path.join(root, ".git/info/exclude"), "utf8")).toContain("/sync\n");
	} finally {
		fs.rmSync(linked, { recursive: true, force: true });
	}
});

test("exclusion: no repository → does nothing", () => {
	expect(() => ensureExcluded(root)).not.toThrow();
	fs.writeFileSync(path.join(root, ".git"), "nonsense");
	expect(() => ensureExcluded(root)).not.toThrow();
});
