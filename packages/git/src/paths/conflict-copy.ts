import type { Oid } from "../process/repository.ts";
import { type GitPath, gitPathOf } from "./git-path.ts";

/** The longest name that file systems take. */
const maxNameBytes = 255;

/** `<stem>~<first 8 hex of the blob id><extension>`: where a second version of a path lives (docs/merge-semantics.md). */
export function conflictCopyPath(name: GitPath, oid: Oid): GitPath {
	const slash = name.lastIndexOf("/") + 1;
	const dot = name.lastIndexOf(".");
	const mark = `~${oid.slice(0, 8)}`;
	const at = dot > slash && name.length - dot + mark.length < maxNameBytes ? dot : name.length;
	let end = Math.min(at, slash + maxNameBytes - mark.length - (name.length - at));
	// Not in the middle of a UTF-8 sequence.
	while (end < at && end > slash + 1 && (name.charCodeAt(end) & 0xc0) === 0x80) end--;
	return gitPathOf(`${name.slice(0, end)}${mark}${name.slice(at)}`);
}
