import { type GitPath, gitPathIfAllowed } from "../paths/git-path.ts";
import { GitError } from "../process/errors.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { readLooseObject } from "./loose-objects.ts";
import type { TreeEntry } from "./merge-tree.ts";
import type { FileChange } from "./new-commit.ts";
import { type NewObject, objectOid } from "./object-id.ts";
import { type ObjectReader, withObjectReader } from "./object-reader.ts";
import { directoryMode, isDirectory, parseTree, sortKey, type TreeItem, treeContent } from "./tree-entries.ts";

// Trees (gitformat-tree: entries of "<mode> <name>\0<binary id>"), read and made without a git process for each.

/** The entries of a tree by name. @throws GitError CORRUPT_REPOSITORY */
function entriesOf(content: Buffer, oid: Oid): Map<string, TreeItem> {
	const { items, isWhole } = parseTree(content, oid.length / 2);
	if (!isWhole) throw new GitError("CORRUPT_REPOSITORY", `tree ${oid} is damaged: run git fsck --full`);
	return new Map(items.map((item) => [item.name, item]));
}

/** An entry with its mode as git prints it. */
const printed = ({ mode, oid }: TreeItem): TreeEntry => ({ mode: mode.padStart(6, "0"), oid });
const newItem = (name: string, { mode, oid }: TreeEntry): TreeItem => ({ mode: mode.replace(/^0+/, ""), name, oid });
const inOrder = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** The tree of a commit, by its content; null: that is no commit. */
const treeOfCommit = (content: Buffer): Oid | null => /^tree ([0-9a-f]{40,64})\n/.exec(content.toString("latin1", 0, 80))?.[1] ?? null;

/** The root tree of a commit, or the tree itself. @throws GitError CORRUPT_REPOSITORY where it is missing */
async function rootOf(reader: ObjectReader, oid: Oid): Promise<Oid> {
	const [content] = await reader.contents([oid]);
	return treeOfCommit(content as Buffer) ?? oid;
}

/** The root tree of a commit. @throws GitError */
export async function rootTree(repository: Repository, commit: Oid): Promise<Oid> {
	return await withObjectReader(repository, (reader) => rootOf(reader, commit));
}

/** One path that differs between two trees. */
export interface TreeChange {
	readonly path: GitPath;
	/** null: the path is not in that tree. Modes as git writes them: 100644 100755 120000 160000. */
	readonly before: TreeEntry | null;
	readonly after: TreeEntry | null;
}

/** With more trees than this, git is faster. */
const fewTrees = 64;
/** More changes than this come from git, and go into columns as they arrive. */
const fewChanges = 4_096;
const canonicalModes: ReadonlySet<string> = new Set(["40000", "100644", "100755", "120000", "160000"]);

/**
 * What changed from a tree or commit to another one, in git's order, without a process.
 * @returns null: a tree that is needed is packed or damaged, or there are too many trees or changes
 */
export function diffLooseTrees(repository: Repository, before: Oid, after: Oid): TreeChange[] | null {
	const changes: TreeChange[] = [];
	let reads = 0;
	/** The entries by the names that git sorts them by. */
	const read = (oid: Oid | null): Map<string, TreeItem> | null => {
		if (oid === null || oid === repository.emptyTree) return new Map();
		const object = ++reads > fewTrees ? null : readLooseObject(repository, oid);
		if (object?.type === "commit") return read(treeOfCommit(object.content));
		if (object?.type !== "tree") return null;
		const entries = [...entriesOf(object.content, oid).values()].map((entry) => [sortKey(entry), entry] as const);
		return entries.every(([, { mode }]) => canonicalModes.has(mode)) ? new Map(entries) : null;
	};
	const isDone = (above: string, one: Oid | null, other: Oid | null): boolean => {
		const [old, next] = [read(one), read(other)];
		if (old === null || next === null) return false;
		for (const key of [...new Set([...old.keys(), ...next.keys()])].sort(inOrder)) {
			const [was, is] = [old.get(key) ?? null, next.get(key) ?? null];
			if (was !== null && is !== null && was.oid === is.oid && was.mode === is.mode) continue;
			if (key.endsWith("/")) {
				if (!isDone(above + key, was?.oid ?? null, is?.oid ?? null)) return false;
				continue;
			}
			const name = gitPathIfAllowed(above + key);
			if (name === null) continue;
			if (changes.push({ path: name, before: was && printed(was), after: is && printed(is) }) > fewChanges) return false;
		}
		return true;
	};
	return isDone("", before, after) ? changes : null;
}

/** Items in the directories of their paths. */
interface PathTree<T> {
	item: T | null;
	readonly below: Map<string, PathTree<T>>;
}

function pathTree<T>(items: Iterable<T>, pathOf: (item: T) => GitPath): PathTree<T> {
	const root: PathTree<T> = { item: null, below: new Map() };
	for (const item of items) {
		let at = root;
		for (const part of pathOf(item).split("/")) {
			const next = at.below.get(part) ?? { item: null, below: new Map() };
			at.below.set(part, next);
			at = next;
		}
		at.item = item;
	}
	return root;
}

/**
 * The entries of a commit or tree at some paths (a directory: mode 040000). Reads only the trees above them, each level at once.
 * @throws GitError
 */
export async function readTreePaths(repository: Repository, commit: Oid, names: readonly GitPath[]): Promise<Map<GitPath, TreeEntry>> {
	const found = new Map<GitPath, TreeEntry>();
	if (names.length === 0) return found;
	await withObjectReader(repository, async (reader) => {
		const root = { oid: await rootOf(reader, commit), wanted: pathTree(names, (name) => name) };
		let level: { readonly oid: Oid; readonly wanted: PathTree<GitPath> }[] = [root];
		while (level.length > 0) {
			const contents = await reader.contents(level.map(({ oid }) => oid));
			const next: typeof level = [];
			for (const [index, { oid, wanted }] of level.entries()) {
				const entries = entriesOf(contents[index] as Buffer, oid);
				for (const [name, inner] of wanted.below) {
					const entry = entries.get(name);
					if (entry === undefined) continue;
					if (inner.item !== null) found.set(inner.item, printed(entry));
					if (inner.below.size > 0 && isDirectory(entry)) next.push({ oid: entry.oid, wanted: inner });
				}
			}
			level = next;
		}
	});
	return found;
}

/** The files, links and submodules that a commit or tree has at some paths. A path that is a directory there has none. @throws GitError */
export async function readTreeFiles(repository: Repository, commit: Oid, names: readonly GitPath[]): Promise<Map<GitPath, TreeEntry>> {
	return new Map([...(await readTreePaths(repository, commit, names))].filter(([, { mode }]) => mode !== directoryMode));
}

/** Makes trees from others by changes of files. Nothing is written: `objects` has what is new. */
export class TreeMaker {
	readonly #reader: ObjectReader;
	readonly #repository: Pick<Repository, "objectFormat" | "emptyTree">;
	readonly objects: NewObject[] = [];

	constructor(reader: ObjectReader, repository: Pick<Repository, "objectFormat" | "emptyTree">) {
		this.#reader = reader;
		this.#repository = repository;
	}

	/** Adds an object to those that are new. @returns its id */
	add(object: NewObject): Oid {
		this.objects.push(object);
		return objectOid(object, this.#repository.objectFormat);
	}

	/** The tree with changes applied. @param base a commit or tree; null: an empty one @throws GitError */
	async apply(base: Oid | null, changes: readonly FileChange[]): Promise<Oid> {
		const root = base === null ? null : await rootOf(this.#reader, base);
		if (changes.length === 0 && root !== null) return root;
		const changed = pathTree(changes, ({ path }) => path);
		return (await this.#applyTo(root, changed)) ?? this.add({ type: "tree", content: Buffer.alloc(0) });
	}

	/** @returns null: nothing is left in it */
	async #applyTo(oid: Oid | null, changed: PathTree<FileChange>): Promise<Oid | null> {
		const [content = Buffer.alloc(0)] = oid === null || oid === this.#repository.emptyTree ? [] : await this.#reader.contents([oid]);
		const entries = entriesOf(content, oid ?? this.#repository.emptyTree);
		for (const [name, { item: file, below }] of changed.below) {
			const before = entries.get(name);
			if (file !== null && !("delete" in file)) {
				// A file that replaces a directory removes the content of the directory.
				entries.set(name, newItem(name, { mode: file.mode, oid: "oid" in file ? file.oid : this.#blob(file.content) }));
				continue;
			}
			if (file !== null) entries.delete(name);
			if (below.size === 0) continue;
			const from = file === null && before !== undefined && isDirectory(before) ? before.oid : null;
			const made = await this.#applyTo(from, { item: null, below });
			if (made !== null) entries.set(name, newItem(name, { mode: directoryMode, oid: made }));
			else if (from !== null) entries.delete(name);
		}
		if (entries.size === 0) return null;
		const sorted = [...entries.values()].sort((a, b) => inOrder(sortKey(a), sortKey(b)));
		return this.add({ type: "tree", content: treeContent(sorted) });
	}

	#blob(content: Uint8Array): Oid {
		return this.add({ type: "blob", content: Buffer.from(content.buffer, content.byteOffset, content.byteLength) });
	}
}
