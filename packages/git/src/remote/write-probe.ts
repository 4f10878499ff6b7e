import { readHead } from "../objects/refs.ts";
import { GitError } from "../process/errors.ts";
import { remoteText } from "../process/remote-text.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { runOnNetwork } from "./transport.ts";

/**
 * Checks whether a remote accepts pushes: creates a ref there and deletes it again.
 * @param ref whole, such as refs/robust-sync/doctor/helios; used by this node only
 * @param known a commit that the remote has, and perhaps this repository too; null: HEAD's is sent
 * @returns false: there is nothing that could be sent
 * @throws GitError PUSH_REJECTED, with the remote's words, or the code of the failure
 */
export async function probeWrite(repository: Repository, remote: string, ref: string, known: Oid | null): Promise<boolean> {
	const here = known !== null && (await repository.run(["cat-file", "-e", known], { accept: [0, 1, 128] })).exitCode === 0;
	const commit = here ? known : (await readHead(repository)).oid;
	if (commit === null) return false;
	// Forced: a run that was killed may have left it.
	for (const refspec of [`+${commit}:${ref}`, `:${ref}`]) {
		const args = ["push", "--porcelain", "--quiet", "--no-verify", "--no-signed", "--end-of-options", remote, refspec];
		const { stdout, stderr, exitCode, answer } = await runOnNetwork(repository, args, { accept: [0, 1] });
		if (exitCode === 0) continue;
		const line = stdout
			.toString("utf8")
			.split("\n")
			.find((text) => text.startsWith("!\t"));
		const why = line?.split("\t")[2] ?? "the remote gives no reason";
		throw new GitError("PUSH_REJECTED", why, stderr, exitCode, { remoteMessage: remoteText(stderr, answer.remote) });
	}
	return true;
}
