import { limitGarbage } from "@robust-sync/system/heap-growth";
import { gitPathIfAllowed } from "../paths/git-path.ts";
import { nulRecords } from "../process/nul-records.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { diffLooseTrees, type TreeChange } from "./trees.ts";

export type { TreeChange } from "./trees.ts";

/** Parses `--raw -z --no-abbrev` output (without renames) as it arrives: ":<mode> <mode> <oid> <oid> <status>" NUL path NUL. */
function rawDiff(): { onOutput(chunk: Buffer): void; changes: TreeChange[] } {
	const changes: TreeChange[] = [];
	// One string for each mode, however many paths have it.
	const modes = new Map<string, string>();
	let sides: Pick<TreeChange, "before" | "after"> | null = null;
	const { onOutput } = nulRecords((record) => {
		if (sides === null) {
			const [first, second] = [record.indexOf(0x20, 15), record.lastIndexOf(0x20)];
			const side = (modeAt: number, oidFrom: number, oidTo: number) => {
				const mode = record.toString("latin1", modeAt, modeAt + 6);
				if (mode === "000000") return null;
				if (!modes.has(mode)) modes.set(mode, mode);
				return { mode: modes.get(mode) ?? mode, oid: record.toString("latin1", oidFrom, oidTo) };
			};
			sides = { before: side(1, 15, first), after: side(8, first + 1, second) };
			return;
		}
		const name = gitPathIfAllowed(record.toString("latin1"));
		// In a clean tree there is none: what another one has is nothing that was ever put anywhere.
		// Named one by one: an object made from another one by spreading takes 40 bytes more, and a million changes have as many.
		if (name !== null) limitGarbage(changes.push({ path: name, before: sides.before, after: sides.after }));
		sides = null;
	});
	return { onOutput, changes };
}

/** Parses complete output of the same form. */
export function parseRawDiff(output: Buffer): TreeChange[] {
	const { onOutput, changes } = rawDiff();
	onOutput(output);
	return changes;
}

/** Flags of a diff as {@link parseRawDiff} reads it; only objects follow. */
const diffFlags = ["-z", "--raw", "--no-abbrev", "--no-renames", "--ignore-submodules=none", "--end-of-options"];

/**
 * What changed from tree (or commit) `before` to `after`, path by path.
 * @param withAdded false: without the paths that only `after` has, which may be very many
 */
export async function diffTrees(repository: Repository, before: Oid, after: Oid, withAdded = true): Promise<TreeChange[]> {
	const few = diffLooseTrees(repository, before, after);
	if (few !== null) return withAdded ? few : few.filter((change) => change.before !== null);
	const { onOutput, changes } = rawDiff();
	await repository.run(["diff-tree", "-r", ...(withAdded ? [] : ["--diff-filter=a"]), ...diffFlags, before, after], { onOutput });
	return changes;
}

/**
 * The paths at which the index differs from tree `before`. `after` has no meaning for an unmerged path.
 * @throws GitError
 */
export async function diffIndex(repository: Repository, before: Oid): Promise<TreeChange[]> {
	const { stdout } = await repository.run(["diff-index", "--cached", ...diffFlags, before, "--"]);
	return parseRawDiff(stdout);
}
