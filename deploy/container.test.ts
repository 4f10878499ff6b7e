import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

const clone = path.resolve(import.meta.dirname, "..");
const container = path.join(clone, "deploy/container");

/** The instructions of the Dockerfile, continued lines joined, comments away: [name, arguments]. */
const instructions = fs
	.readFileSync(path.join(container, "Dockerfile"), "utf8")
	.replaceAll(/^#.*\n/gm, "")
	.replaceAll(/\\\n\s*/g, " ")
	.split("\n")
	.filter(Boolean)
	.map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)] as const);
const all = (name: string) => instructions.filter(([instruction]) => instruction === name).map(([, text]) => text);

// Docker cannot run where tests run: these are the rules of hadolint (with its numbers), and the errors of a build.
describe("the Dockerfile", () => {
	test("Dockerfile: its images → each with a version (DL3006, DL3007)", () => {
		for (const text of all("FROM")) expect(text).toMatch(/^[\w./-]+:(?!latest)[\w.-]+( AS \w+)?$/);
	});

	test("Dockerfile: packages → no questions, extras or lists (DL3009, DL3014, DL3015)", () => {
		const runs = all("RUN").filter((text) => text.includes("apt-get"));
		expect(runs.length).toBeGreaterThan(0);
		for (const text of runs)
			expect(text).toMatch(/apt-get update .*apt-get install -y --no-install-recommends .*rm -rf \/var\/lib\/apt\/lists\/\*/);
	});

	test("Dockerfile: copies, directories, programs → plain forms (DL3000, DL3020, DL3025)", () => {
		expect(all("ADD")).toEqual([]);
		for (const text of all("WORKDIR")) expect(text).toMatch(/^\//);
		for (const text of [...all("ENTRYPOINT"), ...all("CMD")]) expect(JSON.parse(text)).toEqual(expect.any(Array));
		expect(all("HEALTHCHECK").join()).toMatch(/CMD \["/);
	});

	test("Dockerfile: its last user → not root (DL3002)", () => {
		expect(all("USER").at(-1)).toBe("node");
	});

	test("Dockerfile: copied files → exist in the clone, every executable", () => {
		const copies = all("COPY").map((text) => text.split(/\s+/));
		const built = copies.filter(([from]) => from === "--from=build").flatMap((words) => words.slice(1, -1));
		for (const name of fs.readdirSync(path.join(clone, "bin")).filter((name) => fs.statSync(path.join(clone, "bin", name)).isFile()))
			expect(built).toContain(`/build/bin/${name}`);
		const own = copies.filter(([from]) => from !== "--from=build").flatMap((words) => words.slice(0, -1));
		for (const name of [...own, ...built.map((file) => path.relative("/build", file))])
			expect(fs.existsSync(path.join(clone, name))).toBe(true);
	});
});

test("compose file: its commands → in the image, with variables that exist", () => {
	const compose = fs.readFileSync(path.join(container, "compose.yaml"), "utf8");
	const variables = fs.readFileSync(path.join(clone, "docs/contract.md"), "utf8");
	const ofContainers = ["SYNC_HUB", "PAGE_PORT"];
	for (const [, name = ""] of compose.matchAll(/^ +([A-Z][A-Z_]+): /gm))
		if (!ofContainers.includes(name)) expect(variables).toContain(name);
	// Without a key compose does not start, and a page is published on the machine's loopback only.
	expect(compose).toMatch(/HEARTBEAT_KEY: \$\{HEARTBEAT_KEY:\?/);
	for (const [, published = ""] of compose.matchAll(/^ {6}- (\S*:\d+:\d+)$/gm)) expect(published).toMatch(/^127\.0\.0\.1:/);
	for (const [file] of compose.matchAll(/\/opt\/robust-sync\/\w+\.sh/g))
		expect(fs.existsSync(path.join(container, path.basename(file)))).toBe(true);
	expect(compose).not.toMatch(/\t/);
});

describe("node.sh, the program of a node's container", () => {
	let directory: string;
	let workspace: string;
	let child: ChildProcess | undefined;
	beforeEach(() => {
		directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-container-")));
		workspace = path.join(directory, "workspace");
		fs.mkdirSync(workspace);
		execFileSync("git", ["init", "-q", "--bare", "-b", "main", path.join(directory, "hub.git")]);
	});
	afterEach(() => {
		if (child?.exitCode === null && child.signalCode === null) process.kill(-(child.pid as number), "SIGKILL");
		fs.rmSync(directory, { recursive: true, force: true });
	});

	/** Starts it as its image does, with everything else of ours away. @returns its exit code, once it has one */
	function start(env: Record<string, string>): Promise<number | null> {
		const process_ = spawn("sh", [path.join(container, "node.sh")], {
			detached: true,
			stdio: "ignore",
			env: {
				PATH: `${path.join(clone, "bin")}:${process.env.PATH}`,
				HOME: directory,
				SYNC_WORKSPACE: workspace,
				SYNC_HUB: path.join(directory, "hub.git"),
				NODE_NAME: "helios",
				HEARTBEAT_KEY: "the-key-of-this-test",
				...env,
			},
		});
		child = process_;
		return new Promise((resolve) => process_.on("close", resolve));
	}

	/** Processes on this test's workspace. */
	const running = () =>
		fs.readdirSync("/proc").filter((pid) => {
			try {
				return /^\d+$/.test(pid) && fs.readFileSync(`/proc/${pid}/environ`, "latin1").includes(`SYNC_WORKSPACE=${workspace}\0`);
			} catch {
				return false;
			}
		});

	test("node.sh: the container is stopped → workspace made, synced, everything stopped", async () => {
		fs.writeFileSync(path.join(workspace, "hello.txt"), "hello\n");
		const [HEALTH_PORT, PAGE_PORT] = [String(await freePort()), String(await freePort())];
		const ended = start({ HEARTBEAT_PORT: String(await freePort()), HEALTH_PORT, PAGE_PORT });
		const onHub = () => {
			try {
				return execFileSync("git", ["-C", path.join(directory, "hub.git"), "show", "main:hello.txt"], {
					stdio: ["ignore", "pipe", "ignore"],
				});
			} catch {
				return undefined;
			}
		};
		const deadline = Date.now() + 20_000;
		while (!onHub() && Date.now() < deadline) await sleep(50);
		expect(String(onHub())).toBe("hello\n");
		// The requests of the health check and of a browser on the container's machine.
		const check = () => spawnSync(process.execPath, [path.join(container, "health.mjs")], { env: { HEALTH_PORT }, encoding: "utf8" });
		while (check().status !== 0 && Date.now() < deadline) await sleep(50);
		expect(JSON.parse(check().stdout)).toMatchObject({ node: "helios" });
		expect((await fetch(`http://127.0.0.1:${PAGE_PORT}/`)).status).toBe(200);
		child?.kill("SIGTERM");
		expect(await ended).toBe(0);
		expect(running()).toEqual([]);
	});

	test("node.sh: no HEARTBEAT_KEY → ends at once, with 2", async () => {
		expect(await start({ HEARTBEAT_KEY: "" })).toBe(2);
		expect(fs.existsSync(path.join(workspace, ".git"))).toBe(false);
	});

	test("node.sh: wrong configuration → ends, and the container with it", async () => {
		expect(await start({ HEARTBEAT_PORT: "many" })).toBe(1);
		expect(running()).toEqual([]);
	});
});

function freePort(): Promise<number> {
	return new Promise((resolve) => {
		const server = net.createServer().listen(0, "127.0.0.1", () => {
			const { port } = server.address() as net.AddressInfo;
			server.close(() => resolve(port));
		});
	});
}
