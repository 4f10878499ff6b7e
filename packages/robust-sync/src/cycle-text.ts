import { counted } from "@robust-sync/service/counted";
import type { CycleResult } from "./cycle.ts";

/** What a cycle committed, in words: a deletion is called one. Empty: nothing. */
export function changesText({ committed, deleted }: Pick<CycleResult, "committed" | "deleted">): string {
	const kept = committed - deleted;
	return [kept > 0 ? `${counted(kept, "file")} committed` : "", deleted > 0 ? `${counted(deleted, "file")} deleted` : ""]
		.filter((part) => part !== "")
		.join(", ");
}

/** What a cycle brought in, in words; also what that took away. Empty: nothing. */
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
