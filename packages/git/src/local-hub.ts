import { existsSync } from "node:fs";
import path from "node:path";
import { GitError } from "./errors.ts";
import { runGit } from "./exec.ts";
import type { Oid, Repository } from "./repository.ts";

/** Hooks that a push would run there (githooks(5)). */
const hooks = ["pre-receive", "update", "proc-receive", "post-receive", "post-update", "reference-transaction"];
/** Settings of the remote that a push needs no more of than we know; any other is for git to follow. */
const plainRemoteSettings = new Set(["url", "fetch", "tagopt", "prune", "prunetags"]);
/** Settings by which a hub decides what it takes in, or where (git-config(1)). */
const decidesByItself = /^(receive|transfer|protocol|core\.hookspath|core\.worktree)\b/;

/** The path of a URL that names a directory of this machine as it is; null: any other. */
function localPath(url: string): string | null {
	const name = url.startsWith("file:///") && !url.includes("%") ? url.slice("file://".length) : url;
	return path.isAbsolute(name) ? name : null;
}

/** Whether the directory looks like a bare, whole repository without hooks and without work trees. */
function isPlainBare(directory: string): boolean {
	const has = (name: string) => existsSync(path.join(directory, name));
	return (
		has("HEAD") && has("objects") && !has(".git") && !has("shallow") && !has("worktrees") && !hooks.some((hook) => has(`hooks/${hook}`))
	);
}

/** Whether nothing in the hub's configuration, the user's and the system's included, makes a push more than objects and a ref. */
async function takesAnything(repository: Repository, directory: string): Promise<boolean> {
	const { stdout } = await runGit(directory, ["--git-dir=.", "config", "--list", "-z", "--show-scope"], repository.env);
	const fields = stdout.toString("utf8").split("\0");
	let isBare = false;
	let objectFormat = "sha1";
	for (let at = 0; at + 1 < fields.length; at += 2) {
		const [key = "", value = ""] = (fields[at + 1] ?? "").split("\n");
		// What we ask of git ourselves.
		if (fields[at] === "command") continue;
		if (decidesByItself.test(key)) return false;
		if (key === "core.bare") isBare = value === "true";
		else if (key === "extensions.objectformat") objectFormat = value;
		else if (key.startsWith("extensions.")) return false;
	}
	return isBare && objectFormat === repository.objectFormat;
}

/**
 * The directory of the remote, where it is a bare repository of this machine that takes whatever is pushed: no hook, no rule, one URL.
 * To such a hub a commit can be brought without `git receive-pack`, which reads every tree of the old commit to see that the new one
 * is whole: with a million files that is longer than all the rest.
 * @returns null: push
 */
export async function findLocalHub(repository: Repository, remote: string): Promise<string | null> {
	const { config, env } = repository;
	const url = config.get(`remote.${remote}.url`) ?? "";
	const directory = localPath(url);
	if (directory === null || env.GIT_ALLOW_PROTOCOL !== undefined || !isPlainBare(directory)) return null;
	const section = `remote.${remote}.`;
	for (const key of config.keys())
		if (/^(protocol|push\.pushoption)\b/.test(key) || (key.startsWith(section) && !plainRemoteSettings.has(key.slice(section.length))))
			return null;
	try {
		const [urls, isPlain] = await Promise.all([
			// With `url.<base>.insteadOf` followed, and all of them where there are several.
			repository.run(["remote", "get-url", "--push", "--all", "--end-of-options", remote]),
			takesAnything(repository, directory),
		]);
		return isPlain && urls.stdout.toString("utf8") === `${url}\n` ? directory : null;
	} catch (error) {
		if (error instanceof GitError) return null;
		throw error;
	}
}

const runThere = (repository: Repository, hub: string, args: readonly string[], input?: Buffer) =>
	runGit(hub, ["--git-dir=.", ...args], repository.env, { timeoutMs: repository.networkTimeoutMs, ...(input ? { input } : {}) });

/**
 * Brings every object that `commit` has and its parent `upon` has not to a hub from findLocalHub. Nothing there refers to them yet.
 * The pack is in memory: for small commits.
 * @throws GitError
 */
export async function sendObjects(repository: Repository, hub: string, commit: Oid, upon: Oid): Promise<void> {
	const { stdout: pack } = await repository.run(
		["pack-objects", "--revs", "--thin", "--sparse", "--stdout", "--delta-base-offset", "--quiet"],
		{ input: `${commit}\n^${upon}\n` },
	);
	await runThere(repository, hub, ["unpack-objects", "-q"], pack);
}

/**
 * Moves the hub's branch from `upon` to `commit`. With sendObjects before it, that branch is as whole afterwards as it was.
 * @throws GitError when it is elsewhere by now
 */
export async function moveHubBranch(repository: Repository, hub: string, branch: string, commit: Oid, upon: Oid): Promise<void> {
	await runThere(repository, hub, ["update-ref", "-m", "push", `refs/heads/${branch}`, commit, upon]);
}
