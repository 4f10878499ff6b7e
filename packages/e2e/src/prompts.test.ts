import { spawn } from "node:child_process";
import fs from "node:fs";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { startHttpServer } from "@robust-sync/git/fixtures/http-server";
import { until } from "@robust-sync/git/fixtures/scratch";
import { hasSshServer, SshServer } from "@robust-sync/git/fixtures/ssh-server";
import type { Node } from "./fixture/node.ts";
import { World } from "./fixture/world.ts";

let world: World;
let node: Node;
beforeEach(async () => {
	world = new World("prompts");
	[node] = await world.pair({ a: "1" });
	node.write("b", "1");
	// A program that would ask a person in a window: here it records that it was started, and waits for ever.
	world.write("ask", `#!/bin/sh\necho "$0 $*" >>'${world.path("asked")}'\nsleep 300\n`, 0o755);
});
afterEach(() => world.remove());

/** One cycle on a terminal of its own (script(1)) without input. @returns its exit code and the terminal's content */
async function onTerminal(env: Record<string, string>): Promise<{ code: number | null; shown: string }> {
	const bin = new URL("../../../bin/robust-sync", import.meta.url).pathname;
	const child = spawn("script", ["-qec", `'${bin}' --once`, "/dev/null"], {
		env: world.environment({
			NODE_NAME: "helios",
			SYNC_WORKSPACE: node.workspace,
			DISPLAY: ":99",
			GIT_ASKPASS: world.path("ask"),
			SSH_ASKPASS: world.path("ask"),
			SSH_ASKPASS_REQUIRE: "force",
			...env,
		}),
		stdio: ["pipe", "pipe", "inherit"],
	});
	let shown = "";
	child.stdout.setEncoding("utf8").on("data", (text: string) => {
		shown += text;
	});
	const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
	child.stdin.destroy();
	return { code, shown };
}

(hasSshServer ? test : test.skip)(
	"on a terminal: an unknown host key, a key with a passphrase, a server that wants a password: AUTH_FAILED, no prompt",
	async () => {
		const ssh = await SshServer.start(world.path("ssh"));
		world.atEnd(() => ssh.stop());
		const { execFileSync } = await import("node:child_process");
		execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "secret words", "-f", ssh.file("locked")]);
		fs.appendFileSync(ssh.file("authorized_keys"), fs.readFileSync(ssh.file("locked.pub")));
		const web = await startHttpServer(world.directory);
		web.password = "hunter22";
		world.atEnd(() => web.close());
		node.git("config", "core.askPass", world.path("ask"));
		for (const [url, env] of [
			[ssh.url(world.path("hub.git")), { GIT_SSH_COMMAND: ssh.command({ knownHosts: "nobody_known" }) }],
			[ssh.url(world.path("hub.git")), { GIT_SSH_COMMAND: ssh.command({ key: "locked" }) }],
			[`${web.url}/hub.git`, {}],
		] as [string, Record<string, string>][]) {
			node.git("remote", "set-url", "origin", url);
			const { code, shown } = await onTerminal(env);
			expect({ url, code, shown }).toEqual({ url, code: 1, shown: expect.stringContaining("AUTH_FAILED") });
			// A prompt begins a line; git's own words about one that it did not show do not.
			expect(shown).not.toMatch(/^(Enter passphrase|Password for|Username for)|yes\/no/m);
		}
		expect(fs.existsSync(world.path("asked"))).toBe(false);
		expect(node.git("show", "HEAD:b")).toBe("1");
	},
	60_000,
);

test("credential helper: waits for a person → killed after GIT_TIMEOUT with its group", async () => {
	const web = await startHttpServer(world.directory);
	web.password = "hunter22";
	world.atEnd(() => web.close());
	node.git("remote", "set-url", "origin", `${web.url}/hub.git`);
	node.git("config", "credential.helper", world.path("ask"));
	expect((await node.failure({ env: { GIT_TIMEOUT: "1.5" } })).code).toBe("GIT_TIMEOUT");
	expect(world.read("asked")).toMatch(/ get$/m);
	await until(
		() => !fs.readdirSync("/proc").some((pid) => /^\d+$/.test(pid) && commandLine(pid).includes(world.path("ask"))),
		"the helper to be gone",
	);
	node.git("config", "credential.helper", "!f() { echo username=sync; echo password=hunter22; }; f");
	await node.once();
	expect(world.git("hub.git", "show", "main:b")).toBe("1");
}, 60_000);

function commandLine(pid: string): string {
	try {
		return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8");
	} catch {
		return "";
	}
}
