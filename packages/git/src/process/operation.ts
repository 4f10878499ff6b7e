import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";

/** The operations that a person, or a crash, may leave open in a repository, as in git-status(1). */
export type OperationName = "merge" | "rebase" | "am" | "cherry-pick" | "revert" | "bisect";

export interface OperationInProgress {
	readonly name: OperationName;
	/** When the operation began, or when git last stopped in it; milliseconds since the epoch. */
	readonly stoppedAt: number;
}

/** An operation with its article, for a sentence. */
export const operationText = (name: OperationName): string => `${name === "am" ? "an" : "a"} ${name}`;

/** The commands that finish an operation or give it up. git has none that finishes a bisect. */
export const endCommands = (name: OperationName): string =>
	name === "bisect" ? "git bisect reset" : `git ${name} --continue or git ${name} --abort`;

const sequencer = "sequencer";
const marks: readonly (readonly [name: OperationName, file: string])[] = [
	["rebase", "rebase-merge"],
	["am", "rebase-apply/applying"],
	["rebase", "rebase-apply"],
	["cherry-pick", "CHERRY_PICK_HEAD"],
	["revert", "REVERT_HEAD"],
	["merge", "MERGE_HEAD"],
	["cherry-pick", sequencer],
	["bisect", "BISECT_LOG"],
];

/** A cherry-pick or revert of several commits, after a person has committed the one at which git stopped. The remaining todo list shows which. */
function sequenced(gitDirectory: string): "cherry-pick" | "revert" {
	try {
		return /^(revert|r) /.test(readFileSync(path.join(gitDirectory, sequencer, "todo"), "latin1")) ? "revert" : "cherry-pick";
	} catch {
		return "cherry-pick";
	}
}

/** The operation that is open in the git directory, or null. Reads marks in the directory; starts no process. */
export function operationInProgress(gitDirectory: string): OperationInProgress | null {
	for (const [name, mark] of marks) {
		const file = path.join(gitDirectory, mark);
		const stats = statSync(file, { throwIfNoEntry: false });
		if (!stats) continue;
		const shown = mark === sequencer ? sequenced(gitDirectory) : name;
		return { name: shown, stoppedAt: stats.mtimeMs };
	}
	return null;
}

/** The commits that the merge in progress brings in. */
export function mergeHeads(gitDirectory: string): string[] {
	const file = path.join(gitDirectory, "MERGE_HEAD");
	return existsSync(file) ? readFileSync(file, "latin1").trim().split("\n") : [];
}
