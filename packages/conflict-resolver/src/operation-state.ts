import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { type Oid, type OperationName, operationInProgress, type Repository } from "@robust-sync/git";

/** The operation of git in progress. `null`: one that leaves no mark: a stash, a squash, a checkout with `-m`. */
export type Operation = Exclude<OperationName, "bisect"> | null;

export interface OperationState {
	readonly name: Operation;
	/** The commit that is being merged or applied, if there is one. */
	readonly theirs: Oid | null;
	/** When git stopped for a person, milliseconds since the epoch. */
	readonly beganAt: number;
	/** The git command that continues when nothing is unmerged; null for a merge, which is completed here. */
	readonly next: string | null;
}

function read(repository: Repository, name: string): string | null {
	const file = path.join(repository.gitDirectory, name);
	return existsSync(file) && statSync(file).isFile() ? readFileSync(file, "latin1").trim() : null;
}

const headOf: Readonly<Record<string, readonly string[]>> = {
	merge: ["MERGE_HEAD"],
	"cherry-pick": ["CHERRY_PICK_HEAD"],
	revert: ["REVERT_HEAD"],
	rebase: ["REBASE_HEAD", "rebase-merge/stopped-sha", "rebase-apply/original-commit"],
	am: ["rebase-apply/original-commit"],
};

/** Reads the marks in the git directory (gitrepository-layout(5)); starts no process. */
export function readOperation(repository: Repository): OperationState {
	const open = operationInProgress(repository.gitDirectory)?.name ?? null;
	const name = open === "bisect" ? null : open;
	const marks = headOf[name ?? ""] ?? [];
	const theirs =
		marks.map((mark) => read(repository, mark)?.split("\n")[0] ?? null).find((oid) => oid !== null && /^[0-9a-f]{40,64}$/.test(oid)) ??
		null;
	const stats = [...marks, "AUTO_MERGE"].map(
		(mark) => statSync(path.join(repository.gitDirectory, mark), { throwIfNoEntry: false })?.mtimeMs ?? 0,
	);
	const next =
		name === "merge"
			? null
			: name !== null
				? `git ${name} --continue`
				: read(repository, "SQUASH_MSG") !== null
					? "git commit"
					: existsSync(path.join(repository.commonDirectory, "refs/stash"))
						? "git stash drop"
						: "git commit";
	return { name, theirs, beganAt: Math.max(...stats), next };
}

/** The tree of git's own merge, conflict markers included (git-merge(1), AUTO_MERGE); null: an older git, or another kind of conflict. */
export function automaticMerge(repository: Repository): Oid | null {
	const oid = read(repository, "AUTO_MERGE");
	return oid !== null && /^[0-9a-f]{40,64}$/.test(oid) ? oid : null;
}

/** The message prepared for the person's commit of the merge. */
export function mergeMessageOf(repository: Repository): string {
	const text = read(repository, "MERGE_MSG");
	const lines = Buffer.from(text ?? "", "latin1")
		.toString("utf8")
		.split("\n")
		.filter((line) => !line.startsWith("#"));
	return lines.join("\n").trim() || "Merge";
}
