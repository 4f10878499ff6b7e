import type { Oid } from "../process/repository.ts";

/** Offset of the tree's id in a commit, after `tree `. */
export const treeAt = 5;
/** Headers that are only valid for the original commit. */
export const signatures = /\n(?:gpgsig|gpgsig-sha256|mergetag) [^\n]*(?:\n [^\n]*)*/g;
/** Where these begin. */
const signatureStarts = ["\ngpgsig", "\nmergetag"].map((start) => Buffer.from(start));
const headerEnd = Buffer.from("\n\n");

/** The parents in the header of a commit. */
export function parentsOf(commit: Buffer): Oid[] {
	const end = commit.indexOf("\n\n");
	const header = commit.toString("latin1", 0, end < 0 ? commit.length : end);
	return [...header.matchAll(/^parent ([0-9a-f]+)$/gm)].map(([, parent = ""]) => parent);
}

/**
 * A commit with another tree, other parents and another message; without signatures, which would be wrong.
 * @param tree the new one; empty: the same @param replaced parents that have a replacement
 * @returns null: nothing changes
 */
export function rewrittenCommit(
	content: Buffer,
	idLength: number,
	tree: Oid,
	replaced: ReadonlyMap<Oid, Oid>,
	messageFor: (message: Buffer) => Buffer,
): Buffer | null {
	const at = content.indexOf(headerEnd);
	const end = at < 0 ? content.length : at;
	const before = at < 0 ? Buffer.alloc(0) : content.subarray(at + headerEnd.length);
	const message = messageFor(before);
	const idChars = 2 * idLength;
	const idEnd = treeAt + idChars;
	// The ids are as long as those before: the header is copied, and they are written over the old ones.
	const next = Buffer.allocUnsafe(end + headerEnd.length + message.length);
	content.copy(next, 0, 0, end);
	let isChanged = tree !== "" && content.toString("latin1", treeAt, idEnd) !== tree;
	if (isChanged) next.write(tree, treeAt, idChars, "latin1");
	if (replaced.size > 0)
		for (let start = idEnd + 1; content.toString("latin1", start, start + 7) === "parent "; start += 8 + idChars) {
			const now = replaced.get(content.toString("latin1", start + 7, start + 7 + idChars));
			if (now === undefined) continue;
			next.write(now, start + 7, idChars, "latin1");
			isChanged = true;
		}
	if (!isChanged && message.equals(before)) return null;
	const header = next.subarray(0, end);
	if (signatureStarts.some((start) => header.includes(start)))
		return Buffer.concat([Buffer.from(header.toString("latin1").replace(signatures, ""), "latin1"), headerEnd, message]);
	headerEnd.copy(next, end);
	message.copy(next, end + headerEnd.length);
	return next;
}
