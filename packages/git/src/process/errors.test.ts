import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type HttpGitServer, startHttpServer } from "../fixtures/http-server.ts";
import { Scratch } from "../fixtures/scratch.ts";
import { freePort, hasSsh, hasSshServer, SshServer } from "../fixtures/ssh-server.ts";
import { fetchBranch, listRemote, pushCommit, readRemoteBranch } from "../remote/transport.ts";
import { classify, type GitError } from "./errors.ts";
import { checkGitVersion, openRepository } from "./repository.ts";

let scratch: Scratch;
let ssh: SshServer;
let web: HttpGitServer;
let head: string;

beforeAll(async () => {
	scratch = new Scratch("errors");
	scratch.hub();
	scratch.init("work", scratch.path("hub.git"));
	scratch.write("work/a", "1");
	head = scratch.commitAll("work");
	scratch.git("work", "push", "-q", "origin", "main");
	if (hasSshServer) ssh = await SshServer.start(scratch.path("ssh"));
	web = await startHttpServer(scratch.directory);
});
afterAll(async () => {
	await ssh?.stop();
	await web.close();
	await scratch.remove();
});

/** The failure of reading the branch of `url`. */
async function failureOf(url: string, env: NodeJS.ProcessEnv = {}, networkTimeoutMs = 20_000): Promise<GitError> {
	scratch.git("work", "remote", "set-url", "origin", url);
	const repository = await scratch.open("work", { env, networkTimeoutMs });
	try {
		await readRemoteBranch(repository, "origin", "main");
	} catch (error) {
		const failure = error as GitError;
		expect(failure.message).not.toContain("\n");
		return failure;
	}
	throw new Error("it did not fail");
}

(hasSshServer ? describe : describe.skip)("a hub over real ssh", () => {
	const withKey = (key = "user", knownHosts = "known_hosts") => ({ GIT_SSH_COMMAND: ssh.command({ key, knownHosts }) });

	test("ssh hub: answers → pushes and fetches succeed", async () => {
		scratch.git("work", "remote", "set-url", "origin", ssh.url(scratch.path("hub.git")));
		const repository = await scratch.open("work", { env: withKey() });
		expect(await readRemoteBranch(repository, "origin", "main")).toBe(head);
		expect(await listRemote(repository, "origin")).toEqual({ branches: new Map([["main", head]]), defaultBranch: "main" });
		expect(await fetchBranch(repository, "origin", "main")).toEqual({ rewritten: false });
		expect(await pushCommit(repository, "origin", "second", head)).toBe("pushed");
	});

	test("ssh hub: unknown host key → AUTH_FAILED, with the remedy", async () => {
		fs.writeFileSync(ssh.file("empty"), "");
		const failure = await failureOf(ssh.url(scratch.path("hub.git")), withKey("user", "empty"));
		expect(failure.code).toBe("AUTH_FAILED");
		expect(failure.message).toMatch(/host key.*ssh-keyscan/);
	});

	test("ssh hub: changed host key → AUTH_FAILED, with the remedy", async () => {
		await ssh.changeHostKey();
		const failure = await failureOf(ssh.url(scratch.path("hub.git")), withKey());
		expect(failure.code).toBe("AUTH_FAILED");
		expect(failure.message).toMatch(/host key/);
		ssh.trustHostKey();
	});

	test("ssh hub: refuses the key → AUTH_FAILED, with the remedy", async () => {
		const failure = await failureOf(ssh.url(scratch.path("hub.git")), withKey("stranger"));
		expect(failure.code).toBe("AUTH_FAILED");
		expect(failure.message).toMatch(/refused our credentials.*key without passphrase/);
	});

	test("ssh hub: key with a passphrase → AUTH_FAILED at once, no prompt", async () => {
		const { execFileSync } = await import("node:child_process");
		execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "secret", "-f", ssh.file("locked")]);
		const started = performance.now();
		expect((await failureOf(ssh.url(scratch.path("hub.git")), withKey("locked"))).code).toBe("AUTH_FAILED");
		expect(performance.now() - started).toBeLessThan(10_000);
	});

	test("ssh hub: without the repository → REMOTE_UNREACHABLE, naming the address", async () => {
		const failure = await failureOf(ssh.url(scratch.path("missing.git")), withKey());
		expect(failure.code).toBe("REMOTE_UNREACHABLE");
		expect(failure.message).toMatch(/missing\.git/);
	});

	test("ssh hub: its programs imitate other failures → no code from it", async () => {
		const words = "No space left on device\nPermission denied (publickey).\nkex_exchange_identification: no\nfatal: not a git repository";
		scratch.write("liar", `#!/bin/sh\ncat >&2 <<'E'\n${words}\nE\nexit 1\n`, 0o755);
		scratch.git("work", "config", "remote.origin.uploadpack", scratch.path("liar"));
		const failure = await failureOf(ssh.url(scratch.path("hub.git")), withKey());
		scratch.git("work", "config", "--unset", "remote.origin.uploadpack");
		expect(failure).toMatchObject({ code: "REMOTE_UNREACHABLE", remoteMessage: words });
	});

	test("ssh hub: nothing listens → REMOTE_UNREACHABLE", async () => {
		expect((await failureOf(`ssh://nobody@127.0.0.1:${await freePort()}/x`)).code).toBe("REMOTE_UNREACHABLE");
	});
});

describe("a hub over real http", () => {
	test("http hub: password in the address → answers and takes pushes", async () => {
		web.password = "hunter22";
		web.answer = "serve";
		scratch.git("work", "remote", "set-url", "origin", web.url.replace("//", "//sync:hunter22@").concat("/hub.git"));
		const repository = await scratch.open("work");
		expect(await readRemoteBranch(repository, "origin", "main")).toBe(head);
		expect(await pushCommit(repository, "origin", "third", head)).toBe("pushed");
	});

	test("http hub: wrong password, or none → AUTH_FAILED, no prompt", async () => {
		web.password = "hunter22";
		web.answer = "serve";
		expect((await failureOf(web.url.replace("//", "//sync:wrong@").concat("/hub.git"))).code).toBe("AUTH_FAILED");
		expect((await failureOf(`${web.url}/hub.git`)).code).toBe("AUTH_FAILED");
	});

	test.each([
		[401, "AUTH_FAILED"],
		[403, "AUTH_FAILED"],
		[404, "REMOTE_UNREACHABLE"],
		[429, "RATE_LIMITED"],
		[500, "REMOTE_UNREACHABLE"],
		[502, "REMOTE_UNREACHABLE"],
		[503, "RATE_LIMITED"],
	] as const)("http hub: answers %d → %s", async (status, code) => {
		web.answer = status;
		expect((await failureOf(`${web.url}/hub.git`)).code).toBe(code);
	});

	test.each([
		[429, { "retry-after": "120" }, "RATE_LIMITED", 120_000],
		[429, {}, "RATE_LIMITED", null],
		[403, { "x-ratelimit-remaining": "0" }, "RATE_LIMITED", null],
		[403, { "x-note": "no space left on device" }, "AUTH_FAILED", null],
		[500, { "x-note": "HTTP/1.1 429 slow down" }, "REMOTE_UNREACHABLE", null],
	] as const)("web hub: %d with %j, a misleading body → %s, its words kept", async (status, headers, code, retryAfterMs) => {
		const body = "fatal: no space left on device\nPermission denied (publickey)\nHTTP/1.1 413";
		Object.assign(web, { answer: status, headers: { "content-type": "text/plain", ...headers }, body });
		const failure = await failureOf(`${web.url}/hub.git`);
		Object.assign(web, { headers: {}, body: "no\n" });
		expect(failure).toMatchObject({ code, retryAfterMs, remoteMessage: body });
	});

	test.each([413, 408])("web hub: a push is answered with %d → PUSH_TOO_LARGE", async (status) => {
		Object.assign(web, { answer: "serve", password: null, maxBytes: 200_000, tooLarge: status });
		scratch.write("work/large", randomBytes(300_000));
		const large = scratch.commitAll("work");
		scratch.git("work", "remote", "set-url", "origin", `${web.url}/hub.git`);
		await expect(pushCommit(await scratch.open("work"), "origin", "large", large)).rejects.toMatchObject({ code: "PUSH_TOO_LARGE" });
		scratch.git("work", "reset", "-q", "--hard", head);
		web.maxBytes = Number.POSITIVE_INFINITY;
	});

	test("http hub: never answers → GIT_TIMEOUT", async () => {
		web.answer = "silence";
		expect((await failureOf(`${web.url}/hub.git`, {}, 400)).code).toBe("GIT_TIMEOUT");
	});

	test("http hub: nothing listens → REMOTE_UNREACHABLE", async () => {
		expect((await failureOf(`http://127.0.0.1:${await freePort()}/x.git`)).code).toBe("REMOTE_UNREACHABLE");
	});

	test("http hub: name does not resolve → REMOTE_UNREACHABLE", async () => {
		expect((await failureOf("http://no-such-host.invalid/x.git")).code).toBe("REMOTE_UNREACHABLE");
		if (hasSsh) expect((await failureOf("ssh://git@no-such-host.invalid/x.git")).code).toBe("REMOTE_UNREACHABLE");
	});
});

describe("a hub in the file system", () => {
	test("file hub: is not there → REMOTE_UNREACHABLE", async () => {
		expect((await failureOf(scratch.path("nowhere.git"))).code).toBe("REMOTE_UNREACHABLE");
		expect((await failureOf(`file://${scratch.path("nowhere.git")}`)).code).toBe("REMOTE_UNREACHABLE");
	});

	test("file hub: no such branch → an answer, not a failure", async () => {
		scratch.git("work", "remote", "set-url", "origin", scratch.path("hub.git"));
		expect(await readRemoteBranch(await scratch.open("work"), "origin", "nothing")).toBeNull();
	});

	test("file hub: its hook declines → PUSH_REJECTED, with its message", async () => {
		const hook = scratch.path("hub.git/hooks/pre-receive");
		fs.mkdirSync(scratch.path("hub.git/hooks"), { recursive: true });
		fs.writeFileSync(hook, "#!/bin/sh\necho not on my watch >&2\nexit 1\n", { mode: 0o755 });
		scratch.git("work", "remote", "set-url", "origin", scratch.path("hub.git"));
		const repository = await scratch.open("work");
		await expect(pushCommit(repository, "origin", "declined", head)).rejects.toMatchObject({
			code: "PUSH_REJECTED",
			detail: expect.stringContaining("not on my watch"),
		});
		fs.rmSync(hook);
	});

	test("file hub: its hook imitates other failures → PUSH_REJECTED", async () => {
		const words = [
			"fatal: Permission denied (publickey).",
			"No space left on device",
			"fatal: could not resolve host: x",
			"remote: Authentication failed",
			"! [rejected] (fetch first): cannot lock ref",
			"error: object file x is empty",
		];
		scratch.git("work", "remote", "set-url", "origin", scratch.path("hub.git"));
		const repository = await scratch.open("work");
		const hook = scratch.path("hub.git/hooks/pre-receive");
		fs.mkdirSync(scratch.path("hub.git/hooks"), { recursive: true });
		fs.writeFileSync(hook, `#!/bin/sh\ncat >&2 <<'E'\n${words.join("\n")}\nE\nprintf 'half\\rand half\\n'\nexit 1\n`, { mode: 0o755 });
		await expect(pushCommit(repository, "origin", "declined", head)).rejects.toMatchObject({
			code: "PUSH_REJECTED",
			remoteMessage: [...words, "half", "and half"].join("\n"),
		});
		fs.rmSync(hook);
	});
});

test.each([
	["remote: permission denied (publickey)\nfatal: the remote end hung up unexpectedly", "REMOTE_UNREACHABLE"],
	["fatal: remote error: No space left on device", "INTERNAL"],
	["error: remote unpack failed: Permission denied", "INTERNAL"],
	["ssh: connect to host hub port 22: Connection timed out\r\nfatal: Could not read from remote repository.", "REMOTE_UNREACHABLE"],
	["fatal: Could not read from remote repository.\r\n", "REMOTE_UNREACHABLE"],
])("a failure: stderr %j → %s, in a line without control characters", (stderr, code) => {
	const failure = classify("push", stderr, 128);
	expect(failure.code).toBe(code);
	expect(failure.message).not.toMatch(/[\r\n]/);
});

describe("a workspace that cannot be opened", () => {
	const open = (directory: string) =>
		openRepository({ directory, node: "n", env: { PATH: process.env.PATH, HOME: scratch.directory, GIT_CONFIG_NOSYSTEM: "1" } });

	test("workspace: not a repository → the two commands that make it one", async () => {
		fs.mkdirSync(scratch.path("plain"));
		await expect(open(scratch.path("plain"))).rejects.toMatchObject({
			code: "NOT_A_REPOSITORY",
			message: expect.stringMatching(/'git init'.*'git remote add origin <url>'/),
		});
	});
	test("workspace: a bare repository → refused", async () => {
		await expect(open(scratch.path("hub.git"))).rejects.toMatchObject({ code: "NOT_A_REPOSITORY", message: expect.stringMatching(/bare/) });
	});
	test("workspace: a directory inside a working tree → refused", async () => {
		fs.mkdirSync(scratch.path("work/deep"));
		await expect(open(scratch.path("work/deep"))).rejects.toMatchObject({
			code: "NOT_A_REPOSITORY",
			message: expect.stringContaining(scratch.path("work")),
		});
	});
	test("workspace: configuration does not parse → CORRUPT_REPOSITORY", async () => {
		scratch.init("broken");
		fs.writeFileSync(scratch.path("broken/.git/config"), "[core\n");
		await expect(open(scratch.path("broken"))).rejects.toMatchObject({ code: "CORRUPT_REPOSITORY" });
	});
	test("workspace: an empty object, as after a power cut → CORRUPT_REPOSITORY", async () => {
		scratch.init("torn");
		scratch.write("torn/a", "content");
		scratch.commitAll("torn");
		const blob = scratch.git("torn", "rev-parse", "HEAD:a").trim();
		const file = scratch.path("torn/.git/objects", blob.slice(0, 2), blob.slice(2));
		fs.chmodSync(file, 0o644);
		fs.writeFileSync(file, "");
		const repository = await scratch.open("torn");
		await expect(repository.run(["cat-file", "blob", blob])).rejects.toMatchObject({ code: "CORRUPT_REPOSITORY" });
		fs.rmSync(file);
		await expect(repository.run(["archive", "--output=/dev/null", "HEAD"])).rejects.toMatchObject({ code: "CORRUPT_REPOSITORY" });
	});
	test("workspace: index does not parse → CORRUPT_REPOSITORY", async () => {
		scratch.init("index");
		scratch.commitAll("index");
		fs.writeFileSync(scratch.path("index/.git/index"), "nonsense");
		const repository = await scratch.open("index");
		await expect(repository.run(["status"])).rejects.toMatchObject({ code: "CORRUPT_REPOSITORY" });
	});
	test("workspace: a live index.lock → INDEX_LOCKED", async () => {
		scratch.init("locked");
		fs.writeFileSync(scratch.path("locked/.git/index.lock"), "");
		const repository = await scratch.open("locked");
		await expect(
			repository.run(["update-index", "--add", "--cacheinfo", `100644,${"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"},a`]),
		).rejects.toMatchObject({ code: "INDEX_LOCKED" });
	});
	test("workspace: of another user → PERMISSION_DENIED, naming safe.directory", async () => {
		if (process.getuid?.() !== 0) return;
		scratch.init("foreign");
		fs.chownSync(scratch.path("foreign"), 12_345, 12_345);
		fs.chownSync(scratch.path("foreign/.git"), 12_345, 12_345);
		await expect(open(scratch.path("foreign"))).rejects.toMatchObject({
			code: "PERMISSION_DENIED",
			message: expect.stringContaining("safe.directory"),
		});
	});
	test("hub of another user: push → PERMISSION_DENIED that speaks of the hub", async () => {
		if (process.getuid?.() !== 0) return;
		const hub = scratch.hub("foreign-hub.git");
		scratch.init("pushes", hub);
		scratch.write("pushes/f", "1\n");
		const commit = scratch.commitAll("pushes", "first");
		for (const name of ["", "/objects", "/refs", "/HEAD", "/config"]) fs.chownSync(`${hub}${name}`, 12_345, 12_345);
		await expect(pushCommit(await scratch.open("pushes"), "origin", "main", commit)).rejects.toMatchObject({
			code: "PERMISSION_DENIED",
			message: expect.stringMatching(/the hub.*belongs to another user.*foreign-hub\.git/s),
		});
	});
	test("workspace: git too old → GIT_TOO_OLD, naming both versions", () => {
		expect(() => checkGitVersion("git version 2.37.9")).toThrow(expect.objectContaining({ code: "GIT_TOO_OLD" }));
		expect(() => checkGitVersion("nonsense")).toThrow(expect.objectContaining({ code: "GIT_TOO_OLD" }));
		for (const text of ["git version 2.38.0", "git version 2.39.5 (Apple Git-154)", "git version 3.0.0", "git version 10.1"])
			expect(() => checkGitVersion(text)).not.toThrow();
	});
});

test("workspace: full disk → DISK_FULL", async () => {
	// The smallest possible file system: a write to it fails as on a full disk.
	scratch.init("full");
	const repository = await scratch.open("full");
	await expect(repository.run(["-c", "alias.full=!cat /dev/zero > /dev/full", "full"])).rejects.toMatchObject({ code: "DISK_FULL" });
});
