import { execFileSync, spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

const root = path.resolve(import.meta.dirname, "..");
const uid = 54_321;
const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write("setup-as-root.slow.test.ts is skipped: only root can set up another user's workspace\n");

let directory: string;
let workspace: string;
const canary = (name: string) => path.join(directory, "of-root", name);

beforeEach(() => {
	directory = fs.mkdtempSync("/tmp/robust-sync-as-root-");
	fs.chmodSync(directory, 0o755);
	workspace = path.join(directory, "home/workspace");
	fs.mkdirSync(path.join(directory, "home"));
	execFileSync("git", ["init", "-q", "--bare", "-b", "main", path.join(directory, "hub.git")]);
	execFileSync("git", ["clone", "-q", path.join(directory, "hub.git"), workspace], { stdio: "ignore" });
	execFileSync("chown", ["-R", `${uid}:${uid}`, path.join(directory, "home"), path.join(directory, "hub.git")]);
	for (const name of ["sync", "logs"]) {
		fs.mkdirSync(canary(name), { recursive: true, mode: 0o751 });
		for (const file of ["f", "sync.log", "sync_service.log"]) fs.writeFileSync(path.join(canary(name), file), "root's\n", { mode: 0o640 });
	}
	fs.writeFileSync(canary("env"), "export NODE_NAME=evil\n", { mode: 0o640 });
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

/** Changes the configuration of the user's own git. */
const configure = (name: string, value: string) =>
	execFileSync("git", ["-C", workspace, "config", name, value], {
		uid,
		gid: uid,
		env: { PATH: process.env.PATH, HOME: path.join(directory, "home") },
	});

/** Owner, mode, size and time of change of everything of root's that a link could lead to, and its content. */
const stateOfRoot = () =>
	execFileSync("sh", ["-c", "find . -printf '%p %u:%g %m %y %s %T@\\n' | sort; find . -type f -exec sha256sum {} +"], {
		cwd: path.join(directory, "of-root"),
		encoding: "utf8",
	});

/** Runs a script as root where the places that an installation writes to are empty, and the user has a name. */
function install(script: string): Promise<{ code: number | null; output: string }> {
	const places = `
		for place in /opt /usr/local /etc/cron.d /etc/logrotate.d; do mkdir -p $place && mount -t tmpfs none $place; done
		if [ -d /run/systemd ]; then mount -t tmpfs none /run/systemd; fi
		for file in passwd group; do cp /etc/$file ${directory}/$file; done
		echo "racer:x:${uid}:${uid}::${directory}/home:/bin/sh" >> ${directory}/passwd
		echo "racer:x:${uid}:" >> ${directory}/group
		for file in passwd group; do mount --bind ${directory}/$file /etc/$file; done
		${script}`;
	const child = spawn("unshare", ["--mount", "--propagation", "private", "bash", "-c", places], {
		cwd: "/",
		env: { PATH: process.env.PATH, HOME: "/root", LANG: "C.UTF-8", SYNC_SECRET_OF_ROOT: "not for the user" },
		stdio: ["ignore", "pipe", "pipe"],
	});
	let output = "";
	for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
	return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })));
}

const setup = (port: number) =>
	`NODE_NAME=racer HEARTBEAT_PORT=${port} HEALTH_PORT=${port} timeout 100 bash ${root}/deploy/setup.sh --yes --workspace ${workspace}`;

(isRoot ? describe : describe.skip)("setup.sh as root, in another user's workspace", () => {
	test("setup as root: for a user → everything made by that user, none of root's setting", async () => {
		const upload = path.join(directory, "home/upload");
		fs.writeFileSync(upload, `#!/bin/sh\nprintenv > ${directory}/home/seen\nexec git-upload-pack "$@"\n`, { mode: 0o755 });
		configure("remote.origin.uploadpack", upload);
		const { code, output } = await install(setup(28_771));
		expect(`${code}\n${output}`).toMatch(/^0\n/);
		expect(execFileSync("find", [workspace, "-not", "-uid", String(uid)], { encoding: "utf8" })).toBe("");
		expect(fs.statSync(path.join(workspace, ".sync_env")).mode & 0o777).toBe(0o600);
		expect(fs.statSync(path.join(workspace, "sync")).mode & 0o777).toBe(0o700);
		const seen = fs.readFileSync(path.join(directory, "home/seen"), "utf8");
		expect(seen).toContain(`HOME=${directory}/home\n`);
		expect(seen).not.toContain("SYNC_SECRET_OF_ROOT");
	});

	test("setup as root: links swapped in at every moment → no file of root changes", async () => {
		const before = stateOfRoot();
		const swap = `
			cd ${workspace}
			while :; do
				for name in sync logs; do
					mv -T $name .away-$name; ln -sfnT ${directory}/of-root/$name $name; rm -f $name; mv -T .away-$name $name; rm -rf .away-$name
				done
				mv -T .sync_env .away-env; ln -sfnT ${directory}/of-root/env .sync_env; rm -f .sync_env; mv -T .away-env .sync_env
				ln -sfnT ${directory}/of-root/env .git/info/exclude; rm -f .git/info/exclude
			done 2>/dev/null`;
		for (let run = 0; run < 3; run++) {
			const racer = spawn("bash", ["-c", swap], { uid, gid: uid, stdio: "ignore" });
			await install(setup(28_772));
			racer.kill("SIGKILL");
			await new Promise((resolve) => racer.once("close", resolve));
			expect(stateOfRoot()).toBe(before);
			expect(spawnSync("find", [workspace, "-uid", "0"], { encoding: "utf8" }).stdout).toBe("");
			execFileSync("bash", ["-c", `cd ${workspace} && rm -rf sync logs .sync_env .away-*`]);
		}
	});

	test("setup as root: the repository's settings → no line of a service file", async () => {
		// A hub in a directory whose name ends a word and a line of a unit.
		const evil = path.join(directory, 'home/x"\nExecStartPre=+/bin/touch ');
		fs.cpSync(path.join(directory, "hub.git"), evil, { recursive: true });
		execFileSync("chown", ["-R", `${uid}:${uid}`, path.join(directory, "home")]);
		configure("remote.origin.url", evil);
		const parts = path.join(root, "deploy/setup");
		const { output } = await install(`
			set -u; clone=${root} here=${parts} yes=1 dry='' user_mode='' own_clone='' link_prefix='' workspace_asked=${workspace}
			for part in say answers requirements places workspace payload units; do . $here/$part.sh; done
			decide_places; find_workspace; config=([SYNC_REMOTE]=origin [NODE_NAME]=racer [MEMORY_LIMIT_MB]=500)
			render $clone/deploy/sync.service`);
		expect(output).toContain("User=racer");
		expect(output).not.toContain("ExecStartPre");
	});

	test("setup as root: root's workspace that another user could replace → refused", async () => {
		execFileSync("chown", ["-R", "0:0", workspace, path.join(directory, "hub.git")]);
		const { code, output } = await install(setup(28_773));
		expect(code).toBe(2);
		expect(output).toContain("could put anything in its place");
		expect(fs.existsSync(path.join(workspace, "sync"))).toBe(false);
	});
});
