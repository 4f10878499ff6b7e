import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { personEnvironment, Scratch, until } from "../fixtures/scratch.ts";
import { findLockFiles, lockHolder, setAsideLockFile } from "./lock-files.ts";
import { endCommands, operationInProgress } from "./operation.ts";
import type { Repository } from "./repository.ts";

let scratch: Scratch;
let repository: Repository;
const running: ChildProcess[] = [];
beforeEach(async () => {
	scratch = new Scratch("locks");
	scratch.init("w");
	scratch.write("w/a", "1\n");
	scratch.commitAll("w");
	repository = await scratch.open("w");
});
afterEach(async () => {
	for (const child of running.splice(0)) {
		try {
			process.kill(-(child.pid ?? 0), "SIGKILL");
		} catch {
			child.kill("SIGKILL");
		}
	}
	await scratch.remove();
});

function person(command: string, args: string[], env: Record<string, string> = {}): ChildProcess {
	const child = spawn(command, args, {
		cwd: scratch.path("w"),
		env: { ...personEnvironment(scratch.directory), ...env },
		stdio: "ignore",
		detached: true,
	});
	running.push(child);
	return child;
}

const index = () => scratch.path("w/.git/index.lock");

test("lock files: every kind that git leaves → found, and nothing else", () => {
	const left = [
		"index.lock",
		"HEAD.lock",
		"config.lock",
		"packed-refs.lock",
		"shallow.lock",
		"refs/heads/main.lock",
		"refs/remotes/origin/x.lock",
	];
	for (const name of [...left, "objects/aa.lock", "hooks/x.lock", "index.locked"]) {
		fs.mkdirSync(scratch.path("w/.git", name, ".."), { recursive: true });
		fs.writeFileSync(scratch.path("w/.git", name), "");
	}
	expect(
		findLockFiles(repository)
			.map((file) => file.slice(repository.gitDirectory.length + 1))
			.sort(),
	).toEqual(left.sort());
});

describe("a lock that a live git holds has a holder", () => {
	test("lock holder: its editor is open, the file closed → found", async () => {
		scratch.write("w/a", "2\n");
		person("git", ["commit", "-a"], { GIT_EDITOR: "sleep 30 #" });
		await until(() => fs.existsSync(index()), "the lock");
		expect(lockHolder(repository, index())?.command).toMatch(/^git/);
	});

	test("lock holder: a hook of it hangs → found", async () => {
		scratch.write("w/.git/hooks/pre-commit", "#!/bin/sh\nsleep 30\n", 0o755);
		scratch.write("w/a", "2\n");
		person("git", ["commit", "-a", "-m", "x"]);
		await until(() => fs.existsSync(index()), "the lock");
		expect(lockHolder(repository, index())).not.toBeNull();
	});

	test("lock holder: started elsewhere with -C or --git-dir → found", async () => {
		scratch.write("w/.git/hooks/pre-commit", "#!/bin/sh\nsleep 30\n", 0o755);
		scratch.write("w/a", "2\n");
		const child = spawn("git", [`--git-dir=${scratch.path("w/.git")}`, `--work-tree=${scratch.path("w")}`, "commit", "-a", "-m", "x"], {
			cwd: "/",
			env: personEnvironment(scratch.directory),
			stdio: "ignore",
			detached: true,
		});
		running.push(child);
		await until(() => fs.existsSync(index()), "the lock");
		expect(lockHolder(repository, index())?.command).toMatch(/^git/);
	});

	test("lock holder: another program has the file open → found", async () => {
		person("sh", ["-c", `exec 9>'${index()}'; exec sleep 30`]);
		await until(() => fs.existsSync(index()), "the lock");
		await until(() => lockHolder(repository, index()) !== null, "its holder");
	});
});

test("lock holder: a killed git left it → none", async () => {
	scratch.write("w/a", "2\n");
	const child = person("git", ["commit", "-a"], { GIT_EDITOR: "sleep 30 #" });
	await until(() => fs.existsSync(index()), "the lock");
	process.kill(-(child.pid ?? 0), "SIGKILL");
	await new Promise((resolve) => child.once("close", resolve));
	expect(fs.existsSync(index())).toBe(true);
	await until(() => lockHolder(repository, index()) === null, "the holder to be gone");
});

test("lock holder: a git that works elsewhere → none", async () => {
	scratch.init("elsewhere");
	scratch.write("elsewhere/a", "1\n");
	scratch.commitAll("elsewhere");
	scratch.write("elsewhere/a", "2\n");
	scratch.write("elsewhere/.git/hooks/pre-commit", "#!/bin/sh\nsleep 30\n", 0o755);
	const child = spawn("git", ["commit", "-a", "-m", "x"], {
		cwd: scratch.path("elsewhere"),
		env: personEnvironment(scratch.directory),
		stdio: "ignore",
		detached: true,
	});
	running.push(child);
	await until(() => fs.existsSync(scratch.path("elsewhere/.git/index.lock")), "its lock");
	fs.writeFileSync(index(), "");
	expect(lockHolder(repository, index())).toBeNull();
});

describe("a lock is set aside", () => {
	test("setting aside: a lock → where a person can see it, never over another", () => {
		for (const content of ["first", "second"]) {
			fs.writeFileSync(index(), content);
			const { ino } = fs.statSync(index());
			expect(setAsideLockFile(repository, index(), ino, "20260218T020000.000Z")).not.toBeNull();
		}
		expect(fs.existsSync(index())).toBe(false);
		const directory = scratch.path("w/.git/robust-sync/stale-locks");
		expect(
			fs
				.readdirSync(directory)
				.map((name) => fs.readFileSync(`${directory}/${name}`, "utf8"))
				.sort(),
		).toEqual(["first", "second"]);
	});

	test("setting aside: replaced meanwhile → only the one that was examined", () => {
		fs.writeFileSync(index(), "");
		expect(setAsideLockFile(repository, index(), 1, "x")).toBeNull();
		expect(fs.existsSync(index())).toBe(true);
		fs.rmSync(index());
		expect(setAsideLockFile(repository, index(), 1, "x")).toBeNull();
	});
});

describe("operations that a person left open are named", () => {
	const open = (action: () => void) => {
		try {
			action();
		} catch {
			// git stops at the conflict, with an exit code other than 0.
		}
		return operationInProgress(repository.gitDirectory)?.name;
	};
	beforeEach(() => {
		scratch.git("w", "checkout", "-q", "-b", "other");
		scratch.write("w/a", "other\n");
		scratch.commitAll("w");
		scratch.git("w", "checkout", "-q", "main");
		scratch.write("w/a", "main\n");
		scratch.commitAll("w");
	});

	test("open operation: nothing → none", () => expect(operationInProgress(repository.gitDirectory)).toBeNull());
	test.each([
		["a merge", "merge", ["merge", "other"]],
		["a rebase", "rebase", ["rebase", "other"]],
		["a rebase of the old kind", "rebase", ["rebase", "--apply", "other"]],
		["a cherry-pick", "cherry-pick", ["cherry-pick", "other"]],
		["a revert", "revert", ["revert", "--no-edit", "HEAD~1"]],
		["a mailbox that is applied", "am", ["am", "../patch"]],
		["a bisect", "bisect", ["bisect", "start"]],
	] as const)("open operation: %s → named, with commands that git has", (_what, name, command) => {
		scratch.write("patch", scratch.git("w", "format-patch", "-1", "--stdout", "other"));
		expect(open(() => scratch.git("w", ...command))).toBe(name);
		const commands = endCommands(name).split(" or ");
		const run = (text: string) =>
			execFileSync("bash", ["-c", text], { cwd: scratch.path("w"), env: personEnvironment(scratch.directory), stdio: "ignore" });
		// The conflict is still there: git refuses to finish, and it knows the option.
		for (const finish of commands.slice(0, -1)) expect(() => run(finish)).toThrow(expect.not.objectContaining({ status: 129 }));
		run(commands.at(-1) ?? "");
		expect(operationInProgress(repository.gitDirectory)).toBeNull();
	});
	test.each(["revert", "cherry-pick"])("open operation: several commits, the first resolved, of a %s → named", (name) => {
		const commits = name === "revert" ? ["HEAD~1", "HEAD"] : ["other", "other~1"];
		scratch.git("w", "commit", "-q", "--allow-empty", "-m", "more");
		expect(open(() => scratch.git("w", name, ...(name === "revert" ? ["--no-edit"] : []), ...commits))).toBe(name);
		scratch.write("w/a", "resolved\n");
		scratch.commitAll("w");
		expect(fs.existsSync(path.join(repository.gitDirectory, "sequencer/todo"))).toBe(true);
		expect(operationInProgress(repository.gitDirectory)?.name).toBe(name);
	});
});
