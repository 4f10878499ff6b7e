import { approveTrailer, rejectTrailer } from "@robust-sync/guard";
import { isNodeName } from "@robust-sync/workspace";

export const nodeTrailer = "Robust-Sync-Node";
export const restoreTrailer = "Robust-Sync-Restore";
export const undoTrailer = "Robust-Sync-Undo";
export const agentTrailer = "Agent";
export const runTrailer = "Run";

/** No node of ours has a longer name. */
const longestName = 100;

/** The blank lines between paragraphs. */
function gapsOf(text: string): { readonly start: number; readonly end: number }[] {
	if (!text.includes("\n")) return [];
	return [...text.matchAll(/\n\s*\n/g)].map(({ 0: { length }, index }) => ({ start: index, end: index + length }));
}

/** The values of a commit message's trailers: the lines `Key: value` of its last paragraph (git-interpret-trailers(1)). */
export function trailersOf(message: string): Map<string, string[]> {
	const text = message.trimEnd();
	const found = new Map<string, string[]>();
	const last = gapsOf(text).at(-1);
	if (last === undefined) return found;
	for (const line of text.slice(last.end).split("\n")) {
		const [, key = "", value = ""] = /^([A-Za-z][A-Za-z0-9-]*): (.+)$/.exec(line) ?? [];
		if (key === "") return new Map();
		found.set(key, [...(found.get(key) ?? []), value.trim()]);
	}
	return found;
}

/** The message without subject and trailers; blank lines in it stay. */
export function bodyOf(message: string, trailers: ReadonlyMap<string, unknown> = trailersOf(message)): string {
	const text = message.trim();
	const gaps = gapsOf(text);
	const [first, last] = [gaps[0], gaps.at(-1)];
	if (!first || !last) return "";
	return text.slice(first.end, trailers.size > 0 ? Math.max(first.end, last.start) : undefined);
}

/**
 * The node that made a commit: from its trailer; else from the subject of a snapshot; else the author. A merge belongs to no
 * single node, because every node makes the same one: its nodes are those of the commits that it joins.
 */
export function nodeOf(message: string, author: string, trailers = trailersOf(message), isMerge = false): string {
	const all = trailers.get(nodeTrailer) ?? [];
	const names = all.filter(isNodeName);
	if (names.length > 0 && (isMerge || all.length === 1)) return names.join(", ");
	const named = /^([^:\s]+): /.exec(message)?.[1];
	return named !== undefined && isNodeName(named) ? named : author.trim().slice(0, longestName);
}

/** The kind of a commit. */
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
