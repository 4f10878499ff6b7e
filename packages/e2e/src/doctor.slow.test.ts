import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
beforeEach(() => {
	world = new World("doctor");
});
afterEach(() => world.remove());

interface Finding {
	check: string;
	status: "ok" | "warning" | "failed";
	message: string;
	fix: string | null;
}

async function examine(
	node: Node,
	env: Record<string, string> = {},
): Promise<{ code: number | string; findings: Finding[]; troubles: Finding[] }> {
	const { code, stdout, stderr } = await node.run(["--doctor", "--json"], { env });
	expect(stderr).toBe("");
	const { findings } = JSON.parse(stdout) as { findings: Finding[] };
	// Services that do not run are no matter of these faults.
	const troubles = findings.filter(({ status, check }) => status !== "ok" && !check.startsWith("process:"));
	for (const { status, fix } of troubles) expect({ status, fix }).toEqual({ status, fix: expect.any(String) });
	return { code, findings, troubles };
}

const asRoot = process.getuid?.() === 0;

/** Something that is wrong, how it comes about, and the line that names it. */
const faults: readonly [fault: string, plant: (node: Node) => void, check: string, status: Finding["status"], message: RegExp][] = [
	[
		"a value of .sync_env that is none",
		(node) => node.write(".sync_env", "export MAX_FILE_MB=many\n"),
		"configuration",
		"failed",
		/MAX_FILE_MB/,
	],
	[
		"a .sync_env with a key that all can read",
		(node) => {
			node.write(".sync_env", `export HEARTBEAT_KEY=${"k".repeat(32)}\n`);
			fs.chmodSync(node.path(".sync_env"), 0o644);
		},
		"workspace",
		"warning",
		/other users can read/,
	],
	[
		"a link in the place of sync/pending",
		(node) => {
			fs.rmSync(node.path("sync/pending"), { recursive: true, force: true });
			fs.symlinkSync("/tmp", node.path("sync/pending"));
		},
		"workspace",
		"failed",
		/symbolic link/,
	],
	[
		"a file in the place of logs/",
		(node) => {
			fs.rmSync(node.path("logs"), { recursive: true, force: true });
			node.write("logs", "x");
		},
		"workspace",
		"failed",
		/is no directory/,
	],
	[
		"sync is paused",
		(node) => node.write("sync/pause.json", '{"schema":1,"since":"2026-02-18T02:00:00.000Z","until":null}'),
		"pause",
		"warning",
		/paused since 2026/,
	],
	[
		"a merge that is open",
		(node) => {
			node.git("branch", "other");
			node.write("a", "ours\n");
			node.git("commit", "-qam", "ours");
			node.git("checkout", "-q", "other");
			node.write("a", "theirs\n");
			node.git("commit", "-qam", "theirs");
			node.git("checkout", "-q", "main");
			try {
				node.git("merge", "other");
			} catch {
				// It conflicts, as it should.
			}
		},
		"repository",
		"failed",
		/a merge is open/,
	],
	["a bisect that is open", (node) => node.git("bisect", "start"), "repository", "failed", /a bisect is open/],
	["a detached HEAD", (node) => node.git("checkout", "-q", "--detach"), "repository", "failed", /detached/],
	[
		"another branch than SYNC_BRANCH",
		(node) => {
			node.git("checkout", "-q", "-b", "other");
			node.write(".sync_env", "export SYNC_BRANCH=main\n");
		},
		"repository",
		"failed",
		/'other' is checked out/,
	],
	["own files that are tracked", (node) => node.git("add", "-f", "sync/sync_state.json"), "repository", "warning", /own files are tracked/],
	[
		"a shallow clone",
		(node) => {
			node.write(".git/shallow", `${node.git("rev-parse", "HEAD").trim()}\n`);
		},
		"repository",
		"warning",
		/shallow/,
	],
	["no remote", (node) => node.git("remote", "remove", "origin"), "hub", "failed", /no remote 'origin'/],
	["a remote that is not there", () => fs.renameSync(world.path("hub.git"), world.path("away.git")), "hub", "failed", /cannot be read/],
	[
		"a remote that takes no pushes",
		() => {
			world.write("hub.git/hooks/pre-receive", "#!/bin/sh\necho nothing is taken here >&2\nexit 1\n");
			fs.chmodSync(world.path("hub.git/hooks/pre-receive"), 0o755);
		},
		"hub",
		"failed",
		/cannot be written: PUSH_REJECTED.*the remote says: nothing is taken here/,
	],
	[
		"a host that does not resolve",
		(node) => node.git("remote", "set-url", "origin", "ssh://git@host.invalid/x.git"),
		"hub",
		"failed",
		/cannot be read: REMOTE_UNREACHABLE/,
	],
	[
		"a filter whose program is missing",
		(node) => {
			node.write(".gitattributes", "*.bin filter=packed\n");
			node.git("config", "filter.packed.clean", "no-such-program %f");
		},
		"filters",
		"failed",
		/needs 'no-such-program'/,
	],
	[
		"a filter that is not configured",
		(node) => node.write(".gitattributes", "*.bin filter=unheard-of\n"),
		"filters",
		"warning",
		/not configured here/,
	],
	[
		"a peer that is silent",
		(node) => node.write(".sync_env", `export PEERS=chad=127.0.0.1:9\nexport HEARTBEAT_KEY=${"k".repeat(32)}\n`),
		"peers",
		"failed",
		/chad does not answer/,
	],
	[
		"peers, and no key",
		(node) => node.write(".sync_env", "export PEERS=chad=127.0.0.1:9\n"),
		"peers",
		"warning",
		/HEARTBEAT_KEY is not set/,
	],
	["a state file that is none", (node) => node.write("sync/sync_state.json", "{"), "sync", "failed", /not valid/],
	[
		"a last cycle that failed",
		(node) => {
			const state = JSON.parse(node.read("sync/sync_state.json")) as Record<string, unknown>;
			state.last_error = { code: "DISK_FULL", message: "the disk is full", at: "2026-02-18T02:00:00.000Z" };
			node.write("sync/sync_state.json", JSON.stringify(state));
		},
		"sync",
		"failed",
		/DISK_FULL/,
	],
	[
		"a file that is left out",
		(node) => {
			const state = JSON.parse(node.read("sync/sync_state.json")) as Record<string, unknown>;
			state.skipped = [{ path: "large.bin", reason: "too-large" }];
			node.write("sync/sync_state.json", JSON.stringify(state));
		},
		"files",
		"warning",
		/large\.bin is not synced: too-large/,
	],
	[
		"a workspace of another user",
		(node) => {
			if (asRoot) fs.chownSync(node.path("sync"), 12_345, 12_345);
			else fs.chmodSync(node.workspace, 0o555);
		},
		"workspace",
		"failed",
		/another user|cannot be read and written/,
	],
	[
		"no git working tree",
		(node) => fs.renameSync(node.path(".git"), node.path("not-git")),
		"repository",
		"failed",
		/not a git|git init|no git/i,
	],
];

describe("doctor:", () => {
	test("a healthy node → nothing but ok, exit code 0, no ref left on the hub", async () => {
		const [helios] = await world.pair({ a: "1\n" });
		await helios.start();
		const { findings, troubles } = await examine(helios);
		expect(troubles).toEqual([]);
		expect(new Set(findings.map(({ check }) => check))).toEqual(
			new Set([
				...findings.map(({ check }) => check),
				"versions",
				"workspace",
				"configuration",
				"file system",
				"repository",
				"hub",
				"filters",
				"watches",
				"files",
				"peers",
				"sync",
			]),
		);
		expect(world.git("hub.git", "for-each-ref", "--format=%(refname)").trim()).toBe("refs/heads/main");
		expect(helios.dirty()).toBe("");
	}, 60_000);

	test.each(faults)(
		"%s → named, with the remedy",
		async (_, plant, check, status, message) => {
			const [helios] = await world.pair({ a: "1\n" });
			await helios.once();
			fs.mkdirSync(helios.path("sync/pending"), { recursive: true, mode: 0o700 });
			plant(helios);
			const { code, troubles } = await examine(helios);
			expect(troubles).toContainEqual({ check, status, message: expect.stringMatching(message), fix: expect.any(String) });
			if (status === "failed") expect(code).toBe(1);
		},
		60_000,
	);

	test("for people → a mark, a name and a text on each line, and a count at the end", async () => {
		const [helios] = await world.pair({ a: "1\n" });
		helios.git("checkout", "-q", "--detach");
		const { stdout, code } = await helios.run(["--doctor"]);
		expect(stdout).toMatch(/^failed {3}repository {13}HEAD is detached[^\n]*\n {32}→ git checkout <branch>$/m);
		expect(stdout).toMatch(/\d+ failures?, \d+ warnings?\n$/);
		expect(code).toBe(1);
	}, 60_000);
});
