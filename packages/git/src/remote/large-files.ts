import { existsSync } from "node:fs";
import path from "node:path";
import { classify, GitError } from "../process/errors.ts";
import type { Oid, Repository } from "../process/repository.ts";

/** Whether files of this repository may be kept outside of git by Git LFS (git-lfs-config(5)). */
function usesLargeFiles(repository: Repository): boolean {
	// `git lfs install` sets the filter for a user; a repository that uses it also has the directory.
	return repository.config.has("filter.lfs.process") && existsSync(path.join(repository.commonDirectory, "lfs"));
}

/**
 * Takes what `commit` needs to the remote's LFS store, before the commit itself goes there: as the pre-push hook of Git LFS
 * would do, which our pushes do not run. Without it other nodes would get a pointer to nothing.
 * @throws GitError
 */
export async function pushLargeFiles(repository: Repository, remote: string, branch: string, commit: Oid): Promise<void> {
	if (!usesLargeFiles(repository)) return;
	const url = repository.config.get(`remote.${remote}.pushurl`) ?? repository.config.get(`remote.${remote}.url`) ?? remote;
	const ref = `refs/heads/${branch}`;
	const { exitCode, stdout, stderr } = await repository.run(["lfs", "pre-push", remote, url], {
		input: `${ref} ${commit} ${ref} ${repository.zeroOid}\n`,
		accept: [0, 1, 2],
		timeoutMs: repository.networkTimeoutMs,
	});
	if (exitCode === 0) return;
	const said = `${stderr}\n${stdout.toString("utf8")}`;
	const failure = classify("lfs push", said, exitCode);
	if (failure.code !== "INTERNAL") throw failure;
	throw new GitError(
		"PUSH_REJECTED",
		`Git LFS cannot upload the files that are marked for it: give the remote an LFS server, or remove filter=lfs from .gitattributes (${said.trim().split("\n")[0] ?? ""})`,
		failure.detail,
		exitCode,
	);
}
