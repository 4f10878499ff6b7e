import dgram from "node:dgram";
import fs from "node:fs";
import net, { type AddressInfo } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { FileExchanger } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { timestamp } from "@robust-sync/system/timestamps";
import { type Config, type PeerState, parseConfig, WorkspacePaths } from "@robust-sync/workspace";
import { peerStateAt } from "@robust-sync/workspace/testing/peer-state";
import { syncStateAt } from "@robust-sync/workspace/testing/sync-state";
import { checkExchange } from "./exchange.ts";
import { checkExcluded } from "./excluded.ts";
import type { Finding } from "./finding.ts";
import { checkHub } from "./hub.ts";
import { checkHubLimits } from "./hub-limits.ts";
import { checkAccessTimes, checkFileSystem, checkFilters, checkVersions, checkWatches, type Disk } from "./machine.ts";
import { channelFindings, checkPeerStates, checkState, unitFindings } from "./others.ts";
import { checkPorts } from "./ports.ts";
import { checkPlaces, checkRepository } from "./workspace.ts";

// Faults that need no process of ours. The others: packages/e2e/src/doctor.slow.test.ts.

let scratch: Scratch;
let paths: WorkspacePaths;
beforeAll(() => {
	scratch = new Scratch("faults");
	scratch.hub();
	scratch.init("node", scratch.path("hub.git"));
	scratch.write("node/a", "1\n");
	scratch.commitAll("node");
	scratch.git("node", "push", "-q", "origin", "main:main");
	paths = new WorkspacePaths(scratch.path("node"));
});
afterAll(() => scratch.remove());
beforeEach(() => {
	fs.rmSync(paths.sync, { recursive: true, force: true });
	fs.mkdirSync(paths.pending, { recursive: true, mode: 0o700 });
	for (const name of fs.readdirSync(paths.root)) if (![".git", "sync", "a"].includes(name)) fs.rmSync(path.join(paths.root, name));
});

const config = (values: Record<string, string> = {}): Config => parseConfig({ NODE_NAME: "helios", ...values });
const state = (name: string, value: unknown) =>
	fs.writeFileSync(path.join(paths.sync, name), typeof value === "string" ? value : JSON.stringify(value));
const troubles = (findings: readonly Finding[]) => findings.filter(({ status }) => status !== "ok");

/** Exactly one line, with a remedy. */
function expectOne(findings: readonly Finding[], check: string, status: Finding["status"], message: RegExp): void {
	expect(troubles(findings)).toEqual([{ check, status, message: expect.stringMatching(message), fix: expect.stringMatching(/\S/) }]);
}

const gigabyte = 1_000_000_000;
const disk = (fields: Partial<Disk> & { statfs?: Disk["statfs"] } = {}): Disk => ({
	statfs: () => ({ bsize: 1_000, blocks: 100 * gigabyte, bavail: 50 * gigabyte, files: 1_000, ffree: 900, type: 0xef53 }),
	device: () => 1,
	exists: fs.existsSync,
	link: fs.linkSync,
	makeDirectory: (prefix) => fs.mkdtempSync(prefix),
	...fields,
});
const sized = (fields: Partial<ReturnType<Disk["statfs"]>>) => disk({ statfs: () => ({ ...disk().statfs(""), ...fields }) });
const failing = (code: string) => () => {
	throw Object.assign(new Error(code), { code });
};

test.each<[fault: string, disk: Disk, status: Finding["status"], message: RegExp]>([
	["little space", sized({ bavail: 5 * gigabyte }), "warning", /^5\.0 % of the space is free/],
	["next to no space", sized({ bavail: gigabyte }), "failed", /^1\.0 % of the space is free/],
	["few inodes", sized({ ffree: 20 }), "failed", /^2\.0 % of the inodes/],
	["NFS", sized({ type: 0x6969 }), "warning", /is on NFS/],
	["sshfs", sized({ type: 0x65735546 }), "warning", /is on FUSE/],
	[
		"sync/ on another file system",
		disk({ device: (file) => (file.endsWith("sync") ? 2 : 1) }),
		"warning",
		/sync\/ is on another file system/,
	],
	["names that differ only in case", disk({ exists: () => true }), "warning", /differ only in case/],
	["no hard links", disk({ link: failing("EPERM") }), "warning", /hard links cannot be made here \(EPERM\)/],
	["mounted read-only", disk({ makeDirectory: failing("EROFS") }), "failed", /nothing can be written here \(EROFS\)/],
])("doctor: file system: %s → one line", (_, given, status, message) => {
	expectOne(checkFileSystem(paths, given), "file system", status, message);
	expect(fs.readdirSync(paths.sync)).toEqual(["pending"]);
});

test("doctor: file system: files cannot be exchanged → one line, nothing left behind", async () => {
	expect(troubles([await checkExchange(paths)])).toEqual([]);
	expectOne([await checkExchange(paths, new FileExchanger("unknown"))], "file system", "warning", /cannot be exchanged/);
	expect(fs.readdirSync(paths.sync)).toEqual(["pending"]);
});

test("doctor: access times: a workspace that is new → nothing", () => {
	fs.rmSync(paths.sync, { recursive: true });
	expect(troubles([checkAccessTimes(paths, config())])).toEqual([]);
	expect(troubles(checkState(paths))).toEqual([]);
});

test("doctor: watches: more directories than the kernel allows, or nearly → one line", () => {
	expectOne([checkWatches(paths, config(), 0.5)], "watches", "failed", /^1 directories, and the kernel allows 0\.5 watches/);
	expectOne([checkWatches(paths, config(), 1)], "watches", "warning", /^1 directories/);
	expect(troubles([checkWatches(paths, config({ SYNC_WATCH: "0" }), 0.5)])).toEqual([]);
});

const peers = "chad=127.0.0.1:9";
const peer = (fields: Partial<PeerState>) => peerStateAt(timestamp(0), fields);

test.each<[fault: string, fields: Partial<PeerState>, status: Finding["status"], message: RegExp]>([
	[
		"another key",
		{ status: "down", cause: "key", reason: "it has another HEARTBEAT_KEY" },
		"failed",
		/^chad: it has another HEARTBEAT_KEY/,
	],
	["a name that does not resolve", { status: "down", cause: "unresolved" }, "failed", /^chad: unresolved/],
	["another node's address", { cause: "misdirected", reason: "it takes this node for juno" }, "failed", /juno/],
	["only others hear it", { status: "suspect", cause: "link" }, "failed", /^chad: link/],
	["it does not hear us", { hears_us: false }, "failed", /one direction is blocked/],
	["its clock is wrong", { clock_offset_ms: -90_000 }, "warning", /differs by 90 s/],
])("doctor: peer: %s → one line", (_, fields, status, message) => {
	const given = config({ PEERS: peers });
	state("peer_chad_state.json", peer({}));
	expect(checkPeerStates(paths, given)).toEqual([]);
	state("peer_chad_state.json", peer(fields));
	expectOne(checkPeerStates(paths, given), "peers", status, message);
});

test("doctor: ports of another program → a line each, none where nothing is to listen", async () => {
	const udp = dgram.createSocket("udp4");
	await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
	const tcp = net.createServer();
	await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
	try {
		const ports = {
			HEARTBEAT_PORT: String(udp.address().port),
			HEARTBEAT_BIND: "127.0.0.1",
			HEALTH_PORT: String((tcp.address() as AddressInfo).port),
		};
		expect(await checkPorts(paths, config(ports))).toEqual([]);
		expectOne(await checkPorts(paths, config({ ...ports, PEERS: peers })), "ports", "failed", /^UDP port \d+ is another program's/);
		state("health_state.json", "{}");
		expectOne(await checkPorts(paths, config(ports)), "ports", "failed", /^TCP port \d+ is another program's/);
	} finally {
		udp.close();
		tcp.close();
	}
});

const unit = (fields: Record<string, string> = {}) =>
	Object.entries({
		Id: "helios-sync.service",
		LoadState: "loaded",
		UnitFileState: "enabled",
		NeedDaemonReload: "no",
		ActiveState: "active",
		MemoryMax: "infinity",
		...fields,
	})
		.map(([name, value]) => `${name}=${value}`)
		.join("\n");

test.each<[fault: string, fields: Record<string, string>, status: Finding["status"], message: RegExp]>([
	["changed on disk", { NeedDaemonReload: "yes" }, "warning", /changed on disk/],
	["not enabled", { UnitFileState: "disabled" }, "warning", /does not start with the machine/],
	["failed", { ActiveState: "failed" }, "failed", /has failed/],
	["killed before its own limit", { MemoryMax: "400000000" }, "warning", /killed at .* MEMORY_LIMIT_MB=500/],
])("doctor: unit: %s → one line", (_, fields, status, message) => {
	expect(unitFindings(unit(), ["helios-sync.service"], config())).toEqual([]);
	expectOne(
		unitFindings(`${unit(fields)}\n\n${unit({ Id: "else.service", ...fields })}\n`, ["helios-sync.service"], config()),
		"units",
		status,
		message,
	);
});

test("doctor: channels: one refused, one not set up → a line each", () => {
	const channels = [
		{ name: "telegram", ok: false, message: "Telegram refuses: Unauthorized: check TELEGRAM_BOT_TOKEN" },
		{ name: "webhook", ok: true, message: "the host answers" },
	];
	expectOne(channelFindings({ channels, problem: null }), "channels", "failed", /^telegram: Telegram refuses/);
	expectOne(channelFindings({ channels: [], problem: "TELEGRAM_BOT_TOKEN is set, but" }), "channels", "failed", /BOT_TOKEN is set/);
	expectOne(channelFindings(null), "channels", "failed", /gave no answer/);
	expect(troubles(channelFindings({ channels: [], problem: null }))).toEqual([]);
});

test.each<[fault: string, file: string, message: RegExp, fix: RegExp]>([
	["a torn list of messages", "outbox.json", /^sync\/outbox\.json is not valid: not JSON/, /--once moves it aside/],
	["torn notes of held paths", "held.json", /held\.json is not valid/, /--once moves it aside/],
	["a torn heartbeat state", "heartbeat_state.json", /heartbeat_state\.json/, /restart heartbeat/],
	["a torn list of silenced alerts", "silences.json", /silences\.json/, /monitor --silence/],
	["a torn note of what was forgotten", "forget.json", /forget\.json/, /rm sync\/forget\.json/],
	["a torn state of a peer", "peer_chad_state.json", /peer_chad_state\.json/, /restart heartbeat/],
])("doctor: %s → one line", (_, file, message, fix) => {
	expect(troubles(checkPlaces(paths))).toEqual([]);
	state(file, "{");
	expectOne(checkPlaces(paths), "state", "failed", message);
	expect(troubles(checkPlaces(paths))[0]?.fix).toMatch(fix);
});

test("doctor: silenced alerts → a line each, none for a silence that is over", () => {
	const [now, later] = [Date.now(), timestamp(Date.now() + 60_000)];
	const silences = [
		{ id: "heartbeat:*", until: later },
		{ id: "disk", until: timestamp(now - 1_000) },
	];
	state("silences.json", { schema: 1, silences });
	expectOne(checkPlaces(paths), "silences", "warning", new RegExp(`^no alert about heartbeat:\\* until ${later}`));
	expect(troubles(checkPlaces(paths))[0]?.fix).toBe("monitor --unsilence 'heartbeat:*'");
});

test("doctor: a torn pause.json → it pauses, and how to end that", () => {
	state("pause.json", "{");
	expect(troubles(checkPlaces(paths))).toMatchObject([
		{ check: "pause", status: "warning", fix: "robust-sync --resume" },
		{ check: "state", status: "failed", fix: "robust-sync --resume" },
	]);
});

test.each<[fault: string, attributes: string, git: readonly (readonly string[])[], status: Finding["status"], message: RegExp]>([
	["LFS that is not set up", "*.bin filter=lfs -text\n", [], "warning", /'lfs', which is not configured/],
	[
		"LFS without its program",
		"*.bin filter=lfs\n",
		[["config", "filter.lfs.clean", "git-lfs-missing clean"]],
		"failed",
		/needs 'git-lfs-missing'/,
	],
	["an encoding that nobody knows", "*.txt text working-tree-encoding=UTF-99\n", [], "failed", /the encoding 'UTF-99', which is not known/],
])("doctor: attributes: %s → one line", async (_, attributes, commands, status, message) => {
	scratch.write("node/.gitattributes", attributes);
	for (const args of commands) scratch.git("node", ...args);
	expectOne(await checkFilters(await scratch.open("node")), "filters", status, message);
	scratch.write("node/.gitattributes", "*.txt text working-tree-encoding=UTF-16\n");
	expect(troubles(await checkFilters(await scratch.open("node")))).toEqual([]);
});

test("doctor: repository: a lock of a git that is gone, a torn index → one line each", async () => {
	expect(troubles(await checkRepository(await scratch.open("node"), config()))).toEqual([]);
	scratch.write("node/.git/index.lock", "");
	expectOne(await checkRepository(await scratch.open("node"), config()), "repository", "warning", /index\.lock was left by a killed git/);
	fs.rmSync(path.join(paths.root, ".git/index.lock"));
	const index = fs.readFileSync(path.join(paths.root, ".git/index"));
	fs.writeFileSync(path.join(paths.root, ".git/index"), index.subarray(0, 20));
	const torn = await checkRepository(await scratch.open("node"), config());
	fs.writeFileSync(path.join(paths.root, ".git/index"), index);
	expectOne(torn, "repository", "failed", /index is torn/);
});

test("doctor: hub: branch gone or never there, an unknown mirror → one line each", async () => {
	const look = async (values: Record<string, string> = {}) => await checkHub(await scratch.open("node"), config(values), paths);
	expect(troubles(await look())).toEqual([]);
	expectOne(await look({ SYNC_MIRRORS: "backup" }), "hub", "failed", /the mirror 'backup'/);
	scratch.git("hub.git", "branch", "-m", "main", "trunk");
	expectOne(await look(), "hub", "failed", /its branch 'main' is gone; it has trunk/);
	expectOne(await look({ SYNC_BRANCH: "side" }), "hub", "warning", /no branch 'side' yet, but trunk/);
	scratch.git("hub.git", "branch", "-m", "trunk", "main");
	expect(scratch.git("hub.git", "for-each-ref", "--format=%(refname)").trim()).toBe("refs/heads/main");
});

const syncState = syncStateAt(timestamp(0));

const remote = (url: string) => scratch.git("node", "config", "remote.origin.url", url);

test.each<[fault: string, url: string | null, values: Record<string, string>, check: string, message: RegExp]>([
	[
		"pushes more often than GitHub bears",
		"git@github.com:a/b.git",
		{ SYNC_PUSH_INTERVAL: "5" },
		"push interval",
		/at most six pushes a minute by 1 node/,
	],
	[
		"an interval for one node, and there are three",
		"https://gitlab.com/a/b.git",
		{ SYNC_PUSH_INTERVAL: "10", PEERS: `${peers},juno=127.0.0.1:10` },
		"push interval",
		/by 3 nodes, which is every 30 s/,
	],
	[
		"files that GitHub refuses",
		"ssh://git@github.com/a/b.git",
		{ MAX_FILE_MB: "500" },
		"hub limits",
		/MAX_FILE_MB=500, and github\.com takes files of at most 100\.0 MB/,
	],
	[
		"pushes that the hub refuses",
		null,
		{},
		"hub limits",
		/MAX_FILE_MB=95, and the hub takes pushes of at most 10\.5 MB \(receive\.maxInputSize\)/,
	],
])("doctor: hub: %s → one line", async (_, url, values, check, message) => {
	const hub = scratch.path("hub.git");
	const look = async (given: Record<string, string>) => await checkHubLimits(await scratch.open("node"), config(given));
	try {
		expect(troubles(await look({}))).toEqual([]);
		if (url === null) scratch.git("hub.git", "config", "receive.maxInputSize", "10m");
		else {
			remote(url);
			expect(troubles(await look({ PEERS: values.PEERS ?? "" }))).toEqual([]);
		}
		expectOne(await look(values), check, "warning", message);
	} finally {
		remote(hub);
		if (url === null) scratch.git("hub.git", "config", "--unset", "receive.maxInputSize");
	}
});

test("doctor: hub limits: a hub that is nowhere, or a file → nothing about limits", async () => {
	const hub = scratch.path("hub.git");
	try {
		for (const url of ["nowhere.git", "hub.git/HEAD", "hub.git/HEAD/below"]) {
			remote(scratch.path(url));
			expect(troubles(await checkHubLimits(await scratch.open("node"), config()))).toEqual([]);
		}
	} finally {
		remote(hub);
	}
});

test("doctor: hub: it limits this node → one line, and it is not asked", async () => {
	const now = Date.now();
	const error = { code: "RATE_LIMITED", message: "too many", at: timestamp(now + 1_000) };
	state("sync_state.json", { ...syncState, last_error: error, consecutive_failures: 1, next_attempt: timestamp(now + 90_000) });
	// The program does not exist: a call would fail.
	fs.renameSync(scratch.path("hub.git"), scratch.path("away.git"));
	try {
		expectOne(await checkHub(await scratch.open("node"), config(), paths), "hub", "warning", /not asked for another \d\d s/);
	} finally {
		fs.renameSync(scratch.path("away.git"), scratch.path("hub.git"));
	}
});

test("doctor: state: files left out, secrets on the hub → a line each", () => {
	state("sync_state.json", syncState);
	expect(troubles(checkState(paths))).toEqual([]);
	for (const reason of ["too-large", "ignored-here", "in-the-way", "filter-failed", "special-file", "nested-repository", "secret"]) {
		state("sync_state.json", { ...syncState, skipped: [{ path: "x", reason }] });
		expectOne(checkState(paths), "files", "warning", new RegExp(`^x is not synced: ${reason}`));
	}
	state("sync_state.json", { ...syncState, secrets: [{ path: "x", rule: "github-token", line: 3 }] });
	expectOne(checkState(paths), "secrets", "failed", /^x, line 3, holds a secret/);
});

test("doctor: SYNC_EXCLUDE is set and not in effect → a line", async () => {
	expect(await checkExcluded(await scratch.open("node"), config())).toEqual([]);
	expectOne(
		await checkExcluded(await scratch.open("node"), config({ SYNC_EXCLUDE: "media/" })),
		"excluded",
		"warning",
		/in effect is none/,
	);
});

test("doctor: a healthy machine → only ok", () => {
	expect(
		troubles([
			checkVersions("0.2.0", "git version 2.39.5"),
			...checkFileSystem(paths, disk()),
			checkAccessTimes(paths, config({ SYNC_ATIME: "off" })),
		]),
	).toEqual([]);
});
