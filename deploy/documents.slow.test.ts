import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { blockName, blocks, run } from "./testing/documents.ts";

// Every command block of the documents is run as it is written, on two "machines": two homes, and an ssh that runs in the other.

const root = path.resolve(import.meta.dirname, "..");
const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write("documents.slow.test.ts: only root can run the README's blocks for /opt: they are not run\n");

/** A clone that is built, so that nothing is downloaded. */
let clone: string;
let directory: string;
beforeAll(() => {
	clone = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-documents-clone-")));
	for (const part of ["bin", "deploy", "dist", "package.json"])
		fs.cpSync(path.join(root, part), path.join(clone, part), { recursive: true, filter: (from) => !from.endsWith("dist/types") });
});
afterAll(() => fs.rmSync(clone, { recursive: true, force: true }));
beforeEach(() => {
	directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-documents-")));
	for (const machine of ["helios", "chad"]) fs.mkdirSync(home(machine));
	fs.mkdirSync(path.join(directory, "bin"));
	// git calls it with options of its own and the command as words; a person with the command alone.
	program(
		"ssh",
		`case " $* " in *" -G "*) exit 1 ;; esac # it has no settings to show
		while :; do case $1 in -[qx46]) shift ;; -*) shift 2 ;; *) break ;; esac; done
		host=$1; shift
		[ -d "${directory}/$host" ] || { echo "ssh: Could not resolve hostname $host" >&2; exit 255; }
		cd "${directory}/$host" && HOME=$PWD exec sh -c "$*"`,
	);
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

const home = (machine: string) => path.join(directory, machine);
const program = (name: string, text: string) =>
	fs.writeFileSync(path.join(directory, "bin", name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });

function textOf(name: keyof typeof run): string {
	const [file, first] = run[name];
	const block = blocks.find((one) => one.file === file && one.first === first);
	if (!block) throw new Error(`no block ${blockName({ file, first })}`);
	return block.text;
}

interface Ended {
	code: number | null;
	output: string;
}

/** The input of a person on a machine, one shell for all of it; any failure ends it. */
function type(machine: string, script: string, { env = {}, shell = ["bash"] }: { env?: Record<string, string>; shell?: string[] } = {}) {
	const child = spawn(shell[0]!, [...shell.slice(1), "-e", "-o", "pipefail", "-c", script], {
		cwd: home(machine),
		env: {
			PATH: `${path.join(directory, "bin")}:${process.env.PATH}`,
			HOME: home(machine),
			TMPDIR: directory,
			LANG: "C.UTF-8",
			...env,
		},
		stdio: ["ignore", "pipe", "pipe"],
	});
	let output = "";
	for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
	return new Promise<Ended>((resolve, reject) => {
		child.on("error", reject);
		child.on("close", (code) => resolve({ code, output }));
	});
}

async function typed(...args: Parameters<typeof type>): Promise<string> {
	const { code, output } = await type(...args);
	expect(`${code}\n${args[1]}\n${output}`).toMatch(/^0\n/);
	return output;
}

function freePort(): Promise<string> {
	return new Promise((resolve) => {
		const server = net.createServer().listen(0, "127.0.0.1", () => {
			const { port } = server.address() as net.AddressInfo;
			server.close(() => resolve(String(port)));
		});
	});
}

test("documents: the demo from a fresh clone → as promised", async () => {
	// The clone as a repository that can be cloned, with its build in it.
	const published = path.join(directory, "published");
	fs.cpSync(clone, published, { recursive: true });
	const who = "-c user.name=x -c user.email=x@x";
	await typed("helios", `cd ${published} && git init -q -b main && git add --force . && git ${who} commit -q -m 1`);
	const output = await typed("helios", textOf("clone").replace("<this repository>", published));
	expect(output).toContain("The demo went as promised");
}, 300_000);

test("documents: the configuration of the README → accepted, and read unchanged", async () => {
	const text = textOf("configuration");
	// A shell reads it, too.
	expect(await typed("helios", `${text}\nprintf '%s' "$PEERS"`, { shell: ["bash", "--posix"] })).toBe("chad=chad.example.org");
	const file = path.join(directory, ".sync_env");
	fs.writeFileSync(file, text.replace("HEARTBEAT_KEY=…", "HEARTBEAT_KEY=0123456789abcdef").replace("TOKEN=…", "TOKEN=123:abc"));
	const output = await typed("helios", `'${process.execPath}' '${root}/dist/print-config.mjs' '${file}'`);
	expect(output).toMatch(/^NODE_NAME\thelios$/m);
	expect(output).toMatch(/^CALEB_TELEGRAM_ID\t512366713$/m);
});

test("documents: the containers' block → a key of 48 digits, the compose file", async () => {
	fs.cpSync(clone, home("helios"), { recursive: true });
	program("docker", `printf '%s\\n' "$*" > '${directory}/asked'; test -f "$3"`);
	await typed("helios", textOf("containers"));
	expect(fs.readFileSync(path.join(home("helios"), "deploy/container/.env"), "utf8")).toMatch(/^HEARTBEAT_KEY=[0-9a-f]{48}\n$/);
	expect(fs.readFileSync(path.join(directory, "asked"), "utf8")).toBe("compose -f deploy/container/compose.yaml up --build\n");
});

(isRoot ? describe : describe.skip)("documents: two machines by the README", () => {
	/** The places that an installation as root writes to are each machine's own; there is no service manager. */
	const machine = (name: string): string[] => {
		const places = `
			mkdir -p '${home(name)}/.system'
			for place in opt usr/local etc/cron.d etc/logrotate.d; do
				mkdir -p "/$place" "${home(name)}/.system/$place" && mount --bind "${home(name)}/.system/$place" "/$place"
			done
			if [ -d /run/systemd ]; then mount -t tmpfs none /run/systemd; fi
			exec bash "$@"`;
		return ["unshare", "--mount", "--propagation", "private", "bash", "-ec", places, "bash"];
	};
	const on = async (name: string, script: string, env: Record<string, string> = {}) =>
		await typed(name, script.replaceAll(/<(new )?clone( of robust-sync)?>/g, clone), { env, shell: machine(name) });
	const keyOf = (name: string) =>
		/^export HEARTBEAT_KEY=(\w+)$/m.exec(fs.readFileSync(path.join(home(name), "workspace/.sync_env"), "utf8"))?.[1];
	const once = (name: string) => on(name, "cd ~/workspace && robust-sync --once");

	test("README: steps 1 to 3, a file there and back, history, upgrade → work as typed", async () => {
		await on("helios", textOf("hub"));
		for (const name of ["helios", "chad"]) {
			await on(name, textOf("workspace"));
			fs.writeFileSync(path.join(home(name), "workspace", `${name}.md`), `from ${name}\n`);
		}
		const ports = async () => ({ HEARTBEAT_PORT: await freePort(), HEALTH_PORT: await freePort() });
		const output = await on("helios", textOf("install"), { NODE_NAME: "helios", CHAD_HOST: "localhost", ...(await ports()) });
		// The line that the set-up of the first machine ends with is typed on the other, as it is.
		const line = /^ {4,}(HEARTBEAT_KEY=\w+ HELIOS_HOST=\S+ bash .*setup\.sh)$/m.exec(output)?.[1];
		expect(line).toBeDefined();
		await on("chad", `cd ~/workspace && ${line}`, { NODE_NAME: "chad", ...(await ports()) });
		expect(keyOf("chad")).toBe(keyOf("helios"));

		// Both ways to the same key.
		const own = path.join(home("chad"), "workspace/.sync_env");
		fs.writeFileSync(own, fs.readFileSync(own, "utf8").replace(/HEARTBEAT_KEY=\w+/, "HEARTBEAT_KEY=another_key_that_chad_made"));
		const others = () => fs.readFileSync(own, "utf8").replace(/^export HEARTBEAT_KEY=.*\n/m, "");
		const before = others();
		await on("chad", textOf("key"));
		expect(keyOf("chad")).toBe(keyOf("helios"));
		expect(others()).toBe(before);
		expect(fs.statSync(own).mode & 0o777).toBe(0o600);

		await once("helios");
		for (const name of ["helios", "chad"])
			expect(fs.readdirSync(path.join(home(name), "workspace"))).toEqual(expect.arrayContaining(["helios.md", "chad.md", ".sync_env"]));

		// "I want a file back?"
		fs.rmSync(path.join(home("helios"), "workspace/chad.md"));
		await once("helios");
		const found = await on("helios", "cd ~/workspace && git log --diff-filter=D --name-only --format=%H -- chad.md");
		await on("helios", `cd ~/workspace && git checkout ${found.split("\n")[0]}^ -- chad.md`);
		await once("helios");
		await once("chad");
		expect(fs.readFileSync(path.join(home("chad"), "workspace/chad.md"), "utf8")).toBe("from chad\n");

		await on("chad", `cd ~/workspace\n${textOf("upgrade")}`);
		const left = fs.readdirSync(path.join(home("chad"), "workspace")).sort();
		expect(left).toEqual([".git", "chad.md", "helios.md"]);
		expect(fs.readdirSync(path.join(home("chad"), ".system/opt"))).toEqual([]);
		expect(fs.readdirSync(path.join(home("chad"), ".system/usr/local/bin"))).toEqual([]);
		// The installation is independent of the clone; the other machine is not touched.
		expect(await on("helios", "robust-sync --version")).toMatch(/^robust-sync /);
	}, 600_000);

	test("documents: agents on one host → a node each, one's file is on the hub", async () => {
		const [heartbeat, other, health, otherHealth] = [await freePort(), await freePort(), await freePort(), await freePort()];
		const ports = (text: string) =>
			text
				.replace("PEERS=helios=localhost", `PEERS=helios=localhost:${heartbeat}`)
				.replace("NODE_NAME=helios", `NODE_NAME=helios HEARTBEAT_PORT=${heartbeat} HEALTH_PORT=${health}`)
				.replaceAll("8766", other)
				.replaceAll("8081", otherHealth);
		await on("helios", textOf("oneHostHub"));
		await on("helios", ports(textOf("oneHost")));
		await on("helios", `(cd ~/helios && exec robust-sync) & trap "kill $!" EXIT\n${textOf("oneHostUse")}`);
		await on("helios", "cd ~/chad && robust-sync --once");
		expect(fs.readFileSync(path.join(home("helios"), "chad/hello.md"), "utf8")).toBe("hello\n");
		for (const agent of ["helios", "chad"])
			expect(fs.readFileSync(path.join(home("helios"), agent, ".sync_env"), "utf8")).toMatch(new RegExp(`NODE_NAME=.?${agent}`));
	}, 300_000);

	test("documents: a laptop and a server → both have all, a pause begins and ends", async () => {
		fs.mkdirSync(home("server"));
		await on("server", `${textOf("hub")}\n${textOf("workspace").replace("helios:hub.git", "~/hub.git")}`);
		fs.writeFileSync(path.join(home("server"), "workspace/server.md"), "server\n");
		await on("server", "cd ~/workspace && git add . && git -c user.name=x -c user.email=x@x commit -qm 1 && git push -q");
		const user = { NODE_NAME: "chad", HEARTBEAT_PORT: await freePort(), HEALTH_PORT: await freePort() };
		await on("chad", textOf("laptop").replace("--user", "--user --yes"), user);
		fs.writeFileSync(path.join(home("chad"), "workspace/laptop.md"), "laptop\n");
		const running = `export PATH="$HOME/.local/bin:$PATH"
			(cd ~/workspace && exec robust-sync) & trap "kill $!" EXIT
			until robust-sync --workspace ~/workspace --status >/dev/null; do sleep 0.1; done`;
		await on("chad", `${running}\n${textOf("laptopAway")}\nrobust-sync --wait`);
		expect(fs.existsSync(path.join(home("chad"), "workspace/server.md"))).toBe(true);
		expect(await on("server", "git -C ~/hub.git ls-tree --name-only main")).toContain("laptop.md");
	}, 300_000);

	test("documents: a git host as hub → cloned and set up", async () => {
		await on("helios", textOf("hub"));
		const ports = { NODE_NAME: "chad", HEARTBEAT_PORT: await freePort(), HEALTH_PORT: await freePort() };
		await on("chad", textOf("gitHost").replace("git@github.com:me/workspace.git", "helios:hub.git"), ports);
		expect(fs.existsSync(path.join(home("chad"), "workspace/.sync_env"))).toBe(true);
	}, 300_000);
});
