import { execFileSync } from "node:child_process";
import { describe, expect, test } from "@jest/globals";
import { withAllocatorSettings } from "@robust-sync/system/allocator-settings";
import { gitEnvironment } from "./git-environment.ts";

const setting = (env: Record<string, string>, key: string) => {
	for (let index = 0; index < Number(env.GIT_CONFIG_COUNT); index++)
		if (env[`GIT_CONFIG_KEY_${index}`] === key) return env[`GIT_CONFIG_VALUE_${index}`];
	return undefined;
};

describe("nothing of the caller's environment points git elsewhere", () => {
	const dangerous = {
		GIT_DIR: "/elsewhere",
		GIT_WORK_TREE: "/elsewhere",
		GIT_INDEX_FILE: "/elsewhere/index",
		GIT_OBJECT_DIRECTORY: "/elsewhere",
		GIT_ALTERNATE_OBJECT_DIRECTORIES: "/elsewhere",
		GIT_NAMESPACE: "n",
		GIT_EDITOR: "vi",
		GIT_SEQUENCE_EDITOR: "vi",
		GIT_PAGER: "less",
		GIT_EXTERNAL_DIFF: "meld",
		GIT_TRACE: "1",
		GIT_CONFIG_PARAMETERS: "'a.b=c'",
		GIT_CONFIG_COUNT: "1",
		GIT_CONFIG_KEY_0: "core.pager",
		GIT_CONFIG_VALUE_0: "less",
		GIT_LITERAL_PATHSPECS: "1",
		GIT_ASKPASS: "/usr/bin/ask",
		SSH_ASKPASS: "/usr/bin/ask",
		LC_ALL: "de_DE.UTF-8",
		LANGUAGE: "de",
	};
	const env = gitEnvironment({ env: { ...dangerous, HOME: "/home/x", PATH: "/bin" } });

	test.each(["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE"])(
		"environment: %s → git goes nowhere else",
		(name) => expect(env[name]).toBeUndefined(),
	);
	test.each(["GIT_EXTERNAL_DIFF", "GIT_TRACE", "GIT_CONFIG_PARAMETERS", "GIT_LITERAL_PATHSPECS"])(
		"environment: set by the caller, %s → git goes nowhere else",
		(name) => expect(env[name]).toBeUndefined(),
	);
	test("environment: any → no prompt, pager or editor; messages in one language", () => {
		expect(env).toMatchObject({
			GIT_TERMINAL_PROMPT: "0",
			GIT_ASKPASS: "",
			SSH_ASKPASS: "",
			GIT_EDITOR: "false",
			GIT_SEQUENCE_EDITOR: "false",
			GIT_PAGER: "cat",
			LC_ALL: "C",
			LANGUAGE: "C",
			HOME: "/home/x",
			PATH: "/bin",
		});
		expect(setting(env, "core.pager")).toBe("cat");
	});
});

test("environment: variables for reaching the remote → stay", () => {
	const given = { GIT_SSL_CAINFO: "/ca", GIT_SSL_NO_VERIFY: "1", GIT_PROXY_COMMAND: "p", GIT_CONFIG_GLOBAL: "/g", http_proxy: "http://p" };
	expect(gitEnvironment({ env: given })).toMatchObject(given);
});

describe("ssh never asks and notices a dead line", () => {
	const command = (options: Parameters<typeof gitEnvironment>[0]) => gitEnvironment({ env: {}, ...options }).GIT_SSH_COMMAND;
	const batch = /-o BatchMode=yes -o ConnectTimeout=\d+ -o ServerAliveInterval=\d+/;

	test("ssh: nothing configured → never asks, notices a dead line", () => expect(command({})).toMatch(batch));
	test("ssh: a person's own command → never asks, notices a dead line", () => {
		expect(command({ sshCommand: "ssh -i ~/.ssh/hub" })).toMatch(/^ssh -i ~\/\.ssh\/hub -o BatchMode=yes/);
		expect(command({ sshCommand: '"/usr/bin/ssh" -p 2' })).toMatch(batch);
		expect(command({ env: { GIT_SSH_COMMAND: "/opt/ssh -v" }, sshCommand: "ssh" })).toMatch(/^\/opt\/ssh -v -o BatchMode/);
	});
	test("ssh: a program that is not OpenSSH → no options of OpenSSH", () => {
		expect(command({ sshCommand: "plink -batch" })).toBe("plink -batch");
		expect(gitEnvironment({ env: { GIT_SSH: "/usr/bin/plink" } }).GIT_SSH_COMMAND).toBeUndefined();
	});
	test("ssh: host key check → as the user made it", () => expect(command({})).not.toMatch(/StrictHostKey/));
});

test("hooks: wanted or not → run only where wanted", () => {
	expect(setting(gitEnvironment({ env: {} }), "core.hooksPath")).toBe("/dev/null");
	expect(setting(gitEnvironment({ env: {}, hooks: true }), "core.hooksPath")).toBeUndefined();
});

test("settings: ours against a person's → ours win, as git reads them", () => {
	const env = gitEnvironment({ env: { PATH: process.env.PATH, HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" } });
	const read = (key: string) => execFileSync("git", ["config", "--get", key], { env, encoding: "utf8" }).trim();
	expect([read("commit.gpgSign"), read("core.autocrlf"), read("gc.auto"), read("core.fsync")]).toEqual([
		"false",
		"false",
		"0",
		"committed,loose-object,reference",
	]);
});

test("environment: allocator settings of a service → not for git, a person's own are", () => {
	const env = gitEnvironment({ env: withAllocatorSettings({ MALLOC_ARENA_MAX: "8" }) });
	expect(Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith("MALLOC_")))).toEqual({ MALLOC_ARENA_MAX: "8" });
});
