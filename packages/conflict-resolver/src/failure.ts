import { GitError } from "@robust-sync/git";
import { CommandError, ExitCode } from "@robust-sync/service";
import { fileSystemProblem } from "@robust-sync/workspace";

/** Any failure with its code of docs/contract.md, section 5, and one line with the remedy. Errors with an exit code of their own pass. */
export function failure(error: unknown): unknown {
	if (error instanceof GitError) return new CommandError(`${error.code}: ${error.message}`, ExitCode.failed, { cause: error });
	const problem = fileSystemProblem(error);
	return problem === null ? error : new CommandError(`${problem.code}: ${problem.message}`, ExitCode.failed, { cause: error });
}
