import { approveTrailer, rejectTrailer } from "@robust-sync/guard";
import { isNodeName } from "@robust-sync/workspace";

export const nodeTrailer = "Robust-Sync-Node";
export const restoreTrailer = "Robust-Sync-Restore";
export const undoTrailer = "Robust-Sync-Undo";
export const agentTrailer = "Agent";
export const runTrailer = "Run";

/** Who writes a longer name is not a node of ours. */
const longestName = 100;

/** The values of a commit message's trailers: the lines `Key: value` of its last paragraph (git-interpret-trailers(1)). */
export function trailersOf(message: string): Map<string, string[]> {
	const paragraphs = message.trimEnd().split(/\n\s*\n/);
	const found = new Map<string, string[]>();
	if (paragraphs.length < 2) return found;
	for (const line of (paragraphs.at(-1) ?? "").split("\n")) {
		const [, key = "", value = ""] = /^([A-Za-z][A-Za-z0-9-]*): (.+)$/.exec(line) ?? [];
		if (key === "") return new Map();
		found.set(key, [...(found.get(key) ?? []), value.trim()]);
	}
	return found;
}

/** The message without subject and trailers. */
export function bodyOf(message: string): string {
	const paragraphs = message.trim().split(/\n\s*\n/);
	const end = trailersOf(message).size > 0 ? -1 : undefined;
	return paragraphs.slice(1, end).join("\n\n");
}

/** The node that made a commit: as it says itself; else as the subjects of our snapshots begin; else the author. */
export function nodeOf(message: string, author: string, trailers = trailersOf(message)): string {
	// A merge names those whose commits it joins.
	const all = trailers.get(nodeTrailer) ?? [];
	const said = all.length === 1 ? all[0] : undefined;
	if (said !== undefined && isNodeName(said)) return said;
	const named = /^([^:\s]+): /.exec(message)?.[1];
	return named !== undefined && isNodeName(named) ? named : author.trim().slice(0, longestName);
}

/** What a commit is. */
export const historyKinds = ["change", "merge", "message", "restore", "undo", "approve", "reject"] as const;
export type HistoryKind = (typeof historyKinds)[number];

/** @param paths that it changes; none: not known */
export function kindOfCommit(parents: number, trailers: ReadonlyMap<string, readonly string[]>, paths: readonly string[]): HistoryKind {
	if (parents > 1) return "merge";
	if (trailers.has(undoTrailer)) return "undo";
	if (trailers.has(restoreTrailer)) return "restore";
	if (trailers.has(rejectTrailer)) return "reject";
	if (trailers.has(approveTrailer)) return "approve";
	return paths.length > 0 && paths.every(isMessage) ? "message" : "change";
}

/** Whether a path is a delivered message. */
export const isMessage = (name: string): boolean => /^messages\/[^/]+\/(?:\d{4}-\d\d-\d\d\/)?[^/]+$/.test(name);
