import { limitGarbage } from "@robust-sync/system/heap-growth";
import type { Items } from "@robust-sync/system/items";
import { gitPathIfAllowed } from "../paths/git-path.ts";
import { nulRecords } from "../process/nul-records.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { PackedChanges } from "./packed-entries.ts";
import { diffLooseTrees, type TreeChange } from "./trees.ts";

export type { TreeChange } from "./trees.ts";

/** Changes in git's order; many of them are in columns. */
export type TreeChanges = Items<TreeChange>;

/** Parses `--raw -z --no-abbrev` output (without renames) as it arrives: ":<mode> <mode> <oid> <oid> <status>" NUL path NUL. */
function rawDiff(): { onOutput(chunk: Buffer): void; changes: PackedChanges } {
	const changes = new PackedChanges();
	let sides: Pick<TreeChange, "before" | "after"> | null = null;
	const { onOutput } = nulRecords((record) => {
		if (sides === null) {
			const [first, second] = [record.indexOf(0x20, 15), record.lastIndexOf(0x20)];
			const side = (modeAt: number, oidFrom: number, oidTo: number) => {
				const mode = record.toString("latin1", modeAt, modeAt + 6);
				return mode === "000000" ? null : { mode, oid: record.toString("latin1", oidFrom, oidTo) };
			};
			sides = { before: side(1, 15, first), after: side(8, first + 1, second) };
			return;
		}
		const name = gitPathIfAllowed(record.toString("latin1"));
		// A path that no working tree may have was never checked out: it is no change.
		if (name !== null) changes.push(name, sides.before, sides.after);
		limitGarbage(changes.length);
		sides = null;
	});
	return { onOutput, changes };
}

/** Parses complete output of the same form. */
export function parseRawDiff(output: Buffer): TreeChange[] {
	const { onOutput, changes } = rawDiff();
	onOutput(output);
	return [...changes.items()];
}

/** Flags of a diff as {@link parseRawDiff} reads it; only objects follow. */
const diffFlags = ["-z", "--raw", "--no-abbrev", "--no-renames", "--ignore-submodules=none", "--end-of-options"];

/**
 * What changed from tree (or commit) `before` to `after`, path by path.
 * @param withAdded false: without the paths that only `after` has, which may be very many
 */
export async function diffTrees(repository: Repository, before: Oid, after: Oid, withAdded = true): Promise<TreeChanges> {
	const few = diffLooseTrees(repository, before, after);
	if (few !== null) return withAdded ? few : few.filter((change) => change.before !== null);
	const { onOutput, changes } = rawDiff();
	await repository.run(["diff-tree", "-r", ...(withAdded ? [] : ["--diff-filter=a"]), ...diffFlags, before, after], { onOutput });
	return changes.items();
}

/**
 * The paths at which the index differs from tree `before`. `after` has no meaning for an unmerged path.
 * @throws GitError
 */
export async function diffIndex(repository: Repository, before: Oid): Promise<TreeChange[]> {
	const { stdout } = await repository.run(["diff-index", "--cached", ...diffFlags, before, "--"]);
	return parseRawDiff(stdout);
}
