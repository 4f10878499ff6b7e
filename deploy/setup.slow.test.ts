import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";

const root = path.resolve(import.meta.dirname, "..");
/** A built clone, as far as setup needs it, that no other process changes. */
let clone: string;

interface Ended {
	code: number | null;
	stdout: string;
	stderr: string;
}

let directory: string;
let home: string;
let workspace: string;
let hub: string;

/** The environment of a bare account: no configuration of the caller, and no service manager. */
const environment = (extra: Record<string, string> = {}) => ({
	PATH: process.env.PATH ?? "",
	HOME: home,
	TMPDIR: directory,
	LANG: "C.UTF-8",
	...extra,
});

function setup(
	args: string[],
	{
		env = {},
		cwd = workspace,
		input = "",
		script = path.join(clone, "deploy/setup.sh"),
	}: { env?: Record<string, string>; cwd?: string; input?: string; script?: string } = {},
): Promise<Ended> {
	return new Promise((resolve, reject) => {
		const child = spawn("bash", [script, ...args], { cwd, env: environment(env) });
		const ended: Ended = { code: null, stdout: "", stderr: "" };
		child.stdout.on("data", (chunk) => (ended.stdout += chunk));
		child.stderr.on("data", (chunk) => (ended.stderr += chunk));
		child.stdin.end(input);
		child.on("error", reject);
		child.on("close", (code) => resolve({ ...ended, code }));
	});
}

function git(cwd: string, ...args: string[]): string {
	const result = spawnSync("git", args, { cwd, env: environment(), encoding: "utf8" });
	if (result.status !== 0) throw new Error(result.stderr);
	return result.stdout.trim();
}

function freePort(): Promise<number> {
	return new Promise((resolve) => {
		const server = net.createServer().listen(0, "127.0.0.1", () => {
			const { port } = server.address() as net.AddressInfo;
			server.close(() => resolve(port));
		});
	});
}

/** Every file below a directory with its content, except git's own. */
function snapshot(root: string): Record<string, string> {
	const files = fs.readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
	return Object.fromEntries(
		files.map((entry) => {
			const file = path.join(entry.parentPath, entry.name);
			return [
				path.relative(root, file),
				entry.isFile() ? fs.readFileSync(file, "latin1") : entry.isSymbolicLink() ? fs.readlinkSync(file) : "",
			];
		}),
	);
}

beforeAll(() => {
	clone = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-clone-")));
	for (const part of ["bin", "deploy", "dist", "package.json"])
		fs.cpSync(path.join(root, part), path.join(clone, part), { recursive: true, filter: (from) => !from.endsWith("dist/types") });
});
afterAll(() => fs.rmSync(clone, { recursive: true, force: true }));
beforeEach(() => {
	directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-setup-")));
	home = path.join(directory, "home");
	workspace = path.join(directory, "my workspace");
	hub = path.join(directory, "hub.git");
	fs.mkdirSync(home);
	git(directory, "init", "-q", "--bare", "-b", "main", hub);
	git(directory, "clone", "-q", hub, workspace);
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

describe("wrong usage ends with 2 and one line", () => {
	test.each([
		[["--frobnicate"], "unknown argument '--frobnicate'"],
		[["--workspace"], "--workspace takes a directory"],
		[["--keep"], "--keep goes with --demo"],
		[["--demo", "--yes"], "--demo goes with --keep only"],
		[["--upgrade", "--uninstall"], "cannot be used together"],
	])("setup usage: %j → 2 and one line", async (args, output) => {
		const { code, stderr } = await setup(args);
		expect(code).toBe(2);
		expect(stderr.trim().split("\n")).toHaveLength(1);
		expect(stderr).toContain(output);
	});
});

test.each([
	["the key alone", "  0123456789abcdef\n", "0123456789abcdef"],
	[
		"a .sync_env",
		"export NODE_NAME=a\n# HEARTBEAT_KEY=no\nexport HEARTBEAT_KEY=0123456789abcdef # ours\nexport PEERS=b=b\n",
		"0123456789abcdef",
	],
	["quotes", "HEARTBEAT_KEY='a secret of many words' # x\n", "a secret of many words"],
	["double quotes", '  export  HEARTBEAT_KEY="a#secret of many"\r\n', "a#secret of many"],
	["the last of two lines", "HEARTBEAT_KEY=first\nexport HEARTBEAT_KEY=second\n", "second"],
	["no end of line", "export HEARTBEAT_KEY=0123456789abcdef", "0123456789abcdef"],
	["nothing", "\n", null],
	["two words", "one two\n", null],
	["another .sync_env without a key", "export NODE_NAME=a\nexport PEERS=b=b\n", null],
])("setup: --key-from with %s → the key, or exit 2", (_name, text, key) => {
	const file = path.join(directory, "key");
	fs.writeFileSync(file, text);
	const script = `here=${root}/deploy/setup; . $here/output.sh; . $here/answers.sh; yes=1; key_from=$1; take_key >/dev/null 2>&1; printf %s "\${HEARTBEAT_KEY-}"; stop_on_problems`;
	for (const [from, input] of [
		[file, ""],
		["-", text],
	] as const) {
		const { status, stdout, stderr } = spawnSync("bash", ["--norc", "-uc", script, "bash", from], {
			env: environment(),
			input,
			encoding: "utf8",
		});
		expect({ status, stdout, stderr }).toEqual({
			status: key === null ? 2 : 0,
			stdout: key ?? "",
			stderr: key === null ? expect.stringContaining("neither a key alone nor a .sync_env") : "",
		});
	}
});

test("setup usage: called by sh, or a bash that plays sh → works as by bash", () => {
	for (const shell of [["sh"], ["bash", "--posix"]]) {
		const { status, stdout } = spawnSync(shell[0] as string, [...shell.slice(1), path.join(clone, "deploy/setup.sh"), "--help"], {
			encoding: "utf8",
		});
		expect(status).toBe(0);
		expect(stdout).toContain("Usage: bash deploy/setup.sh");
	}
});

describe("without a service manager, for one user", () => {
	test("setup: things are missing → all reported at once, nothing changed", async () => {
		git(workspace, "remote", "remove", "origin");
		const before = snapshot(workspace);
		const { code, stderr } = await setup(["--user", "--yes"], { env: { NODE_NAME: "Not A Name" } });
		expect(code).toBe(2);
		const list = stderr.slice(stderr.indexOf("this is missing:"));
		expect(list).toContain('NODE_NAME="Not A Name" is not accepted');
		expect(list).toContain("has no remote 'origin'");
		expect(snapshot(workspace)).toEqual(before);
		expect(fs.readdirSync(home)).toEqual([]);
	});

	test("setup: sync a link, logs and .sync_env committed → refused, nothing changes", async () => {
		const elsewhere = path.join(directory, "elsewhere");
		fs.mkdirSync(path.join(elsewhere, "pending"), { recursive: true, mode: 0o755 });
		fs.symlinkSync(elsewhere, path.join(workspace, "sync"));
		fs.mkdirSync(path.join(workspace, "logs"));
		fs.writeFileSync(path.join(workspace, "logs/old.log"), "1\n");
		fs.writeFileSync(path.join(workspace, ".sync_env"), "export NODE_NAME=theirs\n");
		git(workspace, "add", "--force", ".");
		git(workspace, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "-m", "1");
		const before = snapshot(directory);
		const { code, stderr } = await setup(["--user", "--yes"]);
		expect(code).toBe(2);
		const list = stderr.slice(stderr.indexOf("this is missing:"));
		for (const line of [
			`${workspace}/sync is a symbolic link`,
			`${workspace}/logs is committed in this repository (logs/old.log)`,
			`${workspace}/.sync_env is committed`,
		])
			expect(list).toContain(line);
		expect(snapshot(directory)).toEqual(before);
		expect(fs.statSync(elsewhere).mode & 0o777).toBe(0o755);
	});

	test("setup: robust-sync's own clone → refused as a workspace", async () => {
		const source = path.join(clone, "packages/service/package.json");
		fs.mkdirSync(path.dirname(source), { recursive: true });
		fs.writeFileSync(source, "{}");
		git(clone, "init", "-q");
		git(clone, "add", "packages");
		git(clone, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "-m", "1");
		try {
			const { code, stderr } = await setup(["--user", "--yes"], { cwd: path.join(clone, "deploy") });
			expect(code).toBe(2);
			expect(stderr).toContain(`${clone} is the clone of robust-sync itself`);
		} finally {
			for (const name of [".git", "packages"]) fs.rmSync(path.join(clone, name), { recursive: true });
		}
	});

	test("setup: a directory that is no working tree, a taken port → named", async () => {
		const outside = path.join(directory, "elsewhere");
		fs.mkdirSync(outside);
		expect((await setup(["--user", "--yes"], { cwd: outside })).stderr).toContain(`${outside} is not in a git working tree`);
		const server = net.createServer();
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		const { port } = server.address() as net.AddressInfo;
		const { code, stderr } = await setup(["--user", "--yes"], { env: { HEALTH_PORT: String(port) } });
		server.close();
		expect(code).toBe(2);
		expect(stderr).toContain(`tcp port ${port} is taken`);
	});

	test("setup: --dry-run → prints the plan, changes nothing", async () => {
		const before = snapshot(workspace);
		const { code, stdout } = await setup(["--user", "--yes", "--dry-run"], {
			env: { NODE_NAME: "helios", HEALTH_PORT: String(await freePort()) },
		});
		expect(code).toBe(0);
		for (const line of ["would write", "would copy the programs", "would link", "Nothing was changed"]) expect(stdout).toContain(line);
		expect(snapshot(workspace)).toEqual(before);
		expect(fs.readdirSync(home)).toEqual([]);
	});

	test("setup: a clone where the programs would go → not written into, not removed", async () => {
		const usual = path.join(home, ".local/share/robust-sync");
		fs.mkdirSync(path.dirname(usual), { recursive: true });
		fs.renameSync(clone, usual);
		try {
			const { code, stdout } = await setup(["--user", "--yes", "--dry-run"], { script: path.join(usual, "deploy/setup.sh") });
			expect(stdout).toContain(`${path.join(home, ".local/lib/robust-sync")}/`);
			expect(stdout).not.toContain(`${usual}/current`);
			expect(code).toBe(0);
		} finally {
			fs.renameSync(usual, clone);
		}
	});

	test("setup: --dry-run of a clone never built → the same, without building it", async () => {
		const fresh = path.join(directory, "unbuilt");
		for (const part of ["bin", "deploy", "package.json"]) fs.cpSync(path.join(clone, part), path.join(fresh, part), { recursive: true });
		const { code, stdout, stderr } = await setup(["--user", "--yes", "--dry-run"], {
			env: { NODE_NAME: "helios", HEALTH_PORT: String(await freePort()) },
			script: path.join(fresh, "deploy/setup.sh"),
		});
		expect(stderr).toBe("");
		expect(code).toBe(0);
		for (const line of ["would build", "values of the configuration are not checked", "would write", "would copy", "note helios in"])
			expect(stdout).toContain(line);
		expect(fs.existsSync(path.join(fresh, "dist"))).toBe(false);
		expect(fs.readdirSync(home)).toEqual([]);
	});

	test("setup: defaults, run twice, uninstalled → installed once, workspace stays", async () => {
		fs.writeFileSync(path.join(workspace, "notes.md"), "hello\n");
		// Another program of the same name.
		const foreign = path.join(home, ".local/bin/monitor");
		fs.mkdirSync(path.dirname(foreign), { recursive: true });
		fs.writeFileSync(foreign, "another program\n");
		const ports = { HEARTBEAT_PORT: String(await freePort()), HEALTH_PORT: String(await freePort()) };
		// The name is typed, everything else is answered by Enter.
		const first = await setup(["--user"], {
			env: { ...ports, CHAD_HOST: "chad.example:8765", HEARTBEAT_KEY: "none" },
			input: "helios\n\n\n\n\n\n\n",
		});
		expect(`${first.stderr}${first.stdout}`).toContain("robust-sync --once: in sync at");
		expect(first.code).toBe(0);
		expect(first.stdout).toMatch(/^robust-sync --doctor\n {2}(ok {2}nothing is wrong|! )/m);
		expect(first.stdout).toContain("There is no service manager here");
		// Before the first question.
		expect(first.stdout).toMatch(/would be published to origin .*: 1 file, 6 bytes\n.*notes\.md.*Seconds between/s);
		expect(first.stdout).toContain("no HEARTBEAT_KEY: any program that can send");
		expect(first.stdout).toContain(`${foreign} is another program and stays`);
		expect(first.stdout).toContain(`nohup ${path.join(home, ".local/bin/robust-sync")} `);

		const file = path.join(workspace, ".sync_env");
		expect(fs.statSync(file).mode & 0o777).toBe(0o600);
		const text = fs.readFileSync(file, "utf8");
		for (const line of ["export NODE_NAME=helios", "export CHAD_HOST=chad.example:8765", `export HEALTH_PORT=${ports.HEALTH_PORT}`])
			expect(text).toContain(line);
		expect(git(hub, "show", "main:notes.md")).toBe("hello");
		expect(git(hub, "ls-tree", "-r", "--name-only", "main")).toBe("notes.md");

		const program = path.join(home, ".local/bin/robust-sync");
		const elsewhere = spawnSync(program, ["--workspace", workspace, "--status"], { cwd: "/", env: environment(), encoding: "utf8" });
		expect(elsewhere.status).toBe(3);
		expect(fs.readlinkSync(program)).toBe(path.join(home, ".local/share/robust-sync/current/bin/robust-sync"));

		// The mark of a workspace is the consent if .sync_env is lost.
		const mark = () => spawnSync("git", ["config", "--local", "robust-sync.workspace"], { cwd: workspace, encoding: "utf8" }).stdout;
		expect(mark()).toBe("true\n");
		fs.renameSync(file, `${file}.lost`);
		const send = spawnSync(program, ["--send", "-"], { cwd: workspace, env: environment(), input: "x", encoding: "utf8" });
		expect(send).toMatchObject({ status: 0 });
		fs.renameSync(`${file}.lost`, file);

		const installed = snapshot(home);
		const again = await setup(["--user", "--yes"], { env: { NODE_NAME: "other" } });
		expect(again.code).toBe(0);
		expect(again.stdout).toContain("NODE_NAME=other in the environment differs from .sync_env ('helios')");
		expect(snapshot(home)).toEqual(installed);
		expect(fs.readFileSync(file, "utf8")).toBe(text);

		const files = () => Object.keys(snapshot(workspace)).filter((name) => !/^(\.git|logs)\/|heartbeat|peer_/.test(name));
		const data = files();
		// Uninstall also ends services that were started by hand.
		const heartbeat = spawn(path.join(home, ".local/bin/heartbeat"), ["--workspace", workspace], { env: environment(), stdio: "ignore" });
		const ended = new Promise((resolve) => heartbeat.on("close", resolve));
		const lock = path.join(workspace, "sync/heartbeat.lock");
		for (let i = 0; i < 400 && !fs.existsSync(lock); i++) await new Promise((resolve) => setTimeout(resolve, 50));
		const removed = await setup(["--user", "--uninstall"]);
		expect(removed.code).toBe(0);
		expect(await ended).toBe(0);
		expect(fs.existsSync(path.join(home, ".local/share/robust-sync"))).toBe(false);
		expect(Object.keys(snapshot(home)).filter((name) => !name.startsWith(".npm"))).toEqual([".local/bin/monitor"]);
		expect(fs.readFileSync(foreign, "utf8")).toBe("another program\n");
		expect(files()).toEqual(data);
		expect(mark()).toBe("");
	}, 120_000);
});

test("setup: its scripts → pass shellcheck if installed, bash's own check everywhere", () => {
	const scripts = [
		"deploy/setup.sh",
		...fs.readdirSync(path.join(root, "deploy/setup")).map((name) => `deploy/setup/${name}`),
		"deploy/container/node.sh",
		"deploy/container/hub.sh",
		...["postinst", "prerm", "postrm", "robust-sync-workspace"].map((name) => `deploy/debian/${name}`),
	];
	for (const script of scripts) expect(spawnSync("bash", ["-n", script], { cwd: root, encoding: "utf8" }).stderr).toBe("");
	const checked = spawnSync("shellcheck", scripts, { cwd: root, encoding: "utf8" });
	if (!checked.error) expect(checked.stdout).toBe("");
});
