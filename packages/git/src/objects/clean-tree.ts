// Above 400 lines: one recursive function of a tree, with its memory and its limits.
import { isPathAllowed } from "../paths/verify-path.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { openMergeStore } from "./merge-store.ts";
import { idLengthOf, type NewObject, objectOid } from "./object-id.ts";
import { type ObjectReader, present, withObjectReader } from "./object-reader.ts";
import { writeObjects } from "./object-writer.ts";
import { isDirectory, parseTree, sortKey, type TreeItem, treeContent } from "./tree-entries.ts";

// The author of a push chooses the content of its commits, and a hub accepts any object. A tree with an entry that must not become a path
// here is replaced by the same tree without that entry before anything else reads it: git's own merge aborts on some such trees.
// The clean tree is a function of the tree alone, so every node makes the same one.

/** Paths below one directory that are more than any workspace has. */
const maxPaths = 3_000_000;
/** Trees with up to this many paths are not examined further. */
const maxPlainPaths = 200_000;
/** A tree has more paths than entries where a directory is in it more than once; copies of a project are, but only a few. */
const maxCopies = 100;
/** Directories in one another: a path of 4,096 bytes (PATH_MAX) has fewer. */
const maxDepth = 1_000;
/** After this many exact checks whether a tree is small enough, a plain limit decides. */
const maxExactCuts = 20;
/** Levels that are read at all. */
const maxLevels = 2 * maxDepth;
/** This many refused entries are named one by one. */
const maxNamed = 100;
/** Trees and commits that a process remembers: some hundred bytes each. */
const maxRememberedCommits = 20_000;
/** This many commits are read at once. */
const commitsAtOnce = 1_000;
const maxRemembered = 500_000;

/** Names at the top of a tree that stay out of every commit. @param name one character a byte */
export type IsOwnName = (name: string) => boolean;

/** A commit with the version of it that may be read. */
export interface CleanCommit {
	/** The commit itself where nothing is refused; else one on top of it, the same on every node, whose tree lacks what is refused. */
	readonly clean: Oid;
	/**
	 * What is left out, at most 100 paths, in order, one character a byte. No GitPaths: they are what must not become one.
	 */
	readonly refused: readonly string[];
	/** The original, if this commit is only the clean version of another one; null: it is not. */
	readonly original: Oid | null;
}

/** What is known of a tree. */
interface Verdict {
	/** The tree without refused entries. */
	readonly tree: Oid;
	readonly refused: readonly string[];
	/** The distinct directories in it, and the number of other entries. */
	readonly children: readonly Verdict[];
	readonly files: number;
	/** Paths of files, counted as often as they are there. */
	readonly paths: number;
	readonly depth: number;
	/** Directories in it were left out because they have too many paths. */
	readonly isCut: boolean;
}

/** A tree as it was read. */
interface Parsed {
	/** null: it is sound, and its entries need not be kept: a large workspace has millions. */
	readonly entries: readonly TreeItem[] | null;
	/** With repetitions. */
	readonly subtrees: readonly Oid[];
	readonly files: number;
}

const modeKinds: readonly RegExp[] = [/^0*40000$/, /^0*100[0-7]{3}$/, /^0*120000$/, /^0*160000$/];
const kindOf = (mode: string) => modeKinds.findIndex((pattern) => pattern.test(mode));

const isAllowed = ({ mode, name }: TreeItem) => {
	const kind = kindOf(mode);
	return kind >= 0 && !name.includes("/") && isPathAllowed(name, kind === 2);
};

/** Names of files and directories that are allowed: most trees hold the same ones as the tree before them. */
const allowedNames = new Set<string>();
const maxAllowedNames = 200_000;

function isKnownOrAllowed(entry: TreeItem): boolean {
	const isPlain = entry.mode === "100644" || entry.mode === "40000";
	if (isPlain && allowedNames.has(entry.name)) return true;
	if (!isAllowed(entry)) return false;
	if (allowedNames.size >= maxAllowedNames) allowedNames.clear();
	if (isPlain) allowedNames.add(entry.name);
	return true;
}

function isFlawed(entries: readonly TreeItem[]): boolean {
	const names = new Set<string>();
	let before = "";
	for (const entry of entries) {
		const key = sortKey(entry);
		if (key <= before || names.has(entry.name) || !isKnownOrAllowed(entry)) return true;
		before = key;
		names.add(entry.name);
	}
	return false;
}

/** How many entries there are in a tree, each directory counted once. */
function distinctEntries(verdict: Verdict): number {
	const seen = new Set<Verdict>([verdict]);
	let count = 0;
	for (const tree of seen) {
		count += tree.files + tree.children.length;
		for (const child of tree.children) seen.add(child);
	}
	return count;
}

/** Whether a tree is made to have more paths than anybody can check out. */
function isBoundless(verdict: Verdict): boolean {
	const { paths, depth } = verdict;
	return depth >= maxDepth || paths > maxPaths || (paths > maxPlainPaths && paths > maxCopies * distinctEntries(verdict));
}

/** One entry of each name: of several a directory rather than a file, and a file rather than a link, so that the most stays. */
function withoutDoubles(entries: readonly TreeItem[], refused: string[]): TreeItem[] {
	const byName = new Map<string, TreeItem>();
	for (const entry of entries) {
		const other = byName.get(entry.name);
		if (other) refused.push(entry.name);
		if (!other || kindOf(entry.mode) < kindOf(other.mode)) byName.set(entry.name, entry);
	}
	return [...byName.values()];
}

/** Names in the order of their bytes, each once, at most as many as are named. */
const namedOf = (refused: readonly string[]) => [...new Set(refused)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)).slice(0, maxNamed);

/** Replaces the trees of one object database, and remembers those that it has seen. */
class TreeCleaner {
	readonly #store: Repository;
	#verdicts = new Map<Oid, Verdict>();
	readonly #commits = new Map<Oid, CleanCommit>();
	/** Trees at the top of commits without names of our own. */
	readonly #withoutOwn = new Set<Oid>();
	readonly #isOwn: IsOwnName;

	constructor(store: Repository, isOwn: IsOwnName) {
		this.#store = store;
		this.#isOwn = isOwn;
	}

	/** What is known already. */
	known(commit: Oid): CleanCommit | undefined {
		return this.#commits.get(commit);
	}

	/** Many, with a few questions to git. @throws GitError */
	async commits(reader: ObjectReader, commits: readonly Oid[]): Promise<CleanCommit[]> {
		const results: CleanCommit[] = [];
		for (let start = 0; start < commits.length; start += commitsAtOnce) {
			const some = commits.slice(start, start + commitsAtOnce);
			const unknown = [...new Set(some.filter((commit) => !this.#commits.has(commit)))];
			const contents = unknown.length > 0 ? await reader.contents(unknown) : [];
			const texts = new Map(unknown.map((commit, index) => [commit, (contents[index] ?? Buffer.alloc(0)).toString("latin1")]));
			const objects: NewObject[] = [];
			await this.#load(
				reader,
				[...texts.values()].map((text) => /^tree ([0-9a-f]+)$/m.exec(text)?.[1] ?? ""),
				objects,
			);
			await writeObjects(this.#store, objects);
			for (const commit of some) results.push(await this.commit(reader, commit, texts.get(commit)));
		}
		return results;
	}

	/** @param read its content, one character a byte, where it is known @throws GitError */
	async commit(reader: ObjectReader, commit: Oid, read?: string): Promise<CleanCommit> {
		const known = this.#commits.get(commit);
		if (known) return known;
		const text = read ?? ((await reader.contents([commit]))[0] ?? Buffer.alloc(0)).toString("latin1");
		const original = await this.#originalOf(reader, commit, text);
		const result =
			original === null ? { ...(await this.#clean(reader, commit, text)), original } : { clean: commit, refused: [], original };
		if (this.#commits.size >= maxRememberedCommits) this.#commits.clear();
		this.#commits.set(commit, result);
		return result;
	}

	async #clean(reader: ObjectReader, commit: Oid, text: string): Promise<Omit<CleanCommit, "original">> {
		const tree = /^tree ([0-9a-f]+)$/m.exec(text)?.[1] ?? "";
		const objects: NewObject[] = [];
		const top = await this.#top(reader, tree, objects);
		if (top.tree === tree) return { clean: commit, refused: [] };
		const object = { type: "commit", content: cleanCommitContent(commit, text, top) } as const;
		await writeObjects(this.#store, [...objects, object]);
		return { clean: objectOid(object, this.#store.objectFormat), refused: top.refused };
	}

	/** The commit that this one is the clean version of. */
	async #originalOf(reader: ObjectReader, commit: Oid, text: string): Promise<Oid | null> {
		const parents = [...text.split("\n\n", 1)[0]!.matchAll(/^parent ([0-9a-f]+)$/gm)].map(([, parent = ""]) => parent);
		const [parent] = parents;
		if (parents.length !== 1 || parent === undefined || !text.includes(`\n\n${subject}\n`)) return null;
		const [content = Buffer.alloc(0)] = await reader.contents([parent]);
		// A parent with the same form is not cleaned again: no commit of ours is based on such a commit alone.
		if (content.toString("latin1").includes(`\n\n${subject}\n`)) return null;
		return (await this.commit(reader, parent)).clean === commit ? parent : null;
	}

	/** A tree as the top of a commit: what is our own stays out as well. */
	async #top(reader: ObjectReader, tree: Oid, objects: NewObject[]): Promise<Verdict> {
		await this.#load(reader, [tree], objects);
		const whole = this.#verdicts.get(tree) as Verdict;
		if (this.#withoutOwn.has(whole.tree)) return whole;
		const entries = this.#entriesOf(await this.#contents(reader, whole.tree, objects));
		const refused = whole.refused.filter((name) => !this.#isOwn(name.split("/", 1)[0] ?? ""));
		for (const { name } of entries) if (this.#isOwn(name)) refused.push(name);
		const kept = entries.filter(({ name }) => !this.#isOwn(name));
		if (kept.length === entries.length) {
			if (this.#withoutOwn.size >= maxRemembered) this.#withoutOwn.clear();
			this.#withoutOwn.add(whole.tree);
			return whole;
		}
		return this.#verdictOf(this.#newTree(kept, objects), kept, refused, whole.isCut);
	}

	/** The entries of a tree, up to the first that is damaged. */
	#entriesOf(content: Buffer | undefined): TreeItem[] {
		return content === undefined ? [] : parseTree(content, idLengthOf(this.#store)).items;
	}

	/** A tree's content, also of one that is not written yet. */
	async #contents(reader: ObjectReader, tree: Oid, objects: readonly NewObject[]): Promise<Buffer | undefined> {
		const made = objects.find((object) => objectOid(object, this.#store.objectFormat) === tree);
		return made?.content ?? (await reader.contents([tree]))[0];
	}

	#newTree(entries: readonly TreeItem[], objects: NewObject[]): Oid {
		const object = { type: "tree", content: treeContent(entries) } as const;
		objects.push(object);
		return objectOid(object, this.#store.objectFormat);
	}

	#verdictOf(tree: Oid, entries: readonly TreeItem[], refused: readonly string[], isCut: boolean): Verdict {
		const subtrees = entries.filter(isDirectory).map(({ oid }) => this.#verdicts.get(oid) as Verdict);
		return makeVerdict(tree, subtrees, entries.length - subtrees.length, refused, isCut);
	}

	/** Leaves out directories until a tree is one that can be checked out: what contributes most first, all copies of it at once. */
	#cut(entries: TreeItem[], refused: string[]): TreeItem[] {
		let kept = entries;
		for (let round = 1; kept.some(isDirectory); round++) {
			const whole = this.#verdictOf("", kept, [], false);
			if (round > maxExactCuts ? whole.paths <= maxPlainPaths && whole.depth < maxDepth : !isBoundless(whole)) break;
			const shares = new Map<Oid, number>();
			for (const { oid } of kept.filter(isDirectory)) {
				const { paths = 0, depth = 0 } = this.#verdicts.get(oid) ?? {};
				shares.set(oid, whole.depth >= maxDepth ? depth : (shares.get(oid) ?? 0) + paths);
			}
			const [largest] = [...shares].reduce((a, b) => (b[1] > a[1] ? b : a));
			for (const entry of kept) if (isDirectory(entry) && entry.oid === largest) refused.push(entry.name);
			kept = kept.filter((entry) => !isDirectory(entry) || entry.oid !== largest);
		}
		return kept;
	}

	/** Reads the unknown trees below some trees, level by level, and judges the deepest first. */
	async #load(reader: ObjectReader, roots: readonly Oid[], objects: NewObject[]): Promise<void> {
		if (this.#verdicts.size > maxRemembered) this.#verdicts = new Map();
		const parsed = new Map<Oid, Parsed>();
		let level = 0;
		for (let wanted = [...new Set(roots)].filter((root) => !this.#verdicts.has(root)); wanted.length > 0; level++) {
			const next = new Set<Oid>();
			await reader.each(wanted, (info, content, index) => {
				const oid = wanted[index] as Oid;
				const bytes = info ? content : present(null, oid);
				if (info?.type !== "tree" || bytes === null || level >= maxLevels) {
					this.#verdicts.set(oid, { ...makeVerdict(oid, [], 0, [], true), depth: Number.POSITIVE_INFINITY });
					return;
				}
				const entries = this.#entriesOf(bytes);
				const tree = parsedTree(entries);
				if (level === 0 && tree.entries === null && !entries.some(({ name }) => this.#isOwn(name))) this.#withoutOwn.add(oid);
				parsed.set(oid, tree);
				for (const child of tree.subtrees) if (!this.#verdicts.has(child)) next.add(child);
			});
			wanted = [...next].filter((oid) => !parsed.has(oid) && !this.#verdicts.has(oid));
		}
		await this.#judge(reader, parsed, roots, objects);
	}

	/** Judges trees after those in them. */
	async #judge(reader: ObjectReader, parsed: ReadonlyMap<Oid, Parsed>, roots: readonly Oid[], objects: NewObject[]): Promise<void> {
		for (const stack = [...roots]; stack.length > 0; ) {
			const oid = stack.at(-1) as Oid;
			const tree = parsed.get(oid);
			if (this.#verdicts.has(oid) || !tree) {
				stack.pop();
				continue;
			}
			const open = tree.subtrees.filter((child) => !this.#verdicts.has(child));
			if (open.length > 0) {
				for (const child of open) stack.push(child);
				continue;
			}
			stack.pop();
			const subtrees = tree.subtrees.map((child) => this.#verdicts.get(child) as Verdict);
			const isSound = tree.entries === null && subtrees.every((child, at) => child.tree === tree.subtrees[at] && !isBoundless(child));
			const sound = isSound ? makeVerdict(oid, subtrees, tree.files, [], false) : null;
			const verdict =
				sound !== null && !isBoundless(sound)
					? sound
					: this.#rewrite(tree.entries ?? this.#entriesOf((await reader.contents([oid]))[0]), objects);
			this.#verdicts.set(oid, verdict);
			if (verdict.tree !== oid) this.#verdicts.set(verdict.tree, { ...verdict, refused: [] });
		}
	}

	/** The same tree without what is refused, in git's order. */
	#rewrite(entries: readonly TreeItem[], objects: NewObject[]): Verdict {
		const refused: string[] = [];
		let kept: TreeItem[] = [];
		let isCut = false;
		for (const entry of withoutDoubles(entries, refused)) {
			const child = isDirectory(entry) ? this.#verdicts.get(entry.oid) : undefined;
			if (!isAllowed(entry) || (child && isBoundless(child))) {
				refused.push(entry.name);
				continue;
			}
			const isEmptied = child !== undefined && child.tree !== entry.oid && child.files === 0 && child.children.length === 0;
			// Of a bomb the whole is named, not each of its parts.
			if (isEmptied && child.isCut) refused.push(entry.name);
			else for (const name of child?.refused ?? []) refused.push(`${entry.name}/${name}`);
			isCut ||= child?.isCut ?? false;
			if (!isEmptied) kept.push(child ? { ...entry, oid: child.tree } : entry);
		}
		const before = kept.length;
		kept = this.#cut(kept, refused);
		isCut ||= kept.length < before;
		kept.sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
		return this.#verdictOf(this.#newTree(kept, objects), kept, refused, isCut);
	}
}

function parsedTree(entries: readonly TreeItem[]): Parsed {
	const subtrees = entries.filter(isDirectory).map(({ oid }) => oid);
	return { entries: isFlawed(entries) ? entries : null, subtrees, files: entries.length - subtrees.length };
}

function makeVerdict(tree: Oid, subtrees: readonly Verdict[], files: number, refused: readonly string[], isCut: boolean): Verdict {
	let [paths, depth] = [files, 0];
	for (const child of subtrees) {
		paths += child.paths;
		depth = Math.max(depth, child.depth + 1);
	}
	return { tree, refused: namedOf(refused), children: [...new Set(subtrees)], files, paths, depth, isCut };
}

const subject = "robust-sync: leave out paths that no working tree may have";
const identity = "robust-sync <robust-sync@localhost>";
/** A commit names no more nodes than this. */
const maxNodes = 16;
/** The last second of the year 9999: a date that every tool can read. */
const maxDate = 253_402_300_799;

/** The date of a commit's committer, in seconds since the epoch, within what tools can read. @param text the commit object */
export function usableDate(text: string): number {
	const date = Number(/^committer .* (-?\d+) [+-]\d{4,}$/m.exec(text)?.[1] ?? 0);
	return Math.min(Math.max(date, 0), maxDate);
}

function cleanCommitContent(commit: Oid, text: string, { tree, refused }: Verdict): Buffer {
	const when = `${usableDate(text)} +0000`;
	const header = `tree ${tree}\nparent ${commit}\nauthor ${identity} ${when}\ncommitter ${identity} ${when}\n\n${subject}\n`;
	// Quoted as JSON: a name may hold a line feed.
	const lines = refused.map((name) => `Refused: ${JSON.stringify(Buffer.from(name, "latin1").toString())}\n`);
	// Of no one node, since every node makes the same commit, but of those that the commit itself names.
	const [last = ""] = text.trimEnd().split("\n\n").slice(1).slice(-1);
	const nodes = new Set([...last.matchAll(/^Robust-Sync-Node: [a-z0-9][a-z0-9-]{0,62}$/gm)].map(([line]) => `${line}\n`));
	lines.push(...[...nodes].sort().slice(0, maxNodes));
	return Buffer.from(`${header}${lines.length > 0 ? `\n${lines.join("")}` : ""}`);
}

// One for each repository of the process: what is remembered is worth more than one cycle.
const cleaners = new Map<string, TreeCleaner>();

/**
 * For each of some commits the version that may be read (see above). Results are remembered: a process is started for
 * new commits only, which reads the trees that are new.
 * @param store from openMergeStore
 * @param isOwn names at the top of the tree that never are part of it
 * @param reader one of `store` that is open already; else one is opened where it is needed
 * @throws GitError
 */
export async function cleanCommits(
	store: Repository,
	commits: readonly Oid[],
	isOwn: IsOwnName,
	reader?: ObjectReader,
): Promise<CleanCommit[]> {
	const key = store.env.GIT_OBJECT_DIRECTORY ?? store.commonDirectory;
	const cleaner = cleaners.get(key) ?? new TreeCleaner(store, isOwn);
	cleaners.set(key, cleaner);
	const known = commits.map((commit) => cleaner.known(commit));
	if (known.every((commit) => commit !== undefined)) return known;
	const readAll = async (from: ObjectReader) => await cleaner.commits(from, commits);
	return reader ? await readAll(reader) : await withObjectReader(store, readAll);
}

/**
 * The cleaned versions of commits, for reading their whole trees: a peer's own tree may be a bomb, or make git fail. The empty tree stays as
 * it is.
 * @param isOwn names at the top of the tree that never are part of it
 * @throws GitError
 */
export async function readableVersions<C extends readonly Oid[]>(
	repository: Repository,
	commits: C,
	isOwn: IsOwnName,
): Promise<{ [Index in keyof C]: Oid }> {
	const wanted = commits.filter((commit) => commit !== repository.emptyTree);
	const cleaned = wanted.length > 0 ? await cleanCommits(openMergeStore(repository), wanted, isOwn) : [];
	const clean = new Map(wanted.map((commit, index) => [commit, cleaned[index]?.clean ?? commit]));
	return commits.map((commit) => clean.get(commit) ?? commit) as { [Index in keyof C]: Oid };
}
