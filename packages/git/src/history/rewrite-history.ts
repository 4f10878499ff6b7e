import { idLengthOf } from "../objects/object-id.ts";
import type { ObjectReader } from "../objects/object-reader.ts";
import type { ObjectSink } from "../objects/object-writer.ts";
import { binary, eachEntry, hex, maxLevels } from "../objects/tree-entries.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { parentsOf, rewrittenCommit, signatures, treeAt } from "./commit-text.ts";
import type { HistoryRule } from "./history-rule.ts";
import { type PathNode, PathTries } from "./path-tries.ts";
import { type NewTree, PlainTrees } from "./plain-trees.ts";

/** Commits that are read at once. */
const commitsAtOnce = 2_000;
/** Where the signature in the message of a tag begins: OpenPGP's, ssh's or X.509's (git-config(1), gpg.format). */
const signatureInTag = /^-----BEGIN (?:PGP SIGNATURE|PGP MESSAGE|SSH SIGNATURE|SIGNED MESSAGE)-----$/m;
const targetOf = (tag: Buffer): Oid => /^object ([0-9a-f]+)/.exec(tag.toString("latin1", 0, 100))?.[1] ?? "";

/**
 * Makes commits, trees and tags again by a rule. A pure function of the objects and the rule: what does not change, and has no changed parent,
 * keeps its id. Author, committer and dates stay; a signature, which would be wrong, goes.
 */
export class HistoryRewriter {
	readonly #reader: ObjectReader;
	readonly #sink: ObjectSink;
	#plainTrees: PlainTrees | null = null;
	readonly #rule: HistoryRule;
	readonly #idLength: number;
	readonly #blobs: ReadonlyMap<string, string>;
	readonly #tries: PathTries;
	readonly #results: Map<string, NewTree> = new Map();
	readonly #markers = new Map<string, ReadonlySet<string>>();
	/** Markers that commits, or commits before them, have. */
	readonly #known = new Map<Oid, ReadonlySet<string>>();
	readonly #roots: Map<string, Oid> = new Map();
	readonly #listed: ReadonlySet<string>;
	/** Commits, and the commits in their places. */
	readonly commits: Map<Oid, Oid> = new Map();
	/** Listed blobs that trees hold, by their old ids. */
	readonly #met: Set<string> = new Set();
	/** Blobs of path rules that some new tree still has. */
	readonly #left: Set<string> = new Set();
	/** Commits that were examined, and their rewritten versions. */
	readonly #done: Set<Oid> = new Set();

	/**
	 * @param sink stores new objects
	 * @param before a rewriter that did part of the work, by a rule with the same result for every present object: this one continues from its results
	 */
	constructor(
		reader: ObjectReader,
		sink: ObjectSink,
		rule: HistoryRule,
		format: Repository["objectFormat"],
		before: HistoryRewriter | null = null,
	) {
		if (before !== null) {
			this.#results = before.#results;
			this.#roots = before.#roots;
			this.#met = before.#met;
			this.#left = before.#left;
			this.#done = before.#done;
			this.commits = before.commits;
		}
		this.#reader = reader;
		this.#sink = sink;
		this.#rule = rule;
		this.#tries = new PathTries(rule.paths);
		this.#idLength = idLengthOf({ objectFormat: format });
		this.#blobs = new Map([...rule.blobs].map(([before, after]) => [binary(before), binary(after)]));
		this.#listed = new Set([...rule.paths.flatMap(({ blobs }) => [...blobs]), ...rule.watched].map(binary));
	}

	/** Whether a commit was examined, or is a rewritten version. */
	isDone(oid: Oid): boolean {
		return this.#done.has(oid);
	}

	/** Blobs of the rule that commits had. */
	get met(): ReadonlySet<Oid> {
		return new Set([...this.#met].map(hex));
	}

	/** Trees that no new commit has, and that had something of what was replaced. */
	get replacedTrees(): Oid[] {
		// Without paths, each tree has one result.
		const isPlain = this.#rule.paths.length === 0 && this.#listed.size === 0;
		const kept = new Set<string>();
		for (const [key, id] of this.#results) if (id !== null && !(isPlain && id === key)) kept.add(id);
		const replaced: Oid[] = [];
		const seen = new Set<string>();
		for (const [key, id] of this.#results) {
			const before = key.length === this.#idLength ? key : key.slice(0, this.#idLength);
			if (id === before || kept.has(before) || seen.has(before)) continue;
			if (!isPlain) seen.add(before);
			replaced.push(hex(before));
		}
		return replaced;
	}

	/** Blobs that were taken out by path and that no new tree has at another one. */
	get removedBlobs(): Set<Oid> {
		return new Set([...this.#listed].filter((id) => !this.#left.has(id)).map(hex));
	}

	/** The faster rewriter, which reads each tree once. Null: it cannot be used, because something is removed by path. */
	get #plain(): PlainTrees | null {
		if (this.#rule.paths.length > 0 || this.#listed.size > 0) return null;
		this.#plainTrees ??= new PlainTrees(this.#reader, this.#sink, this.#blobs, this.#idLength, this.#results, this.#met);
		return this.#plainTrees;
	}

	/** Reads the trees below some that were not made again yet. */
	async #load(roots: readonly (readonly [string, PathNode | null])[]): Promise<Map<string, Buffer>> {
		const contents = new Map<string, Buffer>();
		const key = (id: string, node: PathNode | null) => (node === null ? id : `${id}${node.key}`);
		const asked = new Set<string>();
		let wanted = roots.filter(([id, node]) => !this.#results.has(key(id, node)));
		for (let level = 0; wanted.length > 0 && level < maxLevels; level++) {
			const fresh = [...new Set(wanted.map(([id]) => id))].filter((id) => !contents.has(id));
			await this.#reader.each(fresh.map(hex), (info, content, index) => {
				if (info?.type === "tree" && content) contents.set(fresh[index] ?? "", Buffer.from(content));
			});
			const next: (readonly [string, PathNode | null])[] = [];
			for (const [id, node] of wanted) {
				const content = contents.get(id);
				if (content === undefined) continue;
				eachEntry(content, this.#idLength, (isDirectory, child, start, end) => {
					if (!isDirectory) return;
					const below = node === null ? null : this.#tries.child(node, content.toString("latin1", start, end));
					const entry = key(child, below);
					if (below?.all || asked.has(entry) || this.#results.has(entry)) return;
					asked.add(entry);
					next.push([child, below]);
				});
			}
			wanted = next;
		}
		return contents;
	}

	/** A tree after those in it. */
	#tree(contents: ReadonlyMap<string, Buffer>, root: string, rootNode: PathNode | null): NewTree {
		const key = (id: string, node: PathNode | null) => (node === null ? id : `${id}${node.key}`);
		const stack: (readonly [string, PathNode | null])[] = [[root, rootNode]];
		const open = new Set<string>();
		while (stack.length > 0) {
			const [id, node] = stack.at(-1) as readonly [string, PathNode | null];
			const name = key(id, node);
			const content = contents.get(id);
			if (this.#results.has(name)) stack.pop();
			else if (content === undefined) {
				this.#results.set(name, id);
				stack.pop();
			} else {
				const missing: (readonly [string, PathNode | null])[] = [];
				if (!open.has(name)) {
					eachEntry(content, this.#idLength, (isDirectory, child, start, end) => {
						if (!isDirectory) return;
						const below = node === null ? null : this.#tries.child(node, content.toString("latin1", start, end));
						if (!below?.all && !this.#results.has(key(child, below))) missing.push([child, below]);
					});
					open.add(name);
				}
				if (missing.length > 0) {
					stack.push(...missing);
					continue;
				}
				this.#results.set(name, this.#newTree(id, content, node));
				stack.pop();
			}
		}
		return this.#resultOf(key(root, rootNode), root);
	}

	/** What a tree became; one that was not examined stays. */
	#resultOf(name: string, id: string): NewTree {
		const result = this.#results.get(name);
		return result === undefined ? id : result;
	}

	#newTree(id: string, content: Buffer, node: PathNode | null): NewTree {
		const parts: Buffer[] = [];
		let isChanged = false;
		/** Up to here the entries are as they were. */
		let copied = 0;
		let count = 0;
		eachEntry(content, this.#idLength, (isDirectory, entry, start, end, at) => {
			const below = node === null ? null : this.#tries.child(node, content.toString("latin1", start, end));
			const after = end + 1 + this.#idLength;
			let next: string | null = entry;
			if (below?.all) next = null;
			else if (isDirectory) next = this.#resultOf(below === null ? entry : `${entry}${below.key}`, entry);
			else if (below?.blobs.has(entry)) next = null;
			else {
				const replacement = this.#blobs.get(entry);
				if (replacement !== undefined) {
					this.#met.add(entry);
					next = replacement;
				}
				if (this.#listed.has(next)) this.#left.add(next);
			}
			if (next !== null) count++;
			if (next === entry) return;
			isChanged = true;
			parts.push(content.subarray(copied, next === null ? at : end + 1));
			if (next !== null) parts.push(Buffer.from(next, "latin1"));
			copied = after;
		});
		if (!isChanged) return id;
		if (count === 0) return null;
		parts.push(content.subarray(copied));
		return binary(this.#sink.add({ type: "tree", content: Buffer.concat(parts) }));
	}

	/** The markers of path rules that a tree has. */
	async #markersIn(contents: ReadonlyMap<string, Buffer>, root: string): Promise<ReadonlySet<string>> {
		const { paths } = this.#rule;
		const [directory = ""] = paths[0]?.marker.split("/", 1) ?? [];
		let top: string | null = null;
		const content = contents.get(root);
		if (content !== undefined)
			eachEntry(content, this.#idLength, (isDirectory, id, start, end) => {
				if (isDirectory && content.toString("latin1", start, end) === directory) top = id;
			});
		if (top === null) return new Set();
		const known = this.#markers.get(top);
		if (known) return known;
		const found = new Set<string>();
		const markers = [...new Set(paths.map(({ marker }) => marker))];
		const infos = await this.#reader.infos(
			markers.map((marker) => Buffer.from(`${hex(top ?? "")}:${marker.slice(directory.length + 1)}`, "latin1")),
		);
		for (const [index, info] of infos.entries()) if (info?.type === "blob") found.add(markers[index] ?? "");
		this.#markers.set(top, found);
		return found;
	}

	/**
	 * Makes commits again.
	 * @param oids parents before their children @param progress called with how many are done
	 * @throws GitError
	 */
	async rewrite(oids: readonly Oid[], progress: (done: number) => void = () => undefined): Promise<void> {
		for (let start = 0; start < oids.length; start += commitsAtOnce) {
			const some = oids.slice(start, start + commitsAtOnce).filter((oid) => !this.#done.has(oid));
			const texts = new Map<Oid, Buffer>();
			const rootOf = new Map<Oid, string>();
			await this.#reader.each(some, (info, content, index) => {
				const oid = some[index] ?? "";
				if (info?.type !== "commit" || content === null) return;
				texts.set(oid, content);
				rootOf.set(oid, binary(content.toString("latin1", treeAt, treeAt + 2 * this.#idLength)));
			});
			const plain = this.#plain;
			if (plain !== null) {
				await plain.make([...new Set(rootOf.values())]);
			}
			const plainTreeOf = (root: string) => hex(this.#results.get(root) ?? root);
			const treeOf = plain === null ? await this.#rootsByPath(texts, rootOf) : (oid: Oid) => plainTreeOf(rootOf.get(oid) ?? "");
			for (const [oid, text] of texts) this.#commit(oid, text, treeOf(oid) ?? "");
			if (this.#sink.isFull) await this.#sink.flush();
			for (const oid of some) this.#done.add(oid);
			progress(Math.min(start + commitsAtOnce, oids.length));
		}
	}

	/** Rewrites root trees whose entries may be removed. @returns the new tree of a commit */
	async #rootsByPath(texts: ReadonlyMap<Oid, Buffer>, rootOf: ReadonlyMap<Oid, string>): Promise<(oid: Oid) => Oid | undefined> {
		const hasPaths = this.#rule.paths.length > 0;
		const tops = hasPaths ? await this.#contentsOf([...new Set(rootOf.values())]) : new Map<string, Buffer>();
		const keys = new Map<Oid, string>();
		const wanted = new Map<string, readonly [string, PathNode | null]>();
		for (const [oid, root] of rootOf) {
			const node = hasPaths ? this.#tries.of(await this.#knownTo(oid, texts.get(oid), tops, root)) : null;
			const key = node === null ? root : `${root}${node.key}`;
			keys.set(oid, key);
			if (!this.#roots.has(key)) wanted.set(key, [root, node]);
		}
		const contents = await this.#load([...wanted.values()]);
		for (const [key, [root, node]] of wanted) {
			const id = this.#tree(contents, root, node);
			this.#roots.set(key, id === null ? this.#sink.add({ type: "tree", content: Buffer.alloc(0) }) : hex(id));
			if (this.#sink.isFull) await this.#sink.flush();
		}
		return (oid) => this.#roots.get(keys.get(oid) ?? "");
	}

	/** The markers that a commit or one before it has: removing one from the tree does not remove it from history. */
	async #knownTo(oid: Oid, text: Buffer | undefined, tops: ReadonlyMap<string, Buffer>, root: string): Promise<ReadonlySet<string>> {
		let known = await this.#markersIn(tops, root);
		for (const parent of text === undefined ? [] : parentsOf(text)) {
			const inherited = this.#known.get(parent);
			if (inherited === undefined || [...inherited].every((marker) => known.has(marker))) continue;
			known = new Set([...known, ...inherited]);
		}
		if (known.size > 0) this.#known.set(oid, known);
		return known;
	}

	async #contentsOf(ids: readonly string[]): Promise<Map<string, Buffer>> {
		const contents = new Map<string, Buffer>();
		await this.#reader.each(ids.map(hex), (info, content, index) => {
			if (info?.type === "tree" && content) contents.set(ids[index] ?? "", Buffer.from(content));
		});
		return contents;
	}

	#commit(oid: Oid, content: Buffer, tree: Oid): void {
		const message = (before: Buffer) => this.#rule.message(oid, before);
		const next = rewrittenCommit(content, this.#idLength, tree, this.commits, message);
		if (next === null) return;
		const made = this.#sink.add({ type: "commit", content: next });
		this.commits.set(oid, made);
		if (this.#rule.paths.length === 0) this.#done.add(made);
	}

	/** Annotated tags of what was made again, also tags of such tags; to be called after the commits and `visit`. @returns the tags in their places */
	async tags(oids: readonly Oid[]): Promise<Map<Oid, Oid>> {
		const made = new Map<Oid, Oid>();
		const texts = new Map<Oid, Buffer>();
		await this.#reader.each(oids, (info, content, index) => {
			if (info?.type === "tag" && content) texts.set(oids[index] ?? "", Buffer.from(content));
		});
		// A tag of a tag comes after that one.
		for (const oid of oids)
			for (let chain = [oid]; chain.length > 0; ) {
				const next = chain.at(-1) ?? "";
				const content = texts.get(next);
				const target = content === undefined ? "" : targetOf(content);
				if (texts.has(target)) chain.push(target);
				else {
					if (content !== undefined) this.#tag(next, content, target, made);
					texts.delete(next);
					chain = chain.slice(0, -1);
				}
			}
		return made;
	}

	#tag(oid: Oid, content: Buffer, target: Oid, made: Map<Oid, Oid>): void {
		const at = content.indexOf("\n\n");
		if (at < 0) return;
		const header = content.toString("latin1", 0, at);
		const now = this.commits.get(target) ?? this.#rule.blobs.get(target) ?? made.get(target) ?? this.treeInPlace(target);
		const rest = content.subarray(at + 2);
		const message = this.#rule.message(oid, rest);
		if (now === undefined && message.equals(rest)) return;
		const signature = message.toString("latin1").search(signatureInTag);
		const unsigned = signature < 0 ? message : message.subarray(0, signature);
		const changed = header.replace(/^object [0-9a-f]+/, `object ${now ?? target}`).replace(signatures, "");
		made.set(oid, this.#sink.add({ type: "tag", content: Buffer.concat([Buffer.from(`${changed}\n\n`, "latin1"), unsigned]) }));
	}

	/** The tree in the place of one that was made again. */
	treeInPlace(oid: Oid): Oid | undefined {
		const id = this.#results.get(binary(oid));
		return id === undefined || id === null || hex(id) === oid ? undefined : hex(id);
	}

	/** Visits trees that no commit has. `replacedTrees` then has those with replaced content. @throws GitError */
	async visit(oids: readonly Oid[]): Promise<void> {
		const removed = this.removedBlobs;
		const node = removed.size === 0 ? null : this.#tries.node();
		if (node !== null) for (const blob of removed) node.blobs.add(binary(blob));
		for (let start = 0; start < oids.length; start += commitsAtOnce) {
			const some = oids.slice(start, start + commitsAtOnce).map(binary);
			if (node === null && this.#plain !== null) {
				await this.#plain.make(some);
				continue;
			}
			const roots = some.map((id) => [id, node] as const);
			const contents = await this.#load(roots);
			for (const [root] of roots) if (contents.has(root)) this.#tree(contents, root, node);
			if (this.#sink.isFull) await this.#sink.flush();
		}
	}
}
