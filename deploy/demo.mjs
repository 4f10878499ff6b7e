// Above 400 lines: one demonstration, in the order in which it is shown, and without another file to copy.
// Demonstrates two nodes and a hub in a temporary directory: `node deploy/demo.mjs [--keep]`; setup.sh --demo builds and calls it.
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import dgram from "node:dgram";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const bin = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), "bin");
const keep = process.argv.slice(2).includes("--keep");
/** Limit of every wait, in milliseconds: a step that takes longer has failed. A loaded machine needs seconds, never this. */
const deadlineMs = 30_000;
const services = ["robust-sync", "heartbeat", "health-server", "monitor"].filter(
	(name) => spawnSync(process.execPath, [path.join(bin, name), "--version"], { encoding: "utf8" }).stdout !== "",
);
const beats = services.includes("heartbeat");
/** The name of a service's state file, which has the pid of the working process (its supervisor is another). */
const stateFiles = {
	"robust-sync": "sync_state.json",
	heartbeat: "heartbeat_state.json",
	"health-server": "health_state.json",
	monitor: "monitor_status.json",
};

const colourful = process.stdout.isTTY && !process.env.NO_COLOR;
const colour = (code, text) => (colourful ? `\u001b[${code}m${text}\u001b[0m` : text);
const begun = performance.now();
const say = (text) => process.stdout.write(`${text}\n`);
const section = (text) => say(`\n${colour(1, text)}`);
const took = (since) => `${Math.max(1, Math.round(performance.now() - since))} ms`;
const fact = (text) => say(`  ${colour(32, "ok")} ${((performance.now() - begun) / 1000).toFixed(1).padStart(5)} s  ${text}`);

/** A step of the demo failed. */
class DemoError extends Error {}

/** Waits until `look` gives something other than undefined, false or null, and returns it. */
async function until(what, look) {
	const end = performance.now() + deadlineMs;
	for (;;) {
		stillWanted();
		const seen = await look();
		if (seen !== undefined && seen !== false && seen !== null) return seen;
		if (performance.now() > end) throw new DemoError(`timed out after ${deadlineMs / 1000} s: ${what}`);
		await sleep(2);
	}
}

const read = (file) => {
	try {
		return fs.readFileSync(file, "utf8");
	} catch {
		return undefined;
	}
};
const readJson = (file) => {
	try {
		return JSON.parse(fs.readFileSync(file, "utf8"));
	} catch {
		return undefined;
	}
};
const alive = (pid) => {
	// A zombie is dead: its parent has not collected it yet.
	const stat = read(`/proc/${pid}/stat`);
	if (stat !== undefined) return !/\) [ZX] /.test(stat);
	if (fs.existsSync("/proc/self/stat")) return false;
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
};

// Nothing of the caller's configuration, service manager or repository may reach the demo's nodes.
const environment = Object.fromEntries(
	Object.entries(process.env).filter(
		([name]) =>
			!/^(GIT_.*|NOTIFY_SOCKET|INVOCATION_ID|NODE_NAME|PEERS|.*_HOST|SYNC_.*|HEARTBEAT_.*|HEALTH_.*|PEER_TIMEOUT|MONITOR_.*|MAX_.*|ALERT_.*|MEMORY_LIMIT_MB|CALEB_.*|TELEGRAM_.*|LOG_.*|ROBUST_SYNC_.*)$/.test(
				name,
			),
	),
);

function git(cwd, ...args) {
	const result = spawnSync("git", args, { cwd, env: { ...environment, GIT_TERMINAL_PROMPT: "0" }, encoding: "utf8" });
	if (result.status !== 0) throw new DemoError(`git ${args.join(" ")} failed: ${(result.stderr ?? result.error?.message ?? "").trim()}`);
	return result.stdout.trim();
}

/** A port that is free on 127.0.0.1 now. */
function freePort(kind) {
	return new Promise((resolve, reject) => {
		if (kind === "udp") {
			const socket = dgram.createSocket("udp4");
			socket.once("error", reject).bind(0, "127.0.0.1", () => {
				const { port } = socket.address();
				socket.close(() => resolve(port));
			});
		} else {
			const server = net.createServer();
			server.once("error", reject).listen(0, "127.0.0.1", () => {
				const { port } = server.address();
				server.close(() => resolve(port));
			});
		}
	});
}

/** One node: its workspace and its services. */
class Node {
	constructor(base, name) {
		this.name = name;
		this.dir = path.join(base, name);
		this.base = base;
		this.processes = new Map();
	}
	at(...names) {
		return path.join(this.dir, ...names);
	}
	read(...names) {
		return read(this.at(...names));
	}
	/** Saves as an editor does: readers always see a whole file. */
	write(name, text) {
		fs.mkdirSync(path.dirname(this.at(name)), { recursive: true });
		const part = `${this.dir}.part`;
		fs.writeFileSync(part, text);
		fs.renameSync(part, this.at(name));
	}
	state(service) {
		return readJson(this.at("sync", stateFiles[service]));
	}
	peer(name) {
		return readJson(this.at("sync", `peer_${name}_state.json`));
	}
	start(service) {
		const output = fs.openSync(path.join(this.base, `${this.name}-${service}.out`), "a");
		const args = [path.join(bin, service), "--workspace", this.dir, ...(service === "monitor" ? ["--daemon"] : [])];
		const child = spawn(process.execPath, args, { cwd: this.base, env: environment, stdio: ["ignore", output, output], detached: true });
		fs.closeSync(output);
		child.unref();
		this.processes.set(service, child);
	}
	call(service, args, input) {
		return spawnSync(process.execPath, [path.join(bin, service), "--workspace", this.dir, ...args], {
			cwd: this.base,
			env: environment,
			encoding: "utf8",
			input,
		});
	}
	/** The commit checked out; undefined before the first. */
	head() {
		const { status, stdout } = spawnSync("git", ["rev-parse", "-q", "--verify", "HEAD"], {
			cwd: this.dir,
			env: environment,
			encoding: "utf8",
		});
		return status === 0 ? stdout.trim() : undefined;
	}
	/** Whether nothing is uncommitted. --no-optional-locks: must not block a cycle. */
	isClean() {
		return git(this.dir, "--no-optional-locks", "status", "--porcelain") === "";
	}
	tree() {
		return git(this.dir, "rev-parse", "HEAD^{tree}");
	}
	/** The saved versions of every resolution on this node, newest last. */
	saved() {
		const conflicts = this.at("sync", "conflicts");
		if (!fs.existsSync(conflicts)) return [];
		return fs
			.readdirSync(conflicts)
			.sort()
			.flatMap((stamp) => {
				const manifest = readJson(path.join(conflicts, stamp, "manifest.json"));
				return manifest ? [{ directory: path.join(conflicts, stamp), manifest }] : [];
			});
	}
}

let nodes = [];
let base = "";
let interrupted = null;
function stillWanted() {
	if (interrupted) throw new DemoError(`interrupted by ${interrupted}`);
}

/** Processes of this demo that still run: by their command line, which names its directory. */
function leftovers() {
	if (!fs.existsSync("/proc/self/cmdline"))
		return nodes.flatMap((node) => [...node.processes.values()].map((child) => child.pid)).filter(alive);
	return fs
		.readdirSync("/proc")
		.filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid && alive(pid))
		.filter((pid) => read(`/proc/${pid}/cmdline`)?.includes(base))
		.map(Number);
}

async function stopAll() {
	for (const node of nodes) {
		for (const [service, child] of node.processes) {
			if (service === "robust-sync") continue;
			if (alive(child.pid)) child.kill("SIGTERM");
		}
		if (node.processes.has("robust-sync")) node.call("robust-sync", ["--stop"]);
	}
	const end = performance.now() + deadlineMs;
	while (leftovers().length > 0 && performance.now() < end) await sleep(20);
	const left = leftovers();
	for (const pid of left) {
		try {
			process.kill(pid, "SIGKILL");
		} catch {
			// it ended by itself just now
		}
	}
	return left;
}

async function makeNodes() {
	base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-demo-")));
	say(`${colour(1, "robust-sync demo")}: two nodes, helios and chad, and a hub between them, in ${base}`);
	say("Nothing outside that directory is touched; the nodes use 127.0.0.1 only.");
	const hub = path.join(base, "hub.git");
	git(base, "init", "-q", "--bare", "-b", "main", hub);
	const key = randomBytes(24).toString("hex");
	nodes = [new Node(base, "helios"), new Node(base, "chad")];
	const ports = new Map();
	for (const node of nodes) ports.set(node, { heartbeat: await freePort("udp"), health: await freePort("tcp") });
	for (const node of nodes) {
		git(base, "clone", "-q", hub, node.dir);
		const peer = nodes.find((other) => other !== node);
		node.healthPort = ports.get(node).health;
		fs.writeFileSync(
			node.at(".sync_env"),
			`${[
				`NODE_NAME=${node.name}`,
				`PEERS=${peer.name}=127.0.0.1:${ports.get(peer).heartbeat}`,
				`HEARTBEAT_PORT=${ports.get(node).heartbeat}`,
				"HEARTBEAT_BIND=127.0.0.1",
				"HEARTBEAT_INTERVAL=1",
				"PEER_TIMEOUT=20",
				`HEARTBEAT_KEY=${key}`,
				`HEALTH_PORT=${node.healthPort}`,
				`SYNC_INTERVAL=${beats ? 60 : 1}`,
				"MONITOR_INTERVAL=1",
			]
				.map((line) => `export ${line}`)
				.join("\n")}\n`,
			{ mode: 0o600 },
		);
	}
	return { hub, helios: nodes[0], chad: nodes[1] };
}

async function startServices({ hub, helios, chad }) {
	section("1. Both nodes start: sync, heartbeat, health server and monitor");
	helios.write("README.md", "# The workspace of helios and chad\n");
	const since = performance.now();
	for (const node of nodes) for (const service of services) node.start(service);
	for (const node of nodes) {
		for (const service of services) await until(`${service} of ${node.name} writes its state`, () => node.state(service)?.pid);
	}
	fact(`all ${2 * services.length} run after ${took(since)}`);
	await until("the first commit on the hub", () => fs.existsSync(path.join(hub, "refs/heads/main")));
	await until("helios' first file on chad", () => chad.read("README.md"));
	fact("what helios had is on the hub and on chad");
	for (const node of beats ? nodes : []) {
		const other = nodes.find((peer) => peer !== node).name;
		await until(`${node.name} hears ${other}`, () => node.peer(other)?.status === "alive" && node.peer(other).hears_us === true);
	}
	if (beats) fact("the nodes hear each other's heartbeats, both ways, authenticated with a shared key");
	await synced("after the start");
}

/** Waits until both nodes and the hub are at the same commit with nothing uncommitted. */
async function synced(when) {
	const [helios, chad] = nodes;
	const at = { since: 0, head: "" };
	return until(`helios and chad are the same ${when}`, async () => {
		const head = helios.head();
		const same =
			head !== undefined &&
			head === chad.head() &&
			head === git(path.join(base, "hub.git"), "rev-parse", "main") &&
			nodes.every((node) => node.isClean() && node.state("robust-sync")?.status === "idle");
		if (!same || at.head !== head) {
			Object.assign(at, { since: performance.now(), head });
			await sleep(20);
			return false;
		}
		return performance.now() - at.since > 100 ? head : false;
	});
}

async function oneFile(from, to, name) {
	const before = git(from.dir, "rev-parse", "HEAD");
	const since = performance.now();
	from.write(name, `written on ${from.name}\n`);
	let announced;
	const arrival = await until(`${name} on ${to.name}`, () => {
		const word = to.peer(from.name)?.head;
		if (announced === undefined && word && word !== before) announced = took(since);
		return to.read(name) === `written on ${from.name}\n` ? took(since) : undefined;
	});
	fact(`${from.name} writes ${name}: ${announced ? `announced to ${to.name} after ${announced}, ` : ""}readable there after ${arrival}`);
	await synced(`after ${name}`);
}

async function fileCrosses({ helios, chad }) {
	section("2. A file written on one node appears on the other");
	say("  (the sync interval is 60 s: the watcher noticed the change, and the peer was notified at once)");
	for (const [from, to, name] of [
		[helios, chad, "notes/first.md"],
		[helios, chad, "notes/second.md"],
		[chad, helios, "notes/answer.md"],
	])
		await oneFile(from, to, name);
}

async function bothWrite({ helios, chad }) {
	section("3. Both write at once");
	const since = performance.now();
	helios.write("from-helios.txt", "helios was here\n");
	chad.write("from-chad.txt", "chad was here\n");
	for (const node of nodes) {
		for (const name of ["from-helios.txt", "from-chad.txt"]) await until(`${name} on ${node.name}`, () => node.read(name));
	}
	fact(`both nodes have both files after ${took(since)}`);
	await synced("after both wrote");
}

const asJson = (value) => `${JSON.stringify(value, null, 2)}\n`;

async function bothEditJson({ helios, chad }) {
	section("4. Both edit the same JSON file");
	const start = { name: "shared state", tasks: { open: 3, done: 12 }, mood: "calm" };
	helios.write("state.json", asJson(start));
	await until("state.json on chad", () => chad.read("state.json"));
	await synced("with state.json");

	let since = performance.now();
	helios.write("state.json", asJson({ ...start, tasks: { open: 4, done: 12 } }));
	chad.write("state.json", asJson({ ...start, tasks: { open: 3, done: 13 } }));
	for (const node of nodes) {
		await until(`both edits in ${node.name}'s state.json`, () => {
			const { tasks } = readJson(node.at("state.json")) ?? {};
			return tasks?.open === 4 && tasks?.done === 13;
		});
	}
	fact(`different keys: helios set open = 4, chad set done = 13, both nodes have both after ${took(since)}`);
	await synced("after different keys");

	const merged = { ...start, tasks: { open: 4, done: 13 } };
	const known = nodes.map((node) => node.saved().length);
	since = performance.now();
	helios.write("state.json", asJson({ ...merged, mood: "bright" }));
	chad.write("state.json", asJson({ ...merged, mood: "busy" }));
	const mood = (node) => readJson(node.at("state.json"))?.mood;
	await until("one value for mood on both nodes", () => mood(helios) === mood(chad) && ["bright", "busy"].includes(mood(helios)));
	await synced("after the same key");
	if (mood(helios) !== mood(chad)) throw new DemoError(`mood is ${mood(helios)} on helios and ${mood(chad)} on chad`);
	fact(`the same key: helios said "bright", chad said "busy": both nodes have "${mood(helios)}" after ${took(since)}`);
	const saved = nodes
		.flatMap((node, index) => node.saved().slice(known[index]))
		.find(({ manifest }) => manifest.files.some((file) => file.path === "state.json"));
	if (!saved) throw new DemoError("no saved version of state.json in sync/conflicts of helios or chad");
	const versions = ["ours", "theirs"].map((side) => readJson(path.join(saved.directory, "files", `state.json.${side}`))?.mood);
	if (!["bright", "busy"].every((value) => versions.includes(value)))
		throw new DemoError(`the saved versions hold ${versions.join(" and ")}`);
	fact(`and both versions are kept, whole: ${saved.directory}/files/`);
	return saved;
}

/** chad's messages at a node, as `<day>/<time>-<name>`. */
function messagesOf(node) {
	const directory = node.at("messages/chad");
	return fs.readdirSync(directory).flatMap((day) => fs.readdirSync(`${directory}/${day}`).map((name) => `${day}/${name}`));
}

async function sendMessage({ helios, chad }) {
	section("5. chad sends a message");
	const since = performance.now();
	const sent = chad.call("robust-sync", ["--send", "-"], "The build is green.\n");
	if (sent.status !== 0) throw new DemoError(`--send failed: ${sent.stderr.trim()}`);
	const name = await until("the message on helios", () => {
		try {
			return messagesOf(helios)[0];
		} catch {
			return undefined;
		}
	});
	fact(`helios has messages/chad/${name} after ${took(since)}`);
	await until(
		"chad's outbox is empty",
		() => chad.state("robust-sync")?.messages_pending === 0 && fs.readdirSync(chad.at("sync/pending")).length === 0,
	);
	const delivered = messagesOf(helios);
	if (delivered.length !== 1) throw new DemoError(`the message was delivered ${delivered.length} times`);
	if (helios.read("messages/chad", name) !== "The build is green.\n") throw new DemoError("the message arrived changed");
	fact("it arrived once, unchanged, and left chad's outbox only after that");
	await synced("after the message");
}

async function killOne({ hub, helios, chad }) {
	section("6. chad's sync daemon is killed with kill -9");
	const { pid } = chad.state("robust-sync");
	const supervisor = chad.processes.get("robust-sync").pid;
	if (pid === supervisor) throw new DemoError("the daemon runs without its supervisor");
	const onHub = git(hub, "rev-parse", "main");
	const since = performance.now();
	process.kill(pid, "SIGKILL");
	await until("the killed process is gone", () => !alive(pid));
	chad.write("while-dead-on-chad.txt", "written while sync was dead\n");
	helios.write("while-dead-on-helios.txt", "helios goes on\n");
	await until("what helios writes meanwhile on the hub", () => git(hub, "rev-parse", "main") !== onHub);
	fact(`process ${pid} is dead; helios continues: its next file is on the hub after ${took(since)}`);
	const next = await until("chad's daemon is back", () => {
		const now = chad.state("robust-sync")?.pid;
		return now !== pid && alive(now) ? now : undefined;
	});
	fact(`it is back as process ${next} after ${took(since)}, restarted by its supervisor`);
	await until("what was written on chad meanwhile on helios", () => helios.read("while-dead-on-chad.txt"));
	await until("what was written on helios meanwhile on chad", () => chad.read("while-dead-on-helios.txt"));
	fact(`nothing was lost: what both wrote meanwhile is on both after ${took(since)}`);
	await synced("after the crash");
}

async function heartbeatsAndHealth() {
	section("7. How they see each other");
	for (const node of beats ? nodes : []) {
		const other = nodes.find((peer) => peer !== node).name;
		const peer = await until(`${node.name}'s word on ${other}`, () => {
			const state = node.peer(other);
			return state?.status === "alive" && state.head === git(node.dir, "rev-parse", "HEAD") && state.rtt_ms !== null && state;
		});
		if (!peer.authenticated) throw new DemoError(`${node.name} took an unauthenticated heartbeat`);
		fact(`${node.name} says: ${other} is alive, ${peer.rtt_ms.toFixed(1)} ms away, at the same commit`);
	}
	for (const node of nodes) {
		const health = await until(`/health of ${node.name} says ok`, async () => {
			try {
				const response = await fetch(`http://127.0.0.1:${node.healthPort}/health`);
				const body = await response.json();
				return response.status === 200 && body.status === "ok" && body.node === node.name && body;
			} catch {
				return undefined;
			}
		});
		fact(`curl http://127.0.0.1:${node.healthPort}/health  ${JSON.stringify(health)}`);
	}
}

/** Every synced file of a node with its bytes. */
function contents(node) {
	const names = git(node.dir, "ls-files", "-z").split("\0").filter(Boolean);
	return new Map(names.map((name) => [name, fs.readFileSync(node.at(name)).toString("base64")]));
}

async function identical({ hub, helios, chad }) {
	section("8. Both trees are the same");
	await synced("at the end");
	const [a, b] = [contents(helios), contents(chad)];
	if (a.size !== b.size || [...a].some(([name, bytes]) => b.get(name) !== bytes)) throw new DemoError("the files differ");
	for (const node of nodes) fact(`${node.name.padEnd(6)}  tree ${node.tree()}`);
	fact(`hub     tree ${git(hub, "rev-parse", "main^{tree}")}  (${a.size} files, compared byte for byte)`);
	git(hub, "fsck", "--no-progress");
}

function howToLook() {
	const [helios] = nodes;
	say("\nBoth nodes go on running (--keep). Look:");
	say(`  ${bin}/robust-sync --workspace ${helios.dir} --status`);
	say(`  ${bin}/monitor --workspace ${helios.dir} --check`);
	for (const node of nodes) say(`  http://127.0.0.1:${node.healthPort}/   (${node.name}'s page)`);
	say(`  echo hello > ${helios.at("hello.txt")}; sleep 1; cat ${nodes[1].at("hello.txt")}`);
	say("Stop everything and remove it:");
	say(`  kill ${nodes.flatMap((node) => [...node.processes.values()].map((child) => child.pid)).join(" ")}`);
	say(`  rm -r ${base}`);
}

async function demo() {
	const world = await makeNodes();
	await startServices(world);
	await fileCrosses(world);
	await bothWrite(world);
	const saved = await bothEditJson(world);
	await sendMessage(world);
	await killOne(world);
	await heartbeatsAndHealth();
	await identical(world);
	section("What lost a merge is never gone. The saved versions of this demo:");
	for (const file of saved.manifest.files) {
		say(`  ${file.path}: ${path.join(saved.directory, "files", file.path)}.ours  .theirs  .base`);
	}
	say(`  (robust-sync --status, conflict-resolver --report and --restore find them by themselves)`);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => (interrupted = signal));

let code = 0;
try {
	await demo();
} catch (error) {
	code = 1;
	say(`\n${colour(31, "FAILED")}: ${error instanceof DemoError ? error.message : error.stack}`);
	if (base && !interrupted) say(`The logs are in ${base}/*/logs/ and ${base}/*.out`);
}
if (code === 0 && keep) howToLook();
else {
	const left = await stopAll();
	if (left.length > 0) {
		code = 1;
		say(`${colour(31, "FAILED")}: these processes did not stop and were killed: ${left.join(" ")}`);
	} else if (code === 0) {
		say(`\nEverything is stopped. The directory is left to look at; remove it with: rm -r ${base}`);
	}
	if (interrupted && base) fs.rmSync(base, { recursive: true, force: true });
}
if (code === 0) say(`${colour(32, "The demo went as promised")} in ${((performance.now() - begun) / 1000).toFixed(1)} s.`);
// The services that keep running are independent of this process.
process.exit(code);
