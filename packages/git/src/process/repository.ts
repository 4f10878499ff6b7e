import { existsSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { diskFiles } from "@robust-sync/system/disk-files";
import type { Files } from "@robust-sync/system/files";
import { GitError } from "./errors.ts";
import { type GitResult, type GitRunOptions, runGit } from "./exec.ts";
import { type ConfigEntry, gitEnvironment } from "./git-environment.ts";
import { lockHolder, setAsideLockFile } from "./lock-files.ts";
import { ignoreProgress, type OnProgress } from "./progress.ts";

/** A 40 or 64 digit object id. */
export type Oid = string;

/** How often a command that a shrinking file kills is run, and the pause in between. */
const shrunkFileAttempts = 8;
const shrunkFilePauseMs = 20;

/** git waits for locks of refs by itself (core.filesRefLockTimeout), and never for that of the index; its message in the C locale: */
const lockIsHeld = /Unable to create '[^']*\.lock': File exists/;
/** Most such locks are held for milliseconds. A lock that a dead process left is for recovery. */
const lockTimeoutMs = 2_000;
const lockPauseMs = 25;

const minimumVersion = [2, 38] as const;

/** Throws GIT_TOO_OLD unless `text` (what `git version` printed) names 2.38 or newer. */
export function checkGitVersion(text: string): void {
	const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
	const [major, minor] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
	if (major > minimumVersion[0] || (major === minimumVersion[0] && minor >= minimumVersion[1])) return;
	throw new GitError(
		"GIT_TOO_OLD",
		`git ${match?.[0] ?? "of an unknown version"} is too old: install git ${minimumVersion.join(".")} or newer (merges are computed with git merge-tree --write-tree)`,
	);
}

export interface OpenOptions {
	/** The top level of the working tree. */
	directory: string;
	/** Committer name where the user has configured none. */
	node: string;
	/** Milliseconds until a command that talks to the remote is killed. */
	networkTimeoutMs?: number;
	hooks?: boolean;
	env?: NodeJS.ProcessEnv;
	/** More options for ssh (SshConnections). */
	sshOptions?: string;
	/** Called with the progress of long work. */
	onProgress?: OnProgress;
}

/** A working tree with its repository, opened. All git commands on it go through `run`. */
export class Repository {
	/** The top level of the working tree, absolute, symlinks resolved as git does. */
	readonly root: string;
	readonly gitDirectory: string;
	readonly commonDirectory: string;
	readonly objectFormat: "sha1" | "sha256";
	readonly isShallow: boolean;
	readonly isSparse: boolean;
	readonly networkTimeoutMs: number;
	/** Whether the user's hooks run. */
	readonly hooks: boolean;
	/** git's configuration, keys as git prints them (section and name in lower case), the last value of each. */
	readonly config: ReadonlyMap<string, string>;
	readonly env: Readonly<Record<string, string>>;
	readonly onProgress: OnProgress;
	/** The file system that a checkout works on. */
	readonly files: Files;

	constructor(fields: Omit<Repository, "run" | "indexFile" | "emptyTree" | "zeroOid">) {
		this.root = fields.root;
		this.gitDirectory = fields.gitDirectory;
		this.commonDirectory = fields.commonDirectory;
		this.objectFormat = fields.objectFormat;
		this.isShallow = fields.isShallow;
		this.isSparse = fields.isSparse;
		this.networkTimeoutMs = fields.networkTimeoutMs;
		this.hooks = fields.hooks;
		this.config = fields.config;
		this.env = fields.env;
		this.onProgress = fields.onProgress;
		this.files = fields.files;
	}

	/** The index that git commands read and write. */
	get indexFile(): string {
		return this.env.GIT_INDEX_FILE ?? path.join(this.gitDirectory, "index");
	}

	/**
	 * Runs git on this repository (see runGit); again where another git held a lock for a moment (a person's `git status` does), and
	 * where a file shrank under it: git maps files into memory, and one that its writer empties meanwhile kills it by SIGBUS
	 * (mmap(2)), with its index.lock left behind.
	 * @throws GitError
	 */
	async run(args: readonly string[], options: GitRunOptions = {}): Promise<GitResult> {
		const { input, onOutput, onRepeat, outputTo } = options;
		// The first attempt uses up an iterator or a stream. An iterable that returns a new iterator each time can be read again.
		const isReusable = input === undefined || typeof input === "string" || !("next" in input || "pipe" in input);
		const repeatable = (onOutput === undefined || onRepeat !== undefined) && outputTo === undefined && isReusable;
		const lock = `${this.indexFile}.lock`;
		const started = performance.now();
		for (let attempt = 1, isRepeated = false; ; attempt++, isRepeated = true) {
			try {
				if (isRepeated) onRepeat?.();
				return await runGit(this.root, args, this.env, options);
			} catch (error) {
				if (!(error instanceof GitError) || !repeatable) throw error;
				if (lockIsHeld.test(error.detail) && performance.now() - started < lockTimeoutMs) {
					await sleep(lockPauseMs);
					continue;
				}
				if (error.signal !== "SIGBUS" || attempt >= shrunkFileAttempts) throw error;
				const left = statSync(lock, { throwIfNoEntry: false });
				if (left && lockHolder(this, lock) === null) setAsideLockFile(this, lock, left.ino, `killed-by-${error.signal}`);
				await sleep(shrunkFilePauseMs);
			}
		}
	}

	/** The id of the tree without entries. */
	get emptyTree(): Oid {
		return this.objectFormat === "sha1"
			? "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
			: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321";
	}

	get zeroOid(): Oid {
		return "0".repeat(this.objectFormat === "sha1" ? 40 : 64);
	}
}

/** The PATH whose git was found to be new enough; null: none yet. */
let checkedPath: string | undefined | null = null;

/** `git config --list -z`: each entry is key LF value NUL; a key without value has no LF. */
function parseConfigList(output: Buffer): Map<string, string> {
	const config = new Map<string, string>();
	for (const entry of output.toString("utf8").split("\0")) {
		if (entry === "") continue;
		const at = entry.indexOf("\n");
		config.set(at < 0 ? entry : entry.slice(0, at), at < 0 ? "true" : entry.slice(at + 1));
	}
	return config;
}

/**
 * Opens the repository whose working tree's top level is `directory`.
 * @throws GitError NOT_A_REPOSITORY (also for a bare one, or a directory below the top level), GIT_TOO_OLD, PERMISSION_DENIED
 */
export async function openRepository(options: OpenOptions): Promise<Repository> {
	const {
		directory,
		node,
		networkTimeoutMs = 120_000,
		hooks = false,
		env = process.env,
		sshOptions,
		onProgress = ignoreProgress,
	} = options;
	const plain = gitEnvironment({ env, hooks });
	const version = checkedPath === env.PATH ? null : runGit(directory, ["--version"], plain);
	const answers = Promise.all([
		runGit(
			directory,
			[
				"rev-parse",
				"--path-format=absolute",
				"--is-bare-repository",
				"--is-shallow-repository",
				"--show-object-format",
				"--absolute-git-dir",
				"--git-common-dir",
				"--show-toplevel",
			],
			plain,
			{
				accept: [0, 128, 129],
			},
		),
		runGit(directory, ["config", "--list", "-z"], plain, { accept: [0, 1, 128] }),
	]);
	// Whatever else an old git answers, or refuses to: its age is the reason.
	answers.catch(() => undefined);
	if (version) checkGitVersion((await version).stdout.toString("latin1"));
	checkedPath = env.PATH;
	const [layout, list] = await answers;
	const fields = layout.stdout.toString("utf8").split("\n");
	if (layout.exitCode !== 0) {
		if (/dubious ownership/.test(layout.stderr)) {
			throw new GitError(
				"PERMISSION_DENIED",
				`${directory} belongs to another user, and git refuses it: run as its owner, or run: git config --global --add safe.directory ${directory}`,
				layout.stderr,
			);
		}
		if (fields[0] === "true")
			throw new GitError("NOT_A_REPOSITORY", `${directory} is a bare repository: clone it, and sync the clone`, layout.stderr);
		if (/not a git repository|must be run in a work tree/i.test(layout.stderr)) {
			throw new GitError(
				"NOT_A_REPOSITORY",
				`${directory} is not a git working tree: run 'git init' there, then 'git remote add origin <url>'`,
				layout.stderr,
			);
		}
		throw new GitError(
			"CORRUPT_REPOSITORY",
			`the repository in ${directory} cannot be opened: ${layout.stderr.trim().split("\n")[0] ?? ""}: repair it (git fsck), or clone it again beside`,
			layout.stderr,
		);
	}
	const [, shallow, format, gitDirectory = "", commonDirectory = "", root = ""] = fields;
	if (path.resolve(root) !== path.resolve(directory) && !sameDirectory(root, directory)) {
		throw new GitError(
			"NOT_A_REPOSITORY",
			`${directory} is inside the git working tree ${root}: name its top level as the workspace, or run 'git init' in it, then 'git remote add origin <url>'`,
		);
	}
	const config = parseConfigList(list.stdout);
	const identity: ConfigEntry[] = [];
	// If only this process is killed, git itself gives up on a silent server, a little after our own timeout.
	const timeouts: ConfigEntry[] = [
		["http.lowSpeedLimit", "1"],
		["http.lowSpeedTime", String(Math.ceil(networkTimeoutMs / 1000) + 5)],
	];
	// On a case-sensitive file system, this setting would hide renames that change only the case, and unite two files.
	const isMistaken = config.get("core.ignorecase") === "true" && !existsSync(path.join(directory, ".gIT"));
	const names: ConfigEntry[] = isMistaken ? [["core.ignoreCase", "false"]] : [];
	if (!config.get("user.name") && !env.GIT_AUTHOR_NAME) identity.push(["user.name", node]);
	if (!config.get("user.email") && !env.GIT_AUTHOR_EMAIL) identity.push(["user.email", `${node}@robust-sync`]);
	return new Repository({
		root: path.resolve(directory),
		gitDirectory,
		commonDirectory,
		objectFormat: format === "sha256" ? "sha256" : "sha1",
		isShallow: shallow === "true",
		isSparse: config.get("core.sparsecheckout") === "true",
		networkTimeoutMs,
		hooks,
		onProgress,
		files: diskFiles,
		config,
		env: gitEnvironment({
			env,
			hooks,
			sshCommand: config.get("core.sshcommand"),
			sshOptions,
			config: [...identity, ...timeouts, ...names],
		}),
	});
}

function sameDirectory(a: string, b: string): boolean {
	try {
		return realpathSync.native(a) === realpathSync.native(b);
	} catch {
		return false;
	}
}
