import { withSettings } from "../objects/merge-store.ts";
import { isAncestor, readParents } from "../objects/refs.ts";
import { classify, GitError } from "../process/errors.ts";
import type { GitResult, GitRunOptions } from "../process/exec.ts";
import { hookFailureText } from "../process/hook-failure.ts";
import { type NetworkAnswer, NetworkLog } from "../process/network-log.ts";
import { watchFetch, watchPush } from "../process/process-progress.ts";
import { remoteText } from "../process/remote-text.ts";
import { type Oid, Repository } from "../process/repository.ts";
import { isHubDiskFull } from "./hub-disk.ts";
import { pushLargeFiles } from "./large-files.ts";

/** What a remote offers. */
export interface RemoteRefs {
	/** Branch name to commit. */
	readonly branches: ReadonlyMap<string, Oid>;
	/** The branch that the remote's HEAD names, if that branch exists. */
	readonly defaultBranch: string | null;
}

/** The remote-tracking ref of a branch. */
export function trackingRef(remote: string, branch: string): string {
	return `refs/remotes/${remote}/${branch}`;
}

/**
 * Runs a command that talks to a remote. Its failure is classified by the messages of git, ssh and the web server, separate from those of programs
 * on the remote.
 * @param options as of runGit; the answer explains such an exit
 * @throws GitError
 */
export async function runOnNetwork(
	repository: Repository,
	args: readonly string[],
	options: Pick<GitRunOptions, "accept" | "onRunning" | "signal"> = {},
): Promise<GitResult & { answer: NetworkAnswer }> {
	const log = new NetworkLog(repository);
	try {
		const result = await repository.run(args, {
			...options,
			timeoutMs: repository.networkTimeoutMs,
			env: log.env,
			explain: (command, stderr, exitCode, signal) => classify(command, stderr, exitCode, signal, log.read()),
		});
		return { ...result, answer: log.read() };
	} finally {
		log.end();
	}
}

/** Whether a branch name from a remote is valid for git (git-check-ref-format(1)) and cannot be read as anything else. */
function isBranchName(name: string): boolean {
	return !/^-|^@$|^HEAD$|[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^\/|\/$|\.$|(^|\/)\.|\.lock($|\/)/.test(name) && name !== "";
}

/** All branches of the remote, by one connection. An empty remote has none. @throws GitError when it cannot be reached */
export async function listRemote(repository: Repository, remote: string): Promise<RemoteRefs> {
	const { stdout } = await runOnNetwork(repository, [
		"ls-remote",
		"--symref",
		"--quiet",
		"--end-of-options",
		remote,
		"HEAD",
		"refs/heads/*",
	]);
	const branches = new Map<string, Oid>();
	let target: string | null = null;
	for (const line of stdout.toString("utf8").split("\n")) {
		const [value = "", name = ""] = line.split("\t");
		if (name === "HEAD" && value.startsWith("ref: refs/heads/")) target = value.slice("ref: refs/heads/".length);
		else if (name.startsWith("refs/heads/") && isBranchName(name.slice("refs/heads/".length)))
			branches.set(name.slice("refs/heads/".length), value);
	}
	return { branches, defaultBranch: target !== null && branches.has(target) ? target : null };
}

/**
 * The objects of some refs of the remote, without those that it does not have. The cheapest question there is.
 * @param names full ones; one that ends with a slash and an asterisk stands for all refs below it
 */
export async function readRemoteRefs(repository: Repository, remote: string, names: readonly string[]): Promise<Map<string, Oid>> {
	const { stdout } = await runOnNetwork(repository, ["ls-remote", "--quiet", "--end-of-options", remote, ...names]);
	const found = new Map<string, Oid>();
	for (const line of stdout.toString("utf8").split("\n")) {
		const [oid = "", name = ""] = line.split("\t");
		if (names.some((wanted) => wanted === name || (wanted.endsWith("/*") && name.startsWith(wanted.slice(0, -1))))) found.set(name, oid);
	}
	return found;
}

/** The commit of one branch of the remote; null when it has no such branch. */
export async function readRemoteBranch(repository: Repository, remote: string, branch: string): Promise<Oid | null> {
	const name = `refs/heads/${branch}`;
	return (await readRemoteRefs(repository, remote, [name])).get(name) ?? null;
}

/** Fetches by a refspec, with nothing else. */
async function fetchOnly(repository: Repository, remote: string, refspec: string, accept: readonly number[], signal?: AbortSignal) {
	const options = ["--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules", "--refmap="];
	return await runOnNetwork(repository, ["fetch", "--quiet", ...options, "--end-of-options", remote, refspec], {
		accept,
		onRunning: watchFetch(repository),
		...(signal === undefined ? {} : { signal }),
	});
}

/**
 * Makes a ref here equal to that of the remote, wherever it was. For a commit without parents: git does not search for history that both have,
 * which takes a walk through all of it. @throws GitError; also when the remote has no such ref
 */
export async function fetchSameRef(repository: Repository, remote: string, ref: string): Promise<void> {
	const env = withSettings(repository.env, [["fetch.negotiationAlgorithm", "noop"]]);
	await fetchOnly(new Repository({ ...repository, env }), remote, `+${ref}:${ref}`, [0]);
}

/**
 * Fetches one branch into its remote-tracking ref. Not forced at first: git itself then reports whether the remote's history
 * was rewritten.
 * @param signal ends it early: the ref may have been moved or not
 * @returns whether the new tip does not contain the old one
 * @throws GitError; also when the remote has no such branch
 */
export async function fetchBranch(
	repository: Repository,
	remote: string,
	branch: string,
	signal?: AbortSignal,
): Promise<{ rewritten: boolean }> {
	const refspec = `refs/heads/${branch}:${trackingRef(remote, branch)}`;
	const { exitCode, stderr } = await fetchOnly(repository, remote, refspec, [0, 1], signal);
	if (exitCode === 0) return { rewritten: false };
	const again = await fetchOnly(repository, remote, `+${refspec}`, [0, 1], signal);
	if (again.exitCode !== 0) throw classify("fetch", again.stderr || stderr, again.exitCode, null, again.answer);
	return { rewritten: true };
}

/** How a push ended: it is on the remote, or the remote's branch had moved. */
export type PushOutcome = "pushed" | "race";

// Two pushes at the same instant: the loser gets one of these, from the client or the server.
const raced =
	/fetch first|non-fast-forward|stale info|failed to update ref|cannot lock ref|incorrect old value|reference already exists|failed to lock|unable to create .*\.lock/i;

/** `git push --porcelain` on a refused ref: "!", from and to, and "<summary> (<reason>)". Undefined: no ref was. */
export const refusedSummary = (stdout: Buffer): string | undefined =>
	stdout
		.toString("utf8")
		.split("\n")
		.find((line) => line.startsWith("!\t"))
		?.split("\t")[2];

/** Whether a ref was refused because another push has moved it. */
export const isRace = (summary: string): boolean => raced.test(summary);

/** Whether `commit` contains `expected`; a parent is found without a process. */
async function contains(repository: Repository, commit: Oid, expected: Oid): Promise<boolean> {
	if (commit === expected || (await readParents(repository, commit)).includes(expected)) return true;
	return await isAncestor(repository, expected, commit);
}

export interface PushOptions {
	/** Run the user's pre-push hook. Default false. */
	hooks?: boolean;
	/**
	 * Where the remote's branch must be: one that moved, is gone or came up meanwhile stays as it is. It is in the history of the commit.
	 * null: the remote must not have the branch. Absent: wherever the commit is a fast-forward.
	 */
	expected?: Oid | null;
	/** Called where git saw, before it sent anything, that the remote's branch is elsewhere. */
	onUnsent?: () => void;
}

/**
 * Pushes `commit` to the remote's `branch`, never by force.
 * @throws GitError PUSH_REJECTED when the remote refuses it for good, or the code of the failure
 */
export async function pushCommit(
	repository: Repository,
	remote: string,
	branch: string,
	commit: Oid,
	{ hooks = false, expected, onUnsent }: PushOptions = {},
): Promise<PushOutcome> {
	// A lease alone would let a push drop commits.
	if (expected && !(await contains(repository, commit, expected))) {
		onUnsent?.();
		return "race";
	}
	await pushLargeFiles(repository, remote, branch, commit);
	const { stdout, stderr, exitCode, answer } = await runOnNetwork(
		repository,
		[
			"push",
			"--porcelain",
			"--quiet",
			"--no-force",
			...(expected === undefined ? [] : [`--force-with-lease=refs/heads/${branch}:${expected ?? ""}`]),
			...(hooks ? [] : ["--no-verify"]),
			"--no-signed",
			"--end-of-options",
			remote,
			`${commit}:refs/heads/${branch}`,
		],
		{ accept: [0, 1], onRunning: watchPush(repository, remote, commit) },
	);
	if (exitCode === 0) return "pushed";
	const summary = refusedSummary(stdout);
	if (summary !== undefined) {
		if (isRace(summary)) {
			// "[remote rejected]" is the other side's answer.
			if (summary.startsWith("[rejected]")) onUnsent?.();
			return "race";
		}
		const isAnswer = !summary.startsWith("[remote failure]") && (answer.http?.status ?? 0) < 400;
		if (isAnswer) throw await refusal(repository, remote, branch, summary, stderr, exitCode, answer);
	}
	// Only a hook of this repository ends a push with 1 before git has a line for the remote. The last line is git's own.
	if (hooks && stdout.length === 0) {
		const said = stderr.trim().split("\n").slice(0, -1).at(-1) ?? "";
		throw new GitError("HOOK_FAILED", await hookFailureText(repository, "push", "refused the push", said), stderr, exitCode);
	}
	const failure = classify("push", stderr, exitCode, null, answer);
	if (failure.code !== "INTERNAL") throw failure;
	const { detail, remoteMessage } = failure;
	throw new GitError("PUSH_REJECTED", failure.message, detail, exitCode, { remoteMessage });
}

// The answer of git-receive-pack when it cannot store the objects. It comes before any hook.
const unpackerError = "[remote rejected] (unpacker error)";

/** A push that the remote refused, by its status line. The remote's text is passed on, and decides nothing. */
async function refusal(
	repository: Repository,
	remote: string,
	branch: string,
	summary: string,
	stderr: string,
	exitCode: number,
	{ remote: overSsh }: NetworkAnswer,
): Promise<GitError> {
	const remoteMessage = remoteText(stderr, overSsh);
	const notStored = summary === unpackerError;
	if (notStored && isHubDiskFull(repository, remote))
		return new GitError("DISK_FULL", "git push: the disk of the hub is full: free some space there", stderr, exitCode, { remoteMessage });
	const advice = notStored ? "it cannot, or will not, store the push: see its message" : `allow this node to push to '${branch}' there`;
	const declined = !notStored && summary.startsWith("[remote rejected] ");
	const message = `the remote refused the push: ${summary}: ${advice}`;
	return new GitError("PUSH_REJECTED", message, stderr, exitCode, { remoteMessage, notStored, declined });
}
