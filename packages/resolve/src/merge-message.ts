import { type GitPath, gitPathBytes, type Oid } from "@robust-sync/git";
import type { Strategy } from "./resolution.ts";

/** Longer lists end in a count: a message is for reading. */
const maxListedPaths = 100;

/** The path as it is, or C-quoted as git quotes it (git-config(1), core.quotePath) when it would break the line, mislead a reader, or is not UTF-8. */
function messagePath(path: GitPath): string {
	const bytes = gitPathBytes(path);
	const text = bytes.toString("utf8");
	if (!/["\\\p{C}\p{Zl}\p{Zp}]/u.test(text) && Buffer.from(text).equals(bytes)) return text;
	return `"${path.replace(/["\\\x00-\x1f\x7f-\xff]/g, (byte) =>
		byte === '"' || byte === "\\" ? `\\${byte}` : `\\${byte.charCodeAt(0).toString(8).padStart(3, "0")}`,
	)}"`;
}

const subject = (first: Oid, second: Oid) => `Merge ${first.slice(0, 12)} and ${second.slice(0, 12)}`;

/** The message of a merge commit: a function of what was merged. */
export function mergeMessage(
	first: Oid,
	second: Oid,
	files: readonly { path: GitPath; strategy: Strategy }[],
	trailers: readonly string[] = [],
): Buffer {
	const lines = [subject(first, second)];
	if (files.length + trailers.length > 0) lines.push("");
	for (const { strategy, path } of files.slice(0, maxListedPaths)) lines.push(`Resolved: ${strategy} ${messagePath(path)}`);
	if (files.length > maxListedPaths) lines.push(`Resolved: ${files.length - maxListedPaths} more`);
	lines.push(...trailers);
	return Buffer.from(`${lines.join("\n")}\n`);
}

/** Whether a message says that something was resolved. */
export function saysResolved(message: string): boolean {
	return /^Resolved: /m.test(message);
}

/** Whether a message begins as mergeMessage of these two commits does when something was resolved. */
export function startsLikeResolved(message: string, first: Oid, second: Oid): boolean {
	return message.startsWith(`${subject(first, second)}\n\nResolved: `);
}
