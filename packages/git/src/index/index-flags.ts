import { isArgument } from "../objects/tree-paths.ts";
import { displayPath, type GitPath, gitPathIfAllowed, splitRecords } from "../paths/git-path.ts";
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
export async function readIndexFlags(repository: Repository, names: readonly GitPath[]): Promise<Map<GitPath, IndexFlags>> {
	const found = new Map<GitPath, IndexFlags>();
	if (names.length === 0) return found;
	const wanted = new Set<string>(names);
	const entries = readSmallIndex(repository);
	if (entries !== null) {
		for (const { path, flags, moreFlags } of entries) {
			const bits = { skipWorktree: (moreFlags & skipWorktreeBit) !== 0, assumeUnchanged: (flags & assumeUnchangedBit) !== 0 };
			const name = (bits.skipWorktree || bits.assumeUnchanged) && wanted.has(path) ? gitPathIfAllowed(path) : null;
			if (name !== null) found.set(name, bits);
		}
		return found;
	}
	const named = names.length <= maxNamed && names.every(isArgument) ? names.map(displayPath) : [];
	const { stdout } = await repository.run(["ls-files", "-v", "-z", "--", ...named], { env: { GIT_LITERAL_PATHSPECS: "1" } });
	// "<tag> <path>": S is skip-worktree; a small letter is assume-unchanged.
	for (const record of splitRecords(stdout)) {
		const tag = record[0] ?? "H";
		const flags = { skipWorktree: tag === "S" || tag === "s", assumeUnchanged: tag >= "a" && tag <= "z" };
		const name = gitPathIfAllowed(record.slice(2));
		if (name === null) continue;
		if ((flags.skipWorktree || flags.assumeUnchanged) && wanted.has(name)) found.set(name, flags);
	}
	return found;
}
