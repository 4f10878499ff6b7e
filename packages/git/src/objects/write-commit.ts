import type { Oid, Repository } from "../process/repository.ts";
import { importCommit } from "./fast-import.ts";
import type { FileChange, NewCommit } from "./new-commit.ts";
import { withObjectReader } from "./object-reader.ts";
import { areFew, writeObjects } from "./object-writer.ts";
import { TreeMaker } from "./trees.ts";

/** With more changes than this, git writes the commit. */
const fewChanges = 48;

/** The commit, its trees and blobs without a process; null: git must write it. @throws GitError, the file system's error */
async function writeSmallCommit(store: Repository, commit: NewCommit): Promise<{ commit: Oid; tree: Oid } | null> {
	const { changes, parents, blobs = [], date, identity } = commit;
	if (!Array.isArray(changes) || changes.length > fewChanges || blobs.length > fewChanges) return null;
	const given: readonly FileChange[] = changes;
	const contents = given.flatMap((change) => ("content" in change ? [change] : []));
	if (!areFew(store, [...contents, ...blobs.map((content) => ({ content }))])) return null;
	return await withObjectReader(store, async (reader) => {
		const named = given.flatMap((change) => ("oid" in change && change.mode !== "160000" ? [change] : []));
		const infos = await reader.infos(named.map(({ oid }) => oid));
		// git's error names the missing object.
		if (named.some(({ mode }, index) => infos[index]?.type !== (mode === "040000" ? "tree" : "blob"))) return null;
		const maker = new TreeMaker(reader, store);
		for (const content of blobs) maker.add({ type: "blob", content: Buffer.from(content) });
		const tree = await maker.apply(commit.tree ?? parents[0] ?? null, given);
		const header = [
			`tree ${tree}`,
			...parents.map((parent) => `parent ${parent}`),
			`author ${commit.author ?? identity} ${commit.authorDate ?? date} +0000`,
			`committer ${identity} ${date} +0000`,
		];
		const content = Buffer.concat([Buffer.from(`${header.join("\n")}\n\n`), commit.message]);
		const oid = maker.add({ type: "commit", content });
		await writeObjects(store, maker.objects);
		return { commit: oid, tree };
	});
}

/**
 * Writes a commit with its trees and blobs, durably: small ones as loose objects, others by one process (git-fast-import(1)). No ref
 * keeps it: the caller makes one.
 * @param store from openMergeStore
 * @throws GitError, the file system's error
 */
export async function writeCommit(store: Repository, commit: NewCommit): Promise<{ commit: Oid; tree: Oid }> {
	return (await writeSmallCommit(store, commit)) ?? (await importCommit(store, commit));
}
