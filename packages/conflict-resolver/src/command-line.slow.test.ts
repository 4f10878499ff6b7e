import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { acquireLock } from "@robust-sync/system/lock";
import { WorkspacePaths } from "@robust-sync/workspace";
import { bundleExecutable } from "./fixture/bundle.ts";
import { Person } from "./fixture/person.ts";

let bundle = "";
let directory = "";
beforeAll(() => {
	directory = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-resolver-bundle-"));
	bundle = bundleExecutable(directory);
});
afterAll(() => fs.rmSync(directory, { recursive: true }));

let person: Person;
beforeEach(() => {
	person = new Person();
});
afterEach(async () => await person.remove());

function run(...args: string[]) {
	const { status, stdout, stderr } = spawnSync(process.execPath, [bundle, ...args], {
		cwd: person.workspace,
		encoding: "utf8",
		env: { ...process.env, NODE_NAME: "helios" },
	});
	return { status, stdout, stderr };
}

describe("the command", () => {
	test("command: makes no sense → exit code 2 and one line", () => {
		for (const args of [
			[],
			["--nonsense"],
			["--check", "--resolve"],
			["--check", "--dry-run"],
			["--restore", "latest"],
			["--restore", "latest", "--side", "mine"],
			["--merge-driver", "a", "b"],
			["--resolve", "x"],
		]) {
			const { status, stdout, stderr } = run(...args);
			expect({ args, status, stdout, lines: stderr.trim().split("\n").length }).toEqual({ args, status: 2, stdout: "", lines: 1 });
		}
	});

	test("command: --check, --resolve, --json → 0 or 1, 0, one document", () => {
		person.branches({ f: "line 1\n" }, { f: "line 2\n" }, { f: "line 3\n" });
		expect(run("--check")).toMatchObject({ status: 0, stdout: "no conflicts\n" });
		person.git("merge", "theirs");
		const check = run("--check", "--json");
		expect(check.status).toBe(1);
		expect(JSON.parse(check.stdout)).toMatchObject({ schema: 1, operation: "merge", conflicts: [{ path: "f", kind: "prose" }] });
		const resolved = run("--resolve", "--json");
		expect(resolved).toMatchObject({ status: 0, stderr: "" });
		expect(JSON.parse(resolved.stdout)).toMatchObject({ schema: 1, operation: "merge", files: [{ path: "f" }] });
		expect(JSON.parse(run("--report", "--json").stdout)).toMatchObject({ saved: [{ files: [{ path: "f" }] }] });
		expect(run("--restore", "latest", "f", "--side", "ours")).toMatchObject({ status: 0 });
		expect(person.read("f")).toBe("line 2\n");
		expect(run("--abort")).toMatchObject({ status: 0, stdout: "nothing to abort: no merge is in progress\n" });
		expect(person.read("logs/conflict_resolver.log")).toContain("resolved 1 files");
		expect(person.status()).toBe(" M f\n");
	});

	test("no workspace: nothing open → nothing committed or left; own names → refused", () => {
		person.branches({ f: "1\n" }, { f: "2\n" }, { f: "3\n" });
		fs.writeFileSync(path.join(person.workspace, ".env"), "SECRET=1\n");
		const exclude = path.join(person.workspace, ".git/info/exclude");
		const excluded = () => (fs.existsSync(exclude) ? fs.readFileSync(exclude, "utf8") : "");
		const before = [person.git("rev-parse", "HEAD"), excluded(), fs.readdirSync(person.workspace)];
		for (const args of [["--resolve"], ["--resolve", "--dry-run"], ["--abort"], ["--restore", "latest", "--side", "ours"]]) {
			expect([args, run(...args).status]).toEqual([args, args[0] === "--restore" ? 1 : 0]);
			const after = [person.git("rev-parse", "HEAD"), excluded(), fs.readdirSync(person.workspace)];
			expect([args, after]).toEqual([args, before]);
		}
		fs.mkdirSync(path.join(person.workspace, "logs"));
		fs.writeFileSync(path.join(person.workspace, "logs/app.log"), "mine\n");
		person.git("add", "logs");
		person.git("commit", "-qm", "logs of their own");
		person.git("merge", "theirs");
		expect(run("--resolve")).toMatchObject({ status: 2, stderr: expect.stringMatching(/is no workspace, .*\(logs\/app\.log\).*\n$/) });
		expect(person.git("ls-files", "logs").trim()).toBe("logs/app.log");
	});

	test("command: fails → exit 1, the code and the remedy", () => {
		const outside = spawnSync(process.execPath, [bundle, "--check", "--workspace", directory], { encoding: "utf8" });
		expect(outside.status).toBe(1);
		expect(outside.stderr).toMatch(/^conflict-resolver: NOT_A_REPOSITORY: .*git init/);
		person.branches({ f: "1\n" }, { f: "2\n" }, { f: "3\n" });
		person.git("merge", "theirs");
		const oid = person.git("rev-parse", "theirs:f").trim();
		fs.truncateSync(person.scratch.path("mine/.git/objects", oid.slice(0, 2), oid.slice(2)), 4);
		expect(run("--resolve")).toMatchObject({ status: 1, stderr: expect.stringMatching(/^conflict-resolver: CORRUPT_REPOSITORY: .*fsck/) });
		expect(run("--restore", "latest", "--side", "ours")).toMatchObject({ status: 1 });
	});

	test("command: git too old → refused by its version, whatever else it cannot do", () => {
		fs.writeFileSync(person.scratch.path("git"), '#!/bin/sh\n[ "$1" = --version ] && echo git version 2.37.1 || exit 1\n', { mode: 0o755 });
		const { status, stderr } = spawnSync(process.execPath, [bundle, "--resolve"], {
			cwd: person.workspace,
			encoding: "utf8",
			env: { ...process.env, PATH: `${person.scratch.directory}:${process.env.PATH}` },
		});
		expect({ status, stderr }).toMatchObject({
			status: 1,
			stderr: expect.stringMatching(/^conflict-resolver: GIT_TOO_OLD: git 2\.37\.1 .*install/),
		});
	});

	test("command: a truncated pack → damage, not a branch without commits", () => {
		person.diverged({ f: "line 1\n" }, { f: "line 2\n" }, { f: "line 3\n" });
		person.git("gc", "--quiet");
		const packs = person.scratch.path("mine/.git/objects/pack");
		const pack = path.join(packs, fs.readdirSync(packs).find((name) => name.endsWith(".pack")) ?? "");
		const whole = fs.readFileSync(pack);
		fs.chmodSync(pack, 0o644);
		fs.truncateSync(pack, 200);
		expect(run("--resolve")).toMatchObject({ status: 1, stderr: expect.stringMatching(/^conflict-resolver: CORRUPT_REPOSITORY: .*fsck/) });
		fs.writeFileSync(pack, whole);
		expect(person.read("f")).toBe("line 2\n");
		expect(person.saved()).toEqual([]);
		expect(run("--resolve").status).toBe(0);
		expect(person.read("f").split("\n").sort()).toEqual(["", "line 2", "line 3"]);
	});

	test("command: after a killed run → reports resolved files and their saved versions", () => {
		person.diverged({ f: "line 1\n" }, { f: "line 2\n" }, { f: "line 3\n" });
		const killed = spawnSync(process.execPath, [bundle, "--resolve"], {
			cwd: person.workspace,
			env: { ...process.env, ROBUST_SYNC_FAULT: "integrate-journalled" },
		});
		expect(killed.signal).toBe("SIGKILL");
		const { status, stdout } = run("--resolve", "--json");
		expect({ status, ...JSON.parse(stdout) }).toMatchObject({
			status: 0,
			commit: person.git("rev-parse", "HEAD").trim(),
			files: [{ path: "f", strategy: "prose" }],
			saved: [person.saved()[0]?.name],
			set_aside: null,
		});
	});

	test("command: full disk → changes nothing, resolves when there is room", () => {
		const big = (text: string) => `${text}\n${"x".repeat(200_000)}\n`;
		person.branches({ f: big("1") }, { f: big("2") }, { f: big("3") });
		person.git("merge", "theirs");
		fs.mkdirSync(person.scratch.path("mine/sync/conflicts"), { recursive: true });
		const before = person.snapshot();
		const full = spawnSync(
			"unshare",
			[
				"--map-root-user",
				"--mount",
				"sh",
				"-c",
				'mount -t tmpfs -o size=64k none sync/conflicts && "$@"; code=$?; ls -A sync/conflicts; exit $code',
				"sh",
				process.execPath,
				bundle,
				"--resolve",
			],
			{ cwd: person.workspace, encoding: "utf8" },
		);
		expect(full).toMatchObject({
			status: 1,
			stdout: "",
			stderr: expect.stringMatching(/^conflict-resolver: DISK_FULL: .*free some space/),
		});
		expect(person.snapshot()).toBe(before);
		expect(run("--resolve").status).toBe(0);
		expect(person.status()).toBe("");
	});

	test("command: a cycle in progress → waits", async () => {
		person.branches({ f: "1\n" }, { f: "2\n" }, { f: "3\n" });
		person.git("merge", "theirs");
		const paths = new WorkspacePaths(person.workspace);
		fs.mkdirSync(paths.sync);
		const lock = await acquireLock(paths.cycleLock, { purpose: "a sync cycle" });
		const child = spawn(process.execPath, [bundle, "--resolve"], { cwd: person.workspace, stdio: "ignore" });
		const ended = new Promise((resolve) => child.once("close", resolve));
		// The run got as far as the lock: files from before it exist, the merge is untouched.
		await new Promise<void>((resolve) => {
			const timer = setInterval(() => {
				const exclude = person.scratch.path("mine/.git/info/exclude");
				if (!(fs.existsSync(exclude) && fs.readFileSync(exclude, "utf8").includes("/sync")) && child.exitCode === null) return;
				clearInterval(timer);
				resolve();
			}, 20);
		});
		expect(fs.existsSync(person.scratch.path("mine/.git/MERGE_HEAD"))).toBe(true);
		await lock.release();
		expect(await ended).toBe(0);
		expect(person.status()).toBe("");
	});
});

describe("the merge driver", () => {
	const install = () => {
		run("--install-driver");
		// The test's bundle is not beside the project's bin/.
		expect(person.git("config", "merge.robust-sync.driver")).toContain(
			`'${path.join(directory, "bin/conflict-resolver")}' --merge-driver %O %A %B -- %P`,
		);
	};

	test("merge driver: a person's git merge and rebase → by kind, losing versions saved", () => {
		person.branches(
			{ "s.json": '{"a": 1}\n', "it's a $(file).md": "1\n", "-x.log": "1\n" },
			{ "s.json": '{"a": 2}\n', "it's a $(file).md": "2\n", "-x.log": "1\n2\n" },
			{ "s.json": '{"a": 3, "b": 3}\n', "it's a $(file).md": "3\n", "-x.log": "1\n3\n" },
		);
		install();
		const ours = person.git("rev-parse", "HEAD").trim();
		person.git("merge", "-q", "theirs");
		expect(person.status()).toBe("");
		expect(JSON.parse(person.read("s.json"))).toMatchObject({ b: 3 });
		expect(person.read("it's a $(file).md").split("\n").sort()).toEqual(["", "2", "3"]);
		expect(person.read("-x.log").split("\n").sort()).toEqual(["", "1", "2", "3"]);
		expect(person.saved()[0]?.manifest).toMatchObject({ merge_commit: null, ours, files: [{ path: "s.json", strategy: "driver" }] });
		expect(person.savedFiles()).toMatchObject({ "s.json.ours": '{"a": 2}\n', "s.json.theirs": '{"a": 3, "b": 3}\n' });
		person.git("reset", "-q", "--hard", ours);
		person.git("rebase", "-q", "theirs");
		expect(person.git("log", "-1", "--format=%P").trim()).toBe(person.git("rev-parse", "theirs").trim());
		expect(JSON.parse(person.read("s.json"))).toEqual({ a: 2, b: 3 });
	});

	test("merge driver: attributes in the repository → obeyed; unmergeable → left to git", () => {
		person.branches(
			{ "s.json": '{"a": 1}\n', ".gitattributes": "*.json robust-sync=later\n" },
			{ "s.json": '{"a": 2}\n' },
			{ "s.json": '{"a": 1, "b": 2}\n' },
		);
		install();
		person.git("merge", "-q", "theirs");
		expect(['{"a": 2}\n', '{"a": 1, "b": 2}\n']).toContain(person.read("s.json"));
		expect(run("--merge-driver", "no-base", "no-ours", "no-theirs", "x")).toMatchObject({ status: 1 });
	});

	test("merge driver: three files, no repository → merged, untouched where that loses", () => {
		const merge = (a: string, b: string) => {
			for (const [name, content] of Object.entries({ O: '{"k": 1}', A: a, B: b })) fs.writeFileSync(path.join(directory, name), content);
			const { status } = spawnSync(process.execPath, [bundle, "--merge-driver", "O", "A", "B", "s.json"], { cwd: directory });
			return [status, fs.readFileSync(path.join(directory, "A"), "utf8")];
		};
		expect(merge('{"k": 1, "a": 1}', '{"k": 2}')).toEqual([0, '{"k": 2, "a": 1}']);
		expect(merge('{"k": 3}', '{"k": 2}')).toEqual([1, '{"k": 3}']);
	});

	test("merge driver: installed twice, then removed → once there, then no trace", () => {
		person.commit({ f: "1\n" });
		person.write({ ".git/info/attributes": "*.bin -diff\n" });
		const config = person.read(".git/config");
		install();
		install();
		expect(person.read(".git/info/attributes").match(/merge=robust-sync/g)).toHaveLength(1);
		expect(person.status()).toBe("");
		expect(run("--uninstall-driver")).toMatchObject({ status: 0 });
		expect(person.read(".git/config")).toBe(config);
		expect(person.read(".git/info/attributes")).toBe("*.bin -diff\n");
		expect(run("--uninstall-driver", "--json").stdout).toContain('"removed": false');
	});
});
