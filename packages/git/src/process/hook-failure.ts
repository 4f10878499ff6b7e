import { existsSync } from "node:fs";
import path from "node:path";
import type { Repository } from "./repository.ts";

/** The user's own hooks that can stop what robust-sync lets git do (SYNC_HOOKS=1), in the order in which git runs them. */
const hooksOf = {
	commit: ["pre-commit", "prepare-commit-msg", "commit-msg", "reference-transaction"],
	push: ["pre-push"],
} as const;

/**
 * The message when a hook of this repository stopped a command: what happened, and which files to check.
 *
 * @param action what was stopped
 * @param what in words: "refused the commit"
 * @param said what the hook printed; empty: nothing
 */
export async function hookFailureText(repository: Repository, action: keyof typeof hooksOf, what: string, said: string): Promise<string> {
	const { stdout } = await repository.run(["rev-parse", "--git-path", "hooks"]);
	const directory = path.resolve(repository.root, stdout.toString("utf8").replace(/\n$/, ""));
	const there = hooksOf[action].map((hook) => path.join(directory, hook)).filter((file) => existsSync(file));
	const files = there.length > 0 ? there.join(" or ") : path.join(directory, hooksOf[action][0]);
	return `a git hook ${what}${said === "" ? "" : `: ${said}`}: correct ${files}, or set SYNC_HOOKS=0`;
}
