import { classify, GitError } from "../process/errors.ts";
import { watchPush } from "../process/process-progress.ts";
import { remoteText } from "../process/remote-text.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { givePacks } from "./give-packs.ts";
import { isRace, readRemoteBranch, refusedSummary, runOnNetwork } from "./transport.ts";

/**
 * Replaces the remote's branch by a commit that does not contain it: by force, with a lease on where the branch is. Only for a history from
 * which something was taken on purpose.
 * @param expected where the remote's branch must be @param packs of this repository that hold what is new in the commit's history
 * @returns "race": it is elsewhere, and was left as it is
 * @throws GitError PUSH_REJECTED where the remote refuses it, or the code of the failure
 */
export async function replaceRemoteBranch(
	repository: Repository,
	remote: string,
	branch: string,
	commit: Oid,
	expected: Oid,
	packs: ReadonlySet<string> = new Set(),
): Promise<"pushed" | "race"> {
	const lease = `--force-with-lease=refs/heads/${branch}:${expected}`;
	const push = ["push", "--porcelain", "--quiet", lease, "--no-verify", "--no-signed", "--end-of-options"];
	const operands = [remote, `${commit}:refs/heads/${branch}`];
	if (packs.size > 0 && (await givePacks(repository, remote, packs))) {
		// It asks the hub which commits it has, also those without a ref. Where that is not enough, the push below brings all.
		const negotiating = ["-c", "push.negotiate=true", ...push, ...operands];
		if ((await runOnNetwork(repository, negotiating, { accept: [0, 1, 128] })).exitCode === 0) return "pushed";
	}
	const { stdout, stderr, exitCode, answer } = await runOnNetwork(repository, [...push, ...operands], {
		accept: [0, 1],
		onRunning: watchPush(repository, remote, commit),
	});
	if (exitCode === 0) return "pushed";
	const summary = refusedSummary(stdout);
	if (summary === undefined) throw classify("push", stderr, exitCode, null, answer);
	// A remote that forbids forced pushes gives the same answer as one whose branch has moved: only the branch's position distinguishes them.
	if (isRace(summary) && (await readRemoteBranch(repository, remote, branch)) !== expected) return "race";
	throw new GitError(
		"PUSH_REJECTED",
		`the remote refuses to replace '${branch}': ${summary}: allow a forced push there for this once (receive.denyNonFastForwards, protected branches)`,
		stderr,
		exitCode,
		{ remoteMessage: remoteText(stderr, answer.remote) },
	);
}
