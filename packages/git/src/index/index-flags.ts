import type { Items } from "@robust-sync/system/items";
import { isArgument } from "../objects/tree-paths.ts";
import { displayPath, type GitPath, gitPathIfAllowed } from "../paths/git-path.ts";
import { nulRecords } from "../process/nul-records.ts";
import type { Repository } from "../process/repository.ts";
import { readSmallIndex } from "./index-stats.ts";

/** Index bits by which a user keeps a file's local content out of commits (git-update-index(1)). */
export interface IndexFlags {
	readonly skipWorktree: boolean;
	readonly assumeUnchanged: boolean;
}

/** Bits of an index entry (gitformat-index(5)). */
const [assumeUnchangedBit, skipWorktreeBit] = [0x8000, 0x4000];

/** More paths than this are not named one by one: git lists the whole index then. */
const maxNamed = 500;

/**
 * The index bits of some paths; no entry for a path without any. One process at most.
 * @throws GitError
 */
export async function readIndexFlags(repository: Repository, names: Items<GitPath>): Promise<Map<GitPath, IndexFlags>> {
	if (names.length === 0) return new Map();
	const flagged = await listFlagged(repository, names.length <= maxNamed && names.every(isArgument) ? names.map(displayPath) : []);
	// Mostly there are none: very many names are not listed once more then.
	const wanted = new Set<string>(flagged.size === 0 ? [] : names);
	return new Map([...flagged].filter(([name]) => wanted.has(name)));
}

/** The paths with index bits: of a small index all, else those that match one of `named`. @param named none: all */
async function listFlagged(repository: Repository, named: readonly string[]): Promise<Map<GitPath, IndexFlags>> {
	const found = new Map<GitPath, IndexFlags>();
	const add = (path: string, bits: IndexFlags) => {
		const name = bits.skipWorktree || bits.assumeUnchanged ? gitPathIfAllowed(path) : null;
		if (name !== null) found.set(name, bits);
	};
	const entries = readSmallIndex(repository);
	if (entries !== null) {
		for (const { path, flags, moreFlags } of entries)
			add(path, { skipWorktree: (moreFlags & skipWorktreeBit) !== 0, assumeUnchanged: (flags & assumeUnchangedBit) !== 0 });
		return found;
	}
	// "<tag> <path>": S is skip-worktree; a small letter is assume-unchanged.
	const { onOutput } = nulRecords((record) => {
		const tag = record.toString("latin1", 0, 1);
		add(record.toString("latin1", 2), { skipWorktree: tag === "S" || tag === "s", assumeUnchanged: tag >= "a" && tag <= "z" });
	});
	await repository.run(["ls-files", "-v", "-z", "--", ...named], { env: { GIT_LITERAL_PATHSPECS: "1" }, onOutput });
	return found;
}
