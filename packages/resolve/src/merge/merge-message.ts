import { type GitPath, gitPathBytes, type Oid } from "@robust-sync/git";
import type { Strategy } from "./resolution.ts";

/** Longer lists end in a count: a message is for reading. */
const maxListedPaths = 100;

/**
 * Characters for which a path is quoted: controls, format characters, lone surrogates and private use of Unicode 15, and those that this format itself uses.
 * A list, not \p{C}: every node must write the same message, whatever Unicode its Node.js knows.
 */
const quotedCharacters = new RegExp(
	`["\\\\\\0-\\x1f\\x7f-\\x9f\\xad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2064\\u2066-\\u206f` +
		`\\ud800-\\udfff\\ue000-\\uf8ff\\ufeff\\ufff9-\\ufffb\\u{110bd}\\u{110cd}\\u{13430}-\\u{1343f}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}` +
		`\\u{e0001}\\u{e0020}-\\u{e007f}\\u{f0000}-\\u{10ffff}]`,
	"u",
);

/** The path as it is, or C-quoted as git quotes it (git-config(1), core.quotePath) when it would break the line, mislead a reader, or is not UTF-8. */
function messagePath(path: GitPath): string {
	const bytes = gitPathBytes(path);
	const text = bytes.toString("utf8");
	if (!quotedCharacters.test(text) && Buffer.from(text).equals(bytes)) return text;
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

/** Whether a message begins as mergeMessage of these two commits does when something was resolved. */
export function startsLikeResolved(message: string, first: Oid, second: Oid): boolean {
	return message.startsWith(`${subject(first, second)}\n\nResolved: `);
}
