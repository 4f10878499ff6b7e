import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Node } from "./fixture/node.ts";
import { projectFile } from "./fixture/sources.ts";
import { World } from "./fixture/world.ts";

let world: World;
let node: Node;
beforeAll(async () => {
	world = new World("cli");
	node = world.node("helios");
	node.write("a", "1");
	await node.once();
});
afterAll(() => world.remove());

/** One line on stderr that holds all of these, nothing on stdout, and the exit code. */
async function refused(args: string[], code: number, ...says: (string | RegExp)[]): Promise<void> {
	const ended = await node.run(args);
	expect(ended).toMatchObject({ code, stdout: "" });
	expect(ended.stderr.trim().split("\n")).toHaveLength(1);
	for (const text of says) expect(ended.stderr).toMatch(text);
}

describe("wrong usage is exit code 2 and one line", () => {
	test("command line: an unknown flag → 2", () => refused(["--frobnicate"], 2, /--frobnicate/));
	test("command line: an unknown flag beside a verb → 2", () => refused(["--once", "--force"], 2, /--force/));
	test("command line: two verbs → 2", () => refused(["--once", "--stop"], 2, /--once and --stop/));
	test("command line: three verbs → 2", () => refused(["--once", "--status", "--send", "x"], 2, /cannot be used together/));
	test("command line: an argument that is none → 2", () => refused(["frobnicate"], 2, /unexpected argument .frobnicate./));
	test("command line: a flag without its dashes → 2", () => refused(["status"], 2, /did you mean robust-sync --status\?/));
	test("command line: a verb without its value → 2", () => refused(["--send"], 2, /--send/));
	test("command line: --interval without its value → 2", () => refused(["--interval", "--once"], 2, /--interval/));
	test("command line: --interval that is no number → 2", () => refused(["--once", "--interval", "soon"], 2, /--interval.*soon/));
	test("command line: --interval of nothing → 2", () => refused(["--once", "--interval", "0"], 2, /--interval.*from/));
	test("command line: --dry-run without --once → 2", () => refused(["--dry-run"], 2, /--dry-run goes with --once/));
	test("command line: --workspace that is not there → 2", () => refused(["--once", "--workspace", "/nowhere/at/all"], 2, /nowhere/));
	test("command line: --workspace that is a file → 2", () => refused(["--status", "--workspace", node.path("a")], 2, /not a directory/));
	test("command line: no workspace at all → 2", async () => {
		const ended = await node.run(["--status"], { env: { SYNC_WORKSPACE: undefined }, cwd: world.directory });
		expect(ended).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(/--workspace.*SYNC_WORKSPACE/) });
	});
});

describe("bad values in .sync_env are exit code 2 and one line", () => {
	const bad: Record<string, string> = {
		NODE_NAME: "Not Legal",
		PEERS: "chad",
		CHAD_HOST: "a/b",
		HELIOS_HOST: "host:99999",
		SYNC_REMOTE: "-x",
		SYNC_BRANCH: "a..b",
		SYNC_INTERVAL: "often",
		SYNC_WATCH: "maybe",
		SYNC_NESTED: "some",
		SYNC_HOOKS: "yes",
		SYNC_EXCLUDE: "!x",
		SYNC_ATIME: "on",
		SYNC_SECRETS: "yes",
		SYNC_MIRRORS: "-o",
		SYNC_PUSH_INTERVAL: "never",
		MAX_FILE_MB: "huge",
		GUARD: "yes",
		GUARD_FILES: "many",
		GUARD_PERCENT: "101",
		GIT_TIMEOUT: "never",
		HEARTBEAT_PORT: "80.5",
		HEARTBEAT_BIND: "eth0",
		HEARTBEAT_INTERVAL: "0",
		HEARTBEAT_KEY: "tooshort",
		PEER_TIMEOUT: "x",
		HEALTH_PORT: "65536",
		HEALTH_HOST: "0.0.0.0",
		MONITOR_INTERVAL: "-1",
		MAX_SYNC_FAILURES: "1.5",
		ALERT_COOLDOWN: "soon",
		CALEB_TELEGRAM_ID: "caleb",
		TELEGRAM_BOT_TOKEN: "a b",
		TELEGRAM_API_URL: "ftp://example.org",
		ALERT_WEBHOOK_URL: "file:///etc/passwd",
		ALERT_APPRISE_URLS: "nowhere",
		MEMORY_LIMIT_MB: "all",
		LOG_LEVEL: "chatty",
		LOG_FORMAT: "html",
	};
	const secrets = new Set(["HEARTBEAT_KEY", "TELEGRAM_BOT_TOKEN", "ALERT_WEBHOOK_URL", "ALERT_APPRISE_URLS"]);
	afterAll(() => fs.rmSync(node.paths.envFile, { force: true }));

	test("configuration: every variable of the contract → tried here", () => {
		const rows = projectFile("docs/contract.md").matchAll(/^\| ([A-Z][A-Z_]+(?:, [A-Z][A-Z_]+)*) \|/gm);
		const variables = [...rows].flatMap(([, names = ""]) => names.split(", "));
		expect(variables.length).toBeGreaterThan(25);
		expect(variables.filter((name) => !(name in bad))).toEqual([]);
	});

	test.each(Object.entries(bad))("configuration: %s=%s → 2", async (variable, value) => {
		fs.writeFileSync(node.paths.envFile, `export ${variable}="${value}"\n`);
		const ended = await node.run(["--once"], {
			env: { [variable]: undefined, NODE_NAME: variable === "NODE_NAME" ? undefined : "helios" },
		});
		expect(ended).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(variable) });
		expect(ended.stderr.trim().split("\n")).toHaveLength(1);
		if (secrets.has(variable)) expect(ended.stderr).not.toContain(value);
		else expect(ended.stderr).toContain(value);
	});
});

test.each([
	["robust-sync", ["--once"]],
	["heartbeat", ["--once"]],
	["monitor", ["--check"]],
	["monitor", ["--test-alert"]],
	["conflict-resolver", ["--report"]],
])(".sync_env: secrets others can read, %s %p → one warning with the chmod", async (executable, args) => {
	fs.writeFileSync(node.paths.envFile, "export HEARTBEAT_KEY=0123456789abcdef\n", { mode: 0o644 });
	try {
		const { stderr } = await node.run(args, { executable });
		const log = path.join(node.workspace, "logs/sync.log");
		const said = executable === "robust-sync" ? fs.readFileSync(log, "utf8").slice(-2_000) : stderr;
		expect(said.match(new RegExp(`can read its secrets \\(HEARTBEAT_KEY\\): chmod 600 ${node.paths.envFile}`, "g"))).toHaveLength(1);
		expect(`${said}${stderr}`).not.toContain("0123456789abcdef");
	} finally {
		fs.rmSync(node.paths.envFile);
	}
});

describe("--help and --version", () => {
	test("--help and --version: no workspace → every verb is named", async () => {
		const help = await node.run(["--help"], { env: { SYNC_WORKSPACE: "/nowhere" } });
		expect(help.code).toBe(0);
		for (const flag of ["--once", "--stop", "--status", "--send", "--dry-run", "--interval", "--json", "--workspace", "--verbose"])
			expect(help.stdout).toContain(flag);
		expect(await node.run(["--version"])).toMatchObject({
			code: 0,
			stdout: expect.stringMatching(/^robust-sync \d+\.\d+\.\d+( \([0-9a-f]{12}\))?\n$/),
		});
	});
});

describe("--status", () => {
	let quiet: Node;
	beforeAll(() => {
		quiet = world.node("quiet");
	});

	test("--status: nothing ever ran → exit 3, reported", async () => {
		expect(await quiet.run(["--status"])).toMatchObject({ code: 3, stdout: expect.stringMatching(/not running/) });
		const json = await quiet.run(["--status", "--json"]);
		expect(json.code).toBe(3);
		expect(JSON.parse(json.stdout)).toMatchObject({ running: false, status: "stopped" });
	});

	test("--status: any state → changes nothing", async () => {
		await quiet.run(["--status"]);
		expect(fs.readdirSync(quiet.workspace)).toEqual([".git"]);
	});

	test.each([
		["truncated", '{"schema":1,"node":"he'],
		["empty", ""],
		["hostile", JSON.stringify({ schema: 1, node: "\u001b[2J", pid: -1, pid_started_at: "never", status: "fine" })],
		["very deep", "[".repeat(50_000)],
	])("--status: a state file that is %s → 3, no crash, nothing moved", async (_what, content) => {
		fs.mkdirSync(quiet.paths.sync, { recursive: true });
		fs.writeFileSync(quiet.paths.syncState, content);
		const ended = await quiet.run(["--status"]);
		expect(ended).toMatchObject({ code: 3, stderr: "" });
		expect(ended.stdout).not.toContain("\u001b");
		expect(fs.readFileSync(quiet.paths.syncState, "utf8")).toBe(content);
	});

	test("--status: after one cycle, nothing running → 3, and when it last succeeded", async () => {
		const ended = await node.run(["--status", "--json"]);
		expect(ended.code).toBe(3);
		expect(JSON.parse(ended.stdout)).toMatchObject({
			running: false,
			node: "helios",
			last_sync: expect.stringMatching(/Z$/),
			last_error: null,
		});
	});
});

describe("--once", () => {
	test("--once: a truncated state file → moved aside, the cycle continues", async () => {
		fs.writeFileSync(node.paths.syncState, '{"schema":1,');
		expect(await node.once()).toMatchObject({ status: "idle", last_error: null });
		expect(fs.readdirSync(node.paths.sync).some((name) => name.startsWith("sync_state.json.corrupt-"))).toBe(true);
	});

	test("--once: done → its result in words on stdout, nothing else", async () => {
		node.write("b", "1");
		const ended = await node.run(["--once"]);
		expect(ended.code).toBe(0);
		expect(ended.stdout).toMatch(/^in sync at [0-9a-f]{12}: 1 file committed, 0 commits pulled, 1 pushed/);
	});

	test("--once: a failure → exit 1, its code and the remedy in one line", async () => {
		const alone = world.node("alone", { git: false });
		const ended = await alone.run(["--once"]);
		expect(ended).toMatchObject({
			code: 1,
			stdout: "",
			stderr: expect.stringMatching(/NOT_A_REPOSITORY.*'git init'.*'git remote add origin <url>'/),
		});
	});

	test("--once: a closed pipe as reader → no failure", async () => {
		const { spawnSync } = await import("node:child_process");
		const bin = new URL("../../../bin/robust-sync", import.meta.url).pathname;
		const ended = spawnSync("sh", ["-c", `${bin} --once --workspace '${node.workspace}' | true; exit 0`], { env: world.environment() });
		expect(ended.status).toBe(0);
	});
});

describe("--dry-run", () => {
	test("--dry-run: changes are there → listed; no file, ref, index or log changes", async () => {
		const dry = world.node("dry", { hub: "dry.git" });
		dry.write("notes.md", "1\n");
		expect(JSON.parse((await dry.run(["--once", "--dry-run", "--json"])).stdout)).toMatchObject({ would_commit: ["notes.md"], head: null });
		expect(fs.readdirSync(dry.workspace).sort()).toEqual([".git", "notes.md"]);
		await dry.once();
		dry.write("notes.md", "2\n");
		dry.write("agent/inside", "1\n");
		world.init("dry/agent");
		world.init("dry/clone", "https://example.org/x.git");
		dry.write("clone/inside", "1\n");
		fs.utimesSync(dry.path("notes.md"), 1, 1);
		fs.mkdirSync(dry.paths.pending, { recursive: true });
		fs.writeFileSync(`${dry.paths.pending}/m.txt`, "message");
		const everything = () =>
			execFileSync("find", [dry.workspace, world.path("dry.git"), "-printf", "%p %s %T@ %i %m\n"], { encoding: "utf8" })
				.split("\n")
				.sort();
		const before = everything();
		const ended = await dry.run(["--once", "--dry-run", "--json"]);
		expect(ended.code).toBe(0);
		expect(JSON.parse(ended.stdout)).toMatchObject({
			would_commit: ["notes.md", "agent/inside"],
			would_deliver: 1,
			would_push: true,
			would_fetch: false,
			skipped: [{ path: "clone", reason: "nested-repository" }],
			blocked_by: null,
		});
		expect((await dry.run(["--once", "--dry-run"])).stdout).toMatch(/would commit +notes\.md/);
		expect(everything()).toEqual(before);
	});

	test("--dry-run: nothing to do, or something to fetch → reported", async () => {
		await node.once();
		expect((await node.run(["--once", "--dry-run"])).stdout).toBe("nothing to do\n");
		const other = world.node("other");
		other.write("from-other", "1");
		await other.once();
		expect(JSON.parse((await node.run(["--once", "--dry-run", "--json"])).stdout)).toMatchObject({
			would_fetch: true,
			would_push: false,
			remote_head: other.head(),
		});
	});
});

describe("--send", () => {
	test("--send: a file, standard input, names like flags or half written → sent", async () => {
		fs.writeFileSync(world.path("hello.txt"), "from a file");
		fs.writeFileSync(world.path("--help"), "a strange name");
		fs.writeFileSync(world.path(".draft.tmp"), "hidden");
		expect(await node.run(["--send", world.path("hello.txt")])).toMatchObject({ code: 0, stdout: expect.stringContaining("hello.txt") });
		expect(await node.run(["--send", "-"], { input: "from stdin" })).toMatchObject({ code: 0 });
		expect(await node.run(["--send=--help"], { cwd: world.directory })).toMatchObject({ code: 0 });
		const json = await node.run(["--send", world.path(".draft.tmp"), "--json"]);
		expect(JSON.parse(json.stdout)).toMatchObject({ pending: expect.not.stringMatching(/^\.|\.tmp$/) });
		expect(node.pending()).toBe(4);
		expect(await node.once()).toMatchObject({ messages_pending: 0 });
		expect(node.messages().sort()).toEqual(["a strange name", "from a file", "from stdin", "hidden"]);
	});

	test("--send: twice the same name → both wait", async () => {
		for (const text of ["one", "two"]) {
			fs.writeFileSync(world.path("same.txt"), text);
			await node.run(["--send", world.path("same.txt")]);
		}
		expect(node.pending()).toBe(2);
		await node.once();
		expect(node.messages().filter((text) => text === "one" || text === "two")).toEqual(["one", "two"]);
	});

	test("--send: a missing file → exit 1, with the remedy", () => refused(["--send", "/nowhere/x"], 1, /cannot be read.*ENOENT/));
	test("--send: a directory → 1", () => refused(["--send", world.directory], 1, /cannot be read/));
	test("--send: an empty name → 2", () => refused(["--send", ""], 2, /--send/));
});

test("--stop: nothing runs → exit 0, reported", async () => {
	expect(await node.run(["--stop"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/not running/) });
	const json = await node.run(["--stop", "--json"]);
	expect(JSON.parse(json.stdout)).toEqual({ stopped: false, pid: null, unit: null });
});
