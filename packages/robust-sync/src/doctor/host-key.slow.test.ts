import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { hasSshServer, SshServer } from "@robust-sync/git/fixtures/ssh-server";
import { parseConfig, WorkspacePaths } from "@robust-sync/workspace";
import { checkHub } from "./hub.ts";

let scratch: Scratch;
beforeAll(() => {
	scratch = new Scratch("host-key");
	scratch.hub();
	scratch.init("node", scratch.path("hub.git"));
	scratch.write("node/a", "1\n");
	scratch.commitAll("node");
	scratch.git("node", "push", "-q", "origin", "main:main");
});
afterAll(() => scratch.remove());

(hasSshServer ? test : test.skip)("doctor: hub: its host key has changed, or is not known → one line", async () => {
	const ssh = await SshServer.start(scratch.path("ssh"));
	scratch.atEnd(() => ssh.stop());
	scratch.git("node", "config", "remote.origin.url", ssh.url(scratch.path("hub.git")));
	const look = async (knownHosts?: string) => {
		scratch.git("node", "config", "core.sshCommand", ssh.command(knownHosts === undefined ? {} : { knownHosts }));
		const findings = await checkHub(
			await scratch.open("node"),
			parseConfig({ NODE_NAME: "helios" }),
			new WorkspacePaths(scratch.path("node")),
		);
		return findings.map(({ status, message }) => `${status} ${message}`);
	};
	expect(await look()).toEqual([expect.stringMatching(/^ok .* can be read/), expect.stringMatching(/^ok .* can be written/)]);
	expect(await look("nobody")).toEqual([expect.stringMatching(/^failed .*AUTH_FAILED: .*host key/)]);
	await ssh.changeHostKey();
	expect(await look()).toEqual([expect.stringMatching(/^failed .*AUTH_FAILED: .*host key/)]);
});
