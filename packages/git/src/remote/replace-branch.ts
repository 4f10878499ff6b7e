import { withObjectReader } from "../objects/object-reader.ts";
import { classify, GitError } from "../process/errors.ts";
import { watchPush } from "../process/process-progress.ts";
import { remoteText } from "../process/remote-text.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { givePacks } from "./give-packs.ts";
import { isRace, readRemoteBranch, refusedSummary, runOnNetwork } from "./transport.ts";

/** A history that was made from another one, and where its new objects are in this repository. */
export interface NewHistory {
	/** The tip of the old history. Whatever the new one has in common with it is not written again. */
	readonly from: Oid;
	readonly to: Oid;
	/** The packs that were written for it. */
	readonly packs: ReadonlySet<string>;
	/** Its objects that are neither in these packs nor known to be in the old history. */
	readonly outside: ReadonlySet<Oid>;
}

/** Keeps a new history on a hub of this machine until the branch refers to it. */
export const givenRef = "refs/robust-sync/given";

/**
 * Makes a ref on the hub of a history whose objects are all there: those of the old one, which its branch has, and those of the packs. A push
 * then need not examine every object of it again.
 * @returns whether all of them are known to be there @throws GitError
 */
async function markGiven(hub: Repository, { to, outside }: NewHistory): Promise<boolean> {
	const oids = [to, ...outside];
	const infos = await withObjectReader(hub, (reader) => reader.infos(oids));
	if (infos.includes(null)) return false;
	await hub.run(["update-ref", givenRef, to]);
	return true;
}

/** What a refusal means, by the status line of git-receive-pack: a hook may have any reason, and only its own text has it. */
function adviceFor(summary: string): string {
	if (isRace(summary)) return "allow a forced push there for this once (receive.denyNonFastForwards, protected branches)";
	if (/ \((?:pre-receive |protected branch )?hook declined\)$/.test(summary))
		return "a hook there declined it: see its message for the reason (one that protects the branch has to allow a forced push for this once)";
	return "see the message of the remote";
}

/**
 * Replaces the remote's branch by a commit that does not contain it: by force, with a lease on where the branch is. Only for a history from
 * which something was taken on purpose.
 * @param expected where the remote's branch must be @param made what is new in the commit's history; null: it is not known
 * @returns "race": it is elsewhere, and was left as it is
 * @throws GitError PUSH_REJECTED where the remote refuses it, or the code of the failure
 */
export async function replaceRemoteBranch(
	repository: Repository,
	remote: string,
	branch: string,
	commit: Oid,
	expected: Oid,
	made: NewHistory | null = null,
): Promise<"pushed" | "race"> {
	const lease = `--force-with-lease=refs/heads/${branch}:${expected}`;
	const push = ["push", "--porcelain", "--quiet", lease, "--no-verify", "--no-signed", "--end-of-options"];
	// A remote that forbids forced pushes gives the same answer as one whose branch has moved: only the branch's position distinguishes them.
	const hasMoved = async (summary: string | undefined) =>
		summary !== undefined && isRace(summary) && (await readRemoteBranch(repository, remote, branch)) !== expected;
	const operands = [remote, `${commit}:refs/heads/${branch}`];
	const hub = made === null || made.packs.size === 0 ? null : await givePacks(repository, remote, made.packs);
	if (made !== null && hub !== null) {
		const isMarked = made.from === expected && (await markGiven(hub, made).catch(() => false));
		// It asks the hub which commits it has, also those without a ref. Where that is not enough, the push below brings all.
		const negotiating = ["-c", "push.negotiate=true", ...push, ...operands];
		const { exitCode, stdout } = await runOnNetwork(repository, isMarked ? [...push, ...operands] : negotiating, { accept: [0, 1, 128] });
		if (isMarked) await hub.run(["update-ref", "-d", givenRef], { accept: [0, 1, 128] });
		if (exitCode === 0) return "pushed";
		// A second push takes time in which others push once more.
		if (await hasMoved(refusedSummary(stdout))) return "race";
	}
	const { stdout, stderr, exitCode, answer } = await runOnNetwork(repository, [...push, ...operands], {
		accept: [0, 1],
		onRunning: watchPush(repository, remote, commit),
	});
	if (exitCode === 0) return "pushed";
	const summary = refusedSummary(stdout);
	if (summary === undefined) throw classify("push", stderr, exitCode, null, answer);
	if (await hasMoved(summary)) return "race";
	throw new GitError("PUSH_REJECTED", `the remote refuses to replace '${branch}': ${summary}: ${adviceFor(summary)}`, stderr, exitCode, {
		remoteMessage: remoteText(stderr, answer.remote),
	});
}

/** Makes a ref of the remote equal to ours, wherever it was. Only for a ref of our own that is no branch. @throws GitError */
export async function replaceRemoteRef(repository: Repository, remote: string, ref: string): Promise<void> {
	await runOnNetwork(repository, ["push", "--quiet", "--no-verify", "--no-signed", "--end-of-options", remote, `+${ref}:${ref}`]);
}

/**
 * Makes refs on the remote that it does not have, and removes others. Only for refs of our own that are no branches.
 * @param made their names and objects of this repository
 * @throws GitError
 */
export async function changeRemoteRefs(
	repository: Repository,
	remote: string,
	made: readonly { readonly ref: string; readonly oid: Oid }[],
	removed: readonly string[],
): Promise<void> {
	const refspecs = [...made.map(({ ref, oid }) => `${oid}:${ref}`), ...removed.map((ref) => `:${ref}`)];
	// Without any, git would push what it is configured to.
	if (refspecs.length === 0) return;
	await runOnNetwork(repository, ["push", "--quiet", "--no-verify", "--no-signed", "--end-of-options", remote, ...refspecs]);
}
