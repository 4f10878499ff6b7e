import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { projectDirectory } from "./fixture/sources.ts";
import { attempt, must, until } from "./systemd/command.ts";
import { mayBootMachines, rootFileSystem } from "./systemd/root-file-system.ts";

// The image of deploy/container, built and run by Debian's own tools: buildah with chroot isolation, podman. What the Dockerfile begins
// with is made from the Debian mirror and this machine's Node; it trusts the certificates that this machine trusts.

const isInstalled = (program: string) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
const lacking = ["buildah", "podman", "crun"].filter((program) => !isInstalled(program));
const why = !mayBootMachines ? "only root on Linux can build it" : lacking.length > 0 ? `${lacking.join(", ")} not installed` : null;
if (why !== null) process.stderr.write(`container-image.slow.test.ts: the image is not built: ${why}\n`);
const image = why === null ? test : test.skip;

let directory: string;
let holder: ChildProcess | null = null;
/** Begins a command with mounts of our own, which end with their holder; crun refuses a machine that has both versions of cgroups. */
let inside: string[];
/** With a network of our own as well: bridges and rules of containers are made there. */
let apart: string[];
let storage: string[];
beforeAll(async () => {
	directory = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-image-"));
	storage = ["--root", path.join(directory, "store"), "--runroot", path.join(directory, "run")];
	if (why !== null) return;
	const script = "umount -l /sys/fs/cgroup/unified 2>/dev/null; ip link set lo up && echo ready; exec sleep infinity";
	holder = spawn("unshare", ["--mount", "--net", "--propagation", "private", "sh", "-c", script], { stdio: ["ignore", "pipe", "ignore"] });
	await new Promise((resolve) => holder?.stdout?.once("data", resolve));
	inside = ["nsenter", `--mount=/proc/${holder.pid}/ns/mnt`];
	apart = [...inside, `--net=/proc/${holder.pid}/ns/net`];
});
afterAll(async () => {
	if (holder !== null) {
		await attempt([...apart, "podman", ...storage, "rm", "--all", "--force", "--time", "0"]);
		const ended = new Promise((resolve) => holder?.once("close", resolve));
		holder.kill("SIGKILL");
		await ended;
	}
	fs.rmSync(directory, { recursive: true, force: true });
}, 120_000);

const buildah = (...args: string[]) => must([...inside, "buildah", ...storage, ...args], { timeoutMs: 900_000 });
const podman = (...args: string[]) => must([...apart, "podman", ...storage, "--cgroup-manager", "cgroupfs", ...args]);

/** The image that the Dockerfile begins with: Debian, Node with npm, and the user node. */
async function baseImage(name: string): Promise<void> {
	const root = await rootFileSystem();
	const container = (await buildah("from", "scratch")).trim();
	const mount = (await buildah("mount", container)).trim();
	const put = async (...argv: string[]) => await must([...inside, ...argv], { timeoutMs: 300_000 });
	await put("cp", "-a", `${root}/.`, mount);
	const npm = path.dirname(path.dirname(fs.realpathSync(execFileSync("sh", ["-c", "command -v npm"], { encoding: "utf8" }).trim())));
	const local = path.join(mount, "usr/local");
	await put("cp", process.execPath, path.join(local, "bin/node"));
	await put("mkdir", "-p", path.join(local, "lib/node_modules"));
	await put("cp", "-a", npm, path.join(local, "lib/node_modules/npm"));
	for (const program of ["npm", "npx"])
		await put("ln", "-s", `../lib/node_modules/npm/bin/${program}-cli.js`, path.join(local, "bin", program));
	await put("chroot", mount, "useradd", "--create-home", "--uid", "1000", "node");
	const certificates = "/etc/ssl/certs/ca-certificates.crt";
	const settings: string[] = [];
	if (fs.existsSync(certificates)) {
		await put("cp", certificates, path.join(mount, "etc/ssl/of-the-test.crt"));
		for (const variable of ["NODE_EXTRA_CA_CERTS", "NPM_CONFIG_CAFILE"]) settings.push("--env", `${variable}=/etc/ssl/of-the-test.crt`);
	}
	await buildah("umount", container);
	await buildah("config", ...settings, "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container);
	await buildah("commit", "--quiet", container, name);
	await buildah("rm", container);
}

image(
	"container image: run as a read-only sidecar → healthy, page, SIGTERM ends it",
	async () => {
		const dockerfile = path.join(projectDirectory, "deploy/container/Dockerfile");
		const [, base = ""] = /^FROM (\S+)/m.exec(fs.readFileSync(dockerfile, "utf8")) ?? [];
		await baseImage(`docker.io/library/${base}`);
		await buildah(
			"bud",
			"--quiet",
			"--isolation",
			"chroot",
			"--pull=never",
			"--format",
			"docker",
			"-f",
			dockerfile,
			"-t",
			"robust-sync",
			projectDirectory,
		);

		// A program of the user's own works in the volume, as its owner.
		const workspace = path.join(directory, "workspace");
		const hub = path.join(directory, "hub.git");
		execFileSync("git", ["init", "-q", "--bare", "-b", "main", hub]);
		fs.mkdirSync(workspace);
		fs.writeFileSync(path.join(workspace, "hello.txt"), "hello\n");
		await must(["chown", "-R", "1000:1000", workspace, hub]);
		fs.chmodSync(directory, 0o755);
		const page = 18_080;
		const settings = { NODE_NAME: "helios", SYNC_HUB: "/hub.git", HEARTBEAT_KEY: "the-key-of-this-test", PAGE_PORT: "18080" };
		const environment = Object.entries(settings).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
		const hardened = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"];
		// This process may have lower limits than podman gives, and no cgroups to give.
		const limits = ["--cgroups=disabled", "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"];
		const places = ["--volume", `${workspace}:/workspace`, "--volume", `${hub}:/hub.git`, "--publish", `127.0.0.1:${page}:18080`];
		await podman("run", "--detach", "--name", "sidecar", ...hardened, ...limits, ...places, ...environment, "robust-sync");

		const onHub = () =>
			spawnSync("git", ["-c", "safe.directory=*", "-C", hub, "show", "main:hello.txt"], { encoding: "utf8" }).stdout === "hello\n";
		await until("the file on the hub", async () => onHub());
		await until(
			"the health check to pass",
			async () => (await attempt([...apart, "podman", ...storage, "healthcheck", "run", "sidecar"])).code === 0,
		);
		const look = `fetch("http://127.0.0.1:${page}/").then(({ status }) => process.stdout.write(String(status)))`;
		expect(await must([...apart, process.execPath, "-e", look])).toBe("200");
		expect((await podman("exec", "sidecar", "id", "-u")).trim()).toBe("1000");
		expect((await attempt([...apart, "podman", ...storage, "exec", "sidecar", "touch", "/opt/robust-sync/x"])).code).not.toBe(0);
		expect((await podman("exec", "sidecar", "robust-sync", "--status")).trim()).toMatch(/^robust-sync is (?:idle|syncing) /);
		// The other program's files are published, and robust-sync's own files stay local.
		fs.writeFileSync(path.join(workspace, "second.txt"), "2\n");
		await until("the second file on the hub", async () =>
			execFileSync("git", ["-c", "safe.directory=*", "-C", hub, "ls-tree", "--name-only", "main"], { encoding: "utf8" }).includes(
				"second.txt",
			),
		);

		await podman("stop", "--time", "30", "sidecar");
		expect((await podman("inspect", "--format", "{{.State.ExitCode}}", "sidecar")).trim()).toBe("0");
		expect(JSON.parse(fs.readFileSync(path.join(workspace, "sync/sync_state.json"), "utf8"))).toMatchObject({ status: "stopped" });
	},
	1_200_000,
);

test("node.sh: a home that cannot be written → ssh uses the key from elsewhere", () => {
	const keys = /if \[ -r (\/keys)\/id_ed25519 \]; then\n(?:.*\n)*?fi\n/;
	const [part = ""] = keys.exec(fs.readFileSync(path.join(projectDirectory, "deploy/container/node.sh"), "utf8")) ?? [];
	const from = path.join(directory, "keys");
	fs.mkdirSync(from);
	for (const name of ["id_ed25519", "known_hosts"]) fs.writeFileSync(path.join(from, name), name, { mode: 0o600 });
	const [home, closed, temporary] = ["home", "closed", "tmp"].map((name) => path.join(directory, name)) as [string, string, string];
	for (const name of [home, closed, temporary]) fs.mkdirSync(name);
	// Nothing is closed to root.
	const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
	if (user.uid !== undefined) execFileSync("chown", ["-R", `${user.uid}:${user.gid}`, from, home, temporary]);
	for (const name of [directory, closed]) fs.chmodSync(name, 0o555);
	const run = (HOME: string) => {
		const script = `set -eu\n${part.replaceAll("/keys", from)}\necho "\${GIT_SSH_COMMAND:-}"`;
		return execFileSync("sh", ["-c", script], {
			...user,
			env: { PATH: process.env.PATH, HOME, TMPDIR: temporary },
			encoding: "utf8",
		}).trim();
	};
	expect(run(home)).toBe("");
	expect(fs.readFileSync(path.join(home, ".ssh/id_ed25519"), "utf8")).toBe("id_ed25519");
	const [, used = "", known = ""] = /^ssh -i (\S+) -o IdentitiesOnly=yes -o UserKnownHostsFile=(\S+)$/.exec(run(closed)) ?? [];
	expect([fs.readFileSync(used, "utf8"), fs.readFileSync(known, "utf8")]).toEqual(["id_ed25519", "known_hosts"]);
	expect(fs.statSync(used).mode & 0o777).toBe(0o600);
	fs.chmodSync(directory, 0o755);
});
