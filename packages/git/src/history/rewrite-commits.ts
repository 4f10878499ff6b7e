import { cleanCommits, type IsOwnName } from "../objects/clean-tree.ts";
import type { FileChange } from "../objects/new-commit.ts";
import { objectOid } from "../objects/object-id.ts";
import { withObjectReader } from "../objects/object-reader.ts";
import { writeObjects } from "../objects/object-writer.ts";
import { writeCommit } from "../objects/write-commit.ts";
import type { Oid, Repository } from "../process/repository.ts";

const treeOf = (commit: string) => /^tree ([0-9a-f]+)$/m.exec(commit)?.[1] ?? "";

function splitCommit(commit: string): { header: string; message: string } {
	const end = commit.indexOf("\n\n");
	return end < 0 ? { header: commit, message: "" } : { header: commit.slice(0, end), message: commit.slice(end) };
}

const parentsOf = (header: string) => [...header.matchAll(/^parent ([0-9a-f]+)$/gm)].map(([, parent = ""]) => parent);

/** New texts of a commit, each one character a byte. */
export interface CommitTexts {
	readonly message: string;
	/** `NAME <ADDRESS>`. Absent: as it is. */
	readonly author?: string;
	/** The same. */
	readonly committer?: string;
}

/** A header with other names of author and committer; the dates stay. */
function withPeople(header: string, texts: CommitTexts | undefined): string {
	return header.replace(/^(author|committer) [^\n]*?( -?\d+ [+-]\d+)$/gm, (line: string, role: "author" | "committer", date: string) => {
		const person = texts?.[role];
		return person === undefined ? line : `${role} ${person}${date}`;
	});
}

/** The same commit with another tree, other parents and message. A signature would be wrong: it is left out. */
function withTreeAndParents(commit: string, tree: Oid, replaced: ReadonlyMap<Oid, Oid>, messageOf: (message: string) => string): string {
	const { header, message } = splitCommit(commit);
	const unsigned = header.replace(/\n(?:gpgsig|gpgsig-sha256) [^\n]*(?:\n [^\n]*)*/g, "");
	const changed = unsigned
		.replace(/^tree [0-9a-f]+$/m, `tree ${tree}`)
		.replace(/^parent ([0-9a-f]+)$/gm, (_line, parent: Oid) => `parent ${replaced.get(parent) ?? parent}`);
	return `${changed}\n\n${messageOf(message.slice(2))}`;
}

/**
 * Writes commits again without names that never travel, with author and dates as they are. The result follows from the commits and
 * `messageOf` alone. A commit that only changed such names becomes its parent.
 * @param store from openMergeStore
 * @param commits parents before their children
 * @param isOwn names at the top of the tree that never are part of it
 * @param messageOf the message of the new commit by the old one's, each one character a byte
 * @returns the new commits by the old ones, of those that changed
 * @throws GitError
 */
export async function rewriteCommits(
	store: Repository,
	commits: readonly Oid[],
	isOwn: IsOwnName,
	messageOf: (message: string) => string = (message) => message,
): Promise<Map<Oid, Oid>> {
	const replaced = new Map<Oid, Oid>();
	const newTrees = new Map<Oid, Oid>();
	await withObjectReader(store, async (reader) => {
		const textOf = async (oid: Oid) => ((await reader.contents([oid]))[0] ?? Buffer.alloc(0)).toString("latin1");
		for (const oid of commits) {
			const text = await textOf(oid);
			const parents = parentsOf(splitCommit(text).header);
			const [result] = await cleanCommits(store, [oid], isOwn, reader);
			const clean = result?.clean ?? oid;
			if (clean === oid && !parents.some((parent) => replaced.has(parent))) continue;
			const tree = clean === oid ? treeOf(text) : treeOf(await textOf(clean));
			const [parent] = parents;
			const newParent = parent === undefined ? undefined : (replaced.get(parent) ?? parent);
			if (parents.length === 1 && parent !== undefined && newParent !== undefined) {
				const parentTree = newTrees.get(newParent) ?? treeOf(await textOf(newParent));
				if (tree === parentTree && treeOf(text) !== treeOf(await textOf(parent))) {
					replaced.set(oid, newParent);
					continue;
				}
			}
			const object = { type: "commit", content: Buffer.from(withTreeAndParents(text, tree, replaced, messageOf), "latin1") } as const;
			const newOid = objectOid(object, store.objectFormat);
			// At once: the next one may have to be read as its child.
			await writeObjects(store, [object]);
			newTrees.set(newOid, tree);
			replaced.set(oid, newOid);
		}
	});
	return replaced;
}

/**
 * Writes commits again with other contents at some paths, with author and dates as they are. A commit that changed nothing else
 * becomes its parent.
 * @param store from openMergeStore
 * @param commits parents before their children
 * @param changesOf what is to be otherwise in the tree of a commit; its parents are the new ones
 * @param messageOf the message of the new commit by the old one's, each one character a byte
 * @param texts the new texts for each commit whose message or people change
 * @returns the new commits by the old ones, of those that changed
 * @throws GitError
 */
export async function replaceInCommits(
	store: Repository,
	commits: readonly Oid[],
	changesOf: (commit: Oid, parents: readonly Oid[]) => Promise<readonly FileChange[]>,
	messageOf: (message: string) => string = (message) => message,
	texts: ReadonlyMap<Oid, CommitTexts> = new Map(),
): Promise<Map<Oid, Oid>> {
	const replaced = new Map<Oid, Oid>();
	await withObjectReader(store, async (reader) => {
		const textOf = async (oid: Oid) => ((await reader.contents([oid]))[0] ?? Buffer.alloc(0)).toString("latin1");
		for (const oid of commits) {
			const text = await textOf(oid);
			const parents = parentsOf(splitCommit(text).header).map((parent) => replaced.get(parent) ?? parent);
			const changes = await changesOf(oid, parents);
			const isMoved = parents.some((parent) => !text.includes(`\nparent ${parent}\n`));
			if (changes.length === 0 && !isMoved && !texts.has(oid)) continue;
			let tree = treeOf(text);
			if (changes.length > 0) {
				const identity = "robust-sync <robust-sync@localhost>";
				({ tree } = await writeCommit(store, { parents: [], identity, date: 0, message: Buffer.from("tree\n"), tree, changes }));
			}
			const [parent] = parents;
			if (parents.length === 1 && parent !== undefined && changes.length > 0 && tree === treeOf(await textOf(parent))) {
				replaced.set(oid, parent);
				continue;
			}
			const newTexts = texts.get(oid);
			const newMessage = (message: string) => messageOf(newTexts?.message ?? message);
			const { header, message } = splitCommit(withTreeAndParents(text, tree, replaced, newMessage));
			const object = { type: "commit", content: Buffer.from(withPeople(header, newTexts) + message, "latin1") } as const;
			await writeObjects(store, [object]);
			replaced.set(oid, objectOid(object, store.objectFormat));
		}
	});
	return replaced;
}
