import { GitError } from "./errors.ts";
import { runGit } from "./exec.ts";
import { gitEnvironment } from "./git-environment.ts";

/** What `git --version` prints; null: git cannot be run. In no directory of a person's, which might not be readable. */
export async function readGitVersion(env: NodeJS.ProcessEnv = process.env): Promise<string | null> {
	try {
		return (await runGit("/", ["--version"], gitEnvironment({ env }))).stdout.toString("latin1");
	} catch (error) {
		if (error instanceof GitError || (error as NodeJS.ErrnoException).code !== undefined) return null;
		throw error;
	}
}
