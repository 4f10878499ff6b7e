// The extension TREE of an index (gitformat-index(5), "Cache tree"): the tree that a directory's entries make, for git to reuse. A directory
// with a changed entry has none until git writes trees again.

import { directoriesAbove } from "../paths/git-path.ts";

/** A directory: the number of entries below it and its tree, or -1 and none. */
interface CachedTree {
	readonly name: string;
	readonly count: number;
	readonly oid: Buffer;
	readonly below: readonly CachedTree[];
}

/** Reads a directory and those below it. @returns null: it is of a form that is not known here */
function read(bytes: Buffer, start: number, hashBytes: number): { tree: CachedTree; end: number } | null {
	const nul = bytes.indexOf(0, start);
	const line = nul < 0 ? -1 : bytes.indexOf(0x0a, nul);
	const match = line < 0 ? null : /^(-1|\d+) (\d+)$/.exec(bytes.toString("latin1", nul + 1, line));
	if (match === null) return null;
	const count = Number(match[1]);
	let end = line + 1 + (count < 0 ? 0 : hashBytes);
	if (end > bytes.length) return null;
	const oid = bytes.subarray(line + 1, end);
	const below: CachedTree[] = [];
	for (let number = Number(match[2]); number > 0; number--) {
		const next = read(bytes, end, hashBytes);
		if (next === null) return null;
		below.push(next.tree);
		end = next.end;
	}
	return { tree: { name: bytes.toString("latin1", start, nul), count, oid, below }, end };
}

/**
 * The extension after changes of these paths. Files that became directories, and the other way round, are among them.
 * @returns null: it is of a form that is not known here
 */
export function invalidateTrees(bytes: Buffer, changed: readonly string[], hashBytes: number): Buffer | null {
	// git writes nothing where it knows no tree.
	if (bytes.length === 0) return bytes;
	const found = read(bytes, 0, hashBytes);
	if (found === null || found.end !== bytes.length || found.tree.name !== "") return null;
	const [leaves, invalid] = [new Set(changed), new Set(["", ...changed.flatMap(directoriesAbove)])];
	const written: Buffer[] = [];
	const write = ({ name, count, oid, below }: CachedTree, directory: string): void => {
		const prefix = directory === "" ? "" : `${directory}/`;
		const kept = below.filter((tree) => !leaves.has(`${prefix}${tree.name}`));
		const isKnown = count >= 0 && !invalid.has(directory);
		written.push(Buffer.from(`${name}\0${isKnown ? count : -1} ${kept.length}\n`, "latin1"), isKnown ? oid : Buffer.alloc(0));
		for (const tree of kept) write(tree, `${prefix}${tree.name}`);
	};
	write(found.tree, "");
	return Buffer.concat(written);
}
