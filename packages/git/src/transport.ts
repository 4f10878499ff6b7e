import { classify, GitError, isDiskFull } from "./errors.ts";
import { pushLargeFiles } from "./large-files.ts";
import { remoteText } from "./remote-text.ts";
import type { Oid, Repository } from "./repository.ts";

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

/** All branches of the remote, by one connection. An empty remote has none. @throws GitError when it cannot be reached */
export async function listRemote(repository: Repository, remote: string): Promise<RemoteRefs> {
	const { stdout } = await repository.run(["ls-remote", "--symref", "--quiet", "--end-of-options", remote, "HEAD", "refs/heads/*"], {
		timeoutMs: repository.networkTimeoutMs,
	});
	const branches = new Map<string, Oid>();
	let target: string | null = null;
	for (const line of stdout.toString("utf8").split("\n")) {
		const [value = "", name = ""] = line.split("\t");
		if (name === "HEAD" && value.startsWith("ref: refs/heads/")) target = value.slice("ref: refs/heads/".length);
		else if (name.startsWith("refs/heads/")) branches.set(name.slice("refs/heads/".length), value);
	}
	return { branches, defaultBranch: target !== null && branches.has(target) ? target : null };
}

/** The commit of one branch of the remote; null when it has no such branch. The cheapest question there is. */
export async function readRemoteBranch(repository: Repository, remote: string, branch: string): Promise<Oid | null> {
	const { stdout } = await repository.run(["ls-remote", "--quiet", "--end-of-options", remote, `refs/heads/${branch}`], {
		timeoutMs: repository.networkTimeoutMs,
	});
	for (const line of stdout.toString("utf8").split("\n")) {
		const [oid = "", name = ""] = line.split("\t");
		if (name === `refs/heads/${branch}`) return oid;
	}
	return null;
}

/**
 * Fetches one branch into its remote-tracking ref. Not forced at first: git itself then says whether the remote's history
 * was rewritten.
 * @returns whether the new tip does not contain the old one
 * @throws GitError; also when the remote has no such branch
 */
export async function fetchBranch(repository: Repository, remote: string, branch: string): Promise<{ rewritten: boolean }> {
	const refspec = `refs/heads/${branch}:${trackingRef(remote, branch)}`;
	const fetch = (spec: string, accept: readonly number[]) =>
		repository.run(
			[
				"fetch",
				"--quiet",
				"--no-tags",
				"--no-write-fetch-head",
				"--no-auto-maintenance",
				"--no-recurse-submodules",
				"--refmap=",
				"--end-of-options",
				remote,
				spec,
			],
			{
				accept,
				timeoutMs: repository.networkTimeoutMs,
			},
		);
	const { exitCode, stderr } = await fetch(refspec, [0, 1]);
	if (exitCode === 0) return { rewritten: false };
	const again = await fetch(`+${refspec}`, [0, 1]);
	if (again.exitCode !== 0) throw classify("fetch", again.stderr || stderr, again.exitCode);
	return { rewritten: true };
}

/** How a push ended: it is on the remote, or the remote's branch had moved. */
export type PushOutcome = "pushed" | "race";

// Two pushes at the same instant: the loser is told so by one of these, whoever of client and server noticed it.
const raced =
	/fetch first|non-fast-forward|stale info|failed to update ref|cannot lock ref|incorrect old value|reference already exists|failed to lock|unable to create .*\.lock/i;

/**
 * Pushes `commit` to the remote's `branch`, never by force. The first push makes the branch.
 * @throws GitError PUSH_REJECTED when the remote refuses it for good, or the code of the failure
 */
export async function pushCommit(
	repository: Repository,
	remote: string,
	branch: string,
	commit: Oid,
	{ hooks = false } = {},
): Promise<PushOutcome> {
	await pushLargeFiles(repository, remote, branch, commit);
	const { stdout, stderr, exitCode } = await repository.run(
		[
			"push",
			"--porcelain",
			"--quiet",
			"--no-force",
			...(hooks ? [] : ["--no-verify"]),
			"--no-signed",
			"--end-of-options",
			remote,
			`${commit}:refs/heads/${branch}`,
		],
		{ accept: [0, 1], timeoutMs: repository.networkTimeoutMs },
	);
	if (exitCode === 0) return "pushed";
	// Porcelain: "<flag>\t<from>:<to>\t<summary> (<reason>)"
	const refused = stdout
		.toString("utf8")
		.split("\n")
		.find((line) => line.startsWith("!\t"));
	if (refused !== undefined) {
		const summary = refused.split("\t")[2] ?? "";
		if (raced.test(summary)) return "race";
		throw refusal(branch, summary, stderr, exitCode);
	}
	const failure = classify("push", stderr, exitCode);
	if (failure.code !== "INTERNAL") throw failure;
	const { detail, remoteMessage } = failure;
	if (hooks)
		throw new GitError("HOOK_FAILED", "the pre-push hook of this repository refused: mend it, or set SYNC_HOOKS=0", detail, exitCode);
	throw new GitError("PUSH_REJECTED", failure.message, detail, exitCode, { remoteMessage });
}

// What git-receive-pack answers when it cannot store what it got. No hook has run by then: the text beside it is git's own.
const notStored = "[remote rejected] (unpacker error)";

/** A push that the remote refused, by its status line. What a hook wrote is passed on, and decides nothing. */
function refusal(branch: string, summary: string, stderr: string, exitCode: number): GitError {
	const remoteMessage = remoteText(stderr);
	if (summary === notStored && isDiskFull(stderr))
		return new GitError("DISK_FULL", "git push: free some space on the remote", stderr, exitCode, { remoteMessage });
	const message = `the remote refused the push: ${summary}: allow this node to push to '${branch}' there`;
	return new GitError("PUSH_REJECTED", message, stderr, exitCode, { remoteMessage });
}
