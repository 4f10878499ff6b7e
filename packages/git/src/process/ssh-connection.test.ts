import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Scratch, until } from "../fixtures/scratch.ts";
import { hasSshServer, SshServer } from "../fixtures/ssh-server.ts";
import { readRemoteBranch } from "../remote/transport.ts";
import { openRepository } from "./repository.ts";
import { SshConnections } from "./ssh-connection.ts";

let scratch: Scratch;
let ssh: SshServer;
beforeAll(async () => {
	scratch = new Scratch("ssh-connection");
	if (!hasSshServer) return;
	ssh = await SshServer.start(scratch.path("ssh"));
	scratch.atEnd(() => ssh.stop());
});
afterAll(() => scratch.remove());

const bySsh = hasSshServer ? test : test.skip;

/** The ssh processes that keep a connection open for a process: their command line has its socket. */
const sshProcesses = (pid = process.pid) =>
	fs
		.readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.filter((name) => {
			try {
				return fs
					.readFileSync(`/proc/${name}/cmdline`, "latin1")
					.match(/^ssh: (\S+)/)?.[1]
					?.includes(`/rs-${pid}-`);
			} catch {
				return false;
			}
		});

bySsh("one ssh connection serves many commands, ends on request, and leaves nothing behind", async () => {
	const hub = scratch.hub();
	scratch.init("node", ssh.url(hub));
	const connections = new SshConnections("/tmp");
	const repository = await openRepository({
		directory: scratch.path("node"),
		node: "node",
		networkTimeoutMs: 20_000,
		env: { PATH: process.env.PATH, HOME: scratch.directory, GIT_SSH_COMMAND: ssh.command() },
		sshOptions: connections.options,
	});
	expect(await readRemoteBranch(repository, "origin", "main")).toBeNull();
	expect(sshProcesses()).toHaveLength(1);
	// The server accepts no new connection any more: commands that succeed now use the open one.
	await ssh.stop();
	expect(await readRemoteBranch(repository, "origin", "main")).toBeNull();
	await connections.closeAll();
	await until(() => sshProcesses().length === 0, "no ssh process");
	await expect(readRemoteBranch(repository, "origin", "main")).rejects.toMatchObject({ code: "REMOTE_UNREACHABLE" });
	await ssh.resume();
	expect(await readRemoteBranch(repository, "origin", "main")).toBeNull();
	await connections.dispose();
	await until(() => sshProcesses().length === 0, "no ssh process");
	expect(fs.readdirSync("/tmp").filter((name) => name.startsWith(`rs-${process.pid}-`))).toEqual([]);
});

bySsh("connections that a killed process kept open are closed by the next one", async () => {
	const { pid } = spawnSync("true");
	// Not /tmp: any other process that starts there would close the connection while git uses it.
	const parent = fs.mkdtempSync("/tmp/rs-parent-");
	const abandoned = fs.mkdtempSync(`${parent}/rs-${pid}-`);
	const hub = scratch.hub("other.git");
	scratch.init("other", ssh.url(hub));
	const repository = await openRepository({
		directory: scratch.path("other"),
		node: "other",
		networkTimeoutMs: 20_000,
		env: { PATH: process.env.PATH, HOME: scratch.directory, GIT_SSH_COMMAND: ssh.command() },
		sshOptions: `-o ControlMaster=auto -o ControlPath=${abandoned}/%C -o ControlPersist=90`,
	});
	expect(await readRemoteBranch(repository, "origin", "main")).toBeNull();
	expect(sshProcesses(pid)).toHaveLength(1);
	const connections = new SshConnections(parent);
	await until(() => sshProcesses(pid).length === 0 && !fs.existsSync(abandoned), "nothing of the killed process");
	await connections.dispose();
	fs.rmSync(parent, { recursive: true });
});

test("ssh connection: the place is too deep for sockets → one each command, no failure", () => {
	const deep = scratch.path("a-directory-with-a-name-that-leaves-no-room-for-a-socket");
	fs.mkdirSync(deep);
	expect(new SshConnections(deep).options).toBe("");
	expect(new SshConnections(scratch.path("missing")).options).toBe("");
});

test("ssh control directory: a link, another user's or an open one → untouched, no ssh", async () => {
	const parent = fs.mkdtempSync("/tmp/rs-parent-");
	const outside = scratch.path("outside");
	fs.mkdirSync(outside);
	for (let at = 0; at < 300; at++) fs.writeFileSync(`${outside}/${at}`, "");
	fs.symlinkSync(outside, `${parent}/rs-9999999-abcdef`);
	const inDirectory = (name: string, mode: number) => {
		fs.mkdirSync(`${parent}/${name}`);
		fs.writeFileSync(`${parent}/${name}/file`, "");
		fs.chmodSync(`${parent}/${name}`, mode);
	};
	inDirectory("rs-9999998-opened", 0o755);
	inDirectory("rs-9999997-filled", 0o700);
	fs.mkdirSync(`${parent}/rs-9999996-foreig`, { mode: 0o700 });
	if (process.getuid?.() === 0) fs.chownSync(`${parent}/rs-9999996-foreig`, 65534, 65534);
	fs.mkdirSync(`${parent}/rs-9999995-vacant`, { mode: 0o700 });
	// A program of that name in front of ssh: each start leaves a line.
	const bin = scratch.path("bin");
	fs.mkdirSync(bin);
	fs.writeFileSync(`${bin}/ssh`, `#!/bin/sh\necho "$@" >> ${scratch.path("started")}\n`, { mode: 0o755 });
	const { PATH } = process.env;
	process.env.PATH = `${bin}:${PATH}`;
	try {
		const connections = new SshConnections(parent);
		await until(() => !fs.existsSync(`${parent}/rs-9999995-vacant`), "the abandoned directory is gone");
		await connections.dispose();
	} finally {
		process.env.PATH = PATH;
	}
	expect(fs.existsSync(scratch.path("started"))).toBe(false);
	expect(fs.readdirSync(outside)).toHaveLength(300);
	const left = fs.readdirSync(parent).sort();
	expect(left).toEqual(expect.arrayContaining(["rs-9999997-filled", "rs-9999998-opened", "rs-9999999-abcdef"]));
	expect(fs.existsSync(`${parent}/rs-9999997-filled/file`)).toBe(true);
	fs.rmSync(parent, { recursive: true });
});
