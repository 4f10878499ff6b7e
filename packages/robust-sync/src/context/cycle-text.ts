import { printable } from "@robust-sync/service/printable";
import { counted } from "@robust-sync/system/counted";
import { readSavedVersions, type WorkspacePaths, winnerText } from "@robust-sync/workspace";
import type { CycleResult } from "../cycle/progress.ts";

/** A cycle's snapshot in words; names deletions. Empty: nothing was committed. */
export function changesText({ committed, deleted }: Pick<CycleResult, "committed" | "deleted">): string {
	const kept = committed - deleted;
	return [kept > 0 ? `${counted(kept, "file")} committed` : "", deleted > 0 ? `${counted(deleted, "file")} deleted` : ""]
		.filter((part) => part !== "")
		.join(", ");
}

/** The incoming commits in words, with the files that they deleted. Empty: none. */
export function pulledText({ pulled, removed }: Pick<CycleResult, "pulled" | "removed">): string {
	return [pulled > 0 ? `${counted(pulled, "commit")} pulled` : "", removed > 0 ? `${counted(removed, "file")} deleted by it` : ""]
		.filter((part) => part !== "")
		.join(", ");
}

/** The figures of a whole cycle, zeros too. */
export function countsText(result: Pick<CycleResult, "committed" | "deleted" | "pulled" | "removed" | "pushed" | "resolved">): string {
	const { committed, deleted, pulled, removed, pushed, resolved } = result;
	const parts = [
		`${counted(committed - deleted, "file")} committed`,
		deleted > 0 ? `${counted(deleted, "file")} deleted` : "",
		`${counted(pulled, "commit")} pulled`,
		removed > 0 ? `${counted(removed, "file")} deleted by it` : "",
		`${pushed} pushed`,
		`${counted(resolved, "file")} resolved`,
	];
	return parts.filter((part) => part !== "").join(", ");
}

const shownConflicts = 3;

/** The place of the versions that a merge left out, and the winner of each file. @param name of the directory in sync/conflicts/ */
export function savedText(paths: WorkspacePaths, name: string): string {
	const files = (readSavedVersions(paths, name)?.files ?? []).filter(({ saved }) => saved.length > 0);
	const shown = files.slice(0, shownConflicts).map((file) => `${printable(file.path)}: ${printable(winnerText(file))}`);
	if (files.length > shown.length) shown.push(`${files.length - shown.length} more`);
	return `losing versions saved in sync/conflicts/${name}${shown.length > 0 ? ` (${shown.join("; ")})` : ""}`;
}
