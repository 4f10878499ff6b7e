import { isAllocatorSetting } from "@robust-sync/system/allocator-settings";

/** One setting of git's configuration, given to a command through the environment. */
export type ConfigEntry = readonly [key: string, value: string];

export interface GitEnvironmentOptions {
	/** The environment to start from. */
	env?: NodeJS.ProcessEnv;
	/** The user's `core.sshCommand`; our options are added when it runs OpenSSH. */
	sshCommand?: string | undefined;
	/** More options for ssh, such as those of SshConnections. */
	sshOptions?: string | undefined;
	/** Run the user's hooks. Default false. */
	hooks?: boolean;
	/** Settings on top of ours, for one repository. */
	config?: readonly ConfigEntry[];
}

// What a person may have set for git to reach a remote or to find its configuration; every other GIT_ variable could point us at another repository, index or editor.
const inherited =
	/^GIT_(SSH|SSH_COMMAND|SSH_VARIANT|SSL_\w+|HTTP_\w+|PROXY_\w+|ALLOW_PROTOCOL|PROTOCOL|EXEC_PATH|TEMPLATE_DIR|CONFIG_GLOBAL|CONFIG_SYSTEM|CONFIG_NOSYSTEM|ATTR_NOSYSTEM|AUTHOR_NAME|AUTHOR_EMAIL|COMMITTER_NAME|COMMITTER_EMAIL)$/;

/** Switches off all prompts, signing, pagers, line-end conversion, garbage collection and submodule recursion. */
const settings: readonly ConfigEntry[] = [
	["core.pager", "cat"],
	["core.askPass", ""],
	["core.autocrlf", "false"],
	["core.safecrlf", "false"],
	["core.fsmonitor", "false"],
	["core.quotePath", "false"],
	["core.fsync", "committed,loose-object,reference"],
	["color.ui", "false"],
	["commit.gpgSign", "false"],
	["push.gpgSign", "false"],
	["commit.status", "false"],
	["commit.verbose", "false"],
	["gc.auto", "0"],
	["gc.autoDetach", "false"],
	["maintenance.auto", "false"],
	["merge.directoryRenames", "false"],
	["merge.renames", "true"],
	["submodule.recurse", "false"],
	["fetch.recurseSubmodules", "false"],
	["push.recurseSubmodules", "no"],
	["push.followTags", "false"],
	["fetch.writeCommitGraph", "false"],
	["credential.interactive", "false"],
];

/** `ssh` without a terminal: never asks, notices a dead connection. The host key check stays what the user made it. */
const sshOptions = "-o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=3";

function batchSsh(command: string, more: string): string {
	const [, program] = /^\s*(?:"([^"]+)"|'[^']+'|\S+)/.exec(command) ?? [];
	const name = (program ?? command.trim().split(/\s+/)[0] ?? "").replace(/^'|'$/g, "").split("/").pop();
	return name === "ssh" ? `${command} ${sshOptions}${more === "" ? "" : ` ${more}`}` : command;
}

/**
 * The environment of every git process: no prompt, no pager, no editor, C locale, none of the caller's GIT_ variables that
 * redirect git (git(1), ENVIRONMENT VARIABLES).
 */
export function gitEnvironment({
	env = process.env,
	sshCommand,
	sshOptions: moreSshOptions = "",
	hooks = false,
	config = [],
}: GitEnvironmentOptions = {}): Record<string, string> {
	const result: Record<string, string> = {};
	for (const [name, value] of Object.entries(env)) {
		if (value === undefined || isAllocatorSetting(name, value)) continue;
		if (!name.startsWith("GIT_") || inherited.test(name)) result[name] = value;
	}
	Object.assign(result, {
		LC_ALL: "C",
		LANGUAGE: "C",
		GIT_TERMINAL_PROMPT: "0",
		GIT_ASKPASS: "",
		SSH_ASKPASS: "",
		SSH_ASKPASS_REQUIRE: "never",
		GCM_INTERACTIVE: "never",
		GIT_EDITOR: "false",
		GIT_SEQUENCE_EDITOR: "false",
		GIT_PAGER: "cat",
		GIT_MERGE_AUTOEDIT: "no",
		GIT_LFS_SKIP_SMUDGE: result.GIT_LFS_SKIP_SMUDGE ?? "0",
	});
	// GIT_SSH names a program without options: leave it alone.
	if (result.GIT_SSH_COMMAND || sshCommand || !result.GIT_SSH) {
		result.GIT_SSH_COMMAND = batchSsh(result.GIT_SSH_COMMAND ?? sshCommand ?? "ssh", moreSshOptions);
	}
	const entries = [...settings, ...(hooks ? [] : [["core.hooksPath", "/dev/null"] as const]), ...config];
	result.GIT_CONFIG_COUNT = String(entries.length);
	for (const [index, [key, value]] of entries.entries()) {
		result[`GIT_CONFIG_KEY_${index}`] = key;
		result[`GIT_CONFIG_VALUE_${index}`] = value;
	}
	return result;
}
