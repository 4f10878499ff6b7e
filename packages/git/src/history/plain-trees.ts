import type { ObjectReader } from "../objects/object-reader.ts";
import type { ObjectSink } from "../objects/object-writer.ts";
import { binary, hex, maxLevels, ownText, type ScannedTree, scanChanges, scanTree } from "../objects/tree-entries.ts";

/** The rewritten form of a tree: its binary id, one character a byte. null: nothing is left in it. */
export type NewTree = string | null;

/** A tree, and the path of one place where it is. */
interface PlacedTree {
	readonly tree: ScannedTree;
	readonly place: string;
	/** An earlier tree at this place with the same entries wherever this one was not scanned. null: all of this one was scanned. */
	base: PlacedTree | null;
	/** The rewritten content, once it is made. */
	made: Buffer | null;
}

/** Bytes of the last trees at their places, each old and new, with which the next ones are compared. */
const maxKeptBytes = 64 * 1_048_576;

/** Rewrites trees in which ids are replaced and no entry is removed. Ids are binary, one character a byte. */
export class PlainTrees {
	readonly #reader: ObjectReader;
	readonly #sink: ObjectSink;
	readonly #blobs: ReadonlyMap<string, string>;
	readonly #idLength: number;
	readonly #results: Map<string, NewTree>;
	readonly #met: Set<string>;
	/** The last tree at each place. */
	readonly #last = new Map<string, PlacedTree>();
	#keptBytes = 0;

	/** @param results receives each rewritten tree; may already hold some @param met receives the blobs of `blobs` that a tree contains */
	constructor(
		reader: ObjectReader,
		sink: ObjectSink,
		blobs: ReadonlyMap<string, string>,
		idLength: number,
		results: Map<string, NewTree>,
		met: Set<string>,
	) {
		this.#reader = reader;
		this.#sink = sink;
		this.#blobs = blobs;
		this.#idLength = idLength;
		this.#results = results;
		this.#met = met;
	}

	/** Rewrites these trees and all trees below them. @throws GitError */
	async make(roots: readonly string[]): Promise<void> {
		const scanned = new Map<string, PlacedTree>();
		const levels: string[][] = [];
		let places = new Map(roots.filter((id) => !this.#results.has(id)).map((id) => [id, ""]));
		while (places.size > 0 && levels.length < maxLevels) {
			const ids = [...places.keys()];
			const above = [...places.values()];
			const next = new Map<string, string>();
			await this.#reader.each(ids.map(hex), (info, content, index) => {
				if (info?.type !== "tree" || content === null) return;
				const place = above[index] ?? "";
				const placed = this.#scan(Buffer.from(content), place);
				scanned.set(ids[index] ?? "", placed);
				const { directories } = placed.tree;
				// The id is part of the text of a whole tree, which would stay in memory with it.
				for (const [at, id] of directories.ids.entries())
					if (!this.#results.has(id) && !scanned.has(id) && !next.has(id)) next.set(ownText(id), `${place}/${directories.names[at]}`);
			});
			levels.push(ids);
			for (const id of next.keys()) if (scanned.has(id)) next.delete(id);
			places = next;
		}
		for (const ids of levels.reverse())
			for (const id of ids) {
				this.#makeOne(id, scanned);
				if (this.#sink.isFull) await this.#sink.flush();
			}
	}

	/** Most trees differ little from the tree before at the same place. */
	#scan(content: Buffer, place: string): PlacedTree {
		const base = this.#last.get(place) ?? null;
		const changes = base === null ? null : scanChanges(content, base.tree, this.#idLength, this.#blobs);
		const tree = changes ?? scanTree(content, this.#idLength, this.#blobs);
		const placed = { tree, place, base: changes === null ? null : base, made: null };
		this.#keptBytes += 2 * (content.length - (base?.tree.content.length ?? 0));
		if (this.#keptBytes > maxKeptBytes) {
			this.#last.clear();
			this.#keptBytes = 2 * content.length;
		}
		this.#last.set(place, placed);
		return placed;
	}

	/** Rewrites a tree after its subtrees. Nearly all of those were rewritten with a deeper level. */
	#makeOne(id: string, scanned: ReadonlyMap<string, PlacedTree>): void {
		if (this.#results.has(id)) return;
		const placed = scanned.get(id);
		if (placed === undefined) {
			this.#results.set(id, id);
			return;
		}
		const whole =
			placed.base !== null && placed.base.made === null ? scanTree(placed.tree.content, this.#idLength, this.#blobs) : placed.tree;
		for (const child of whole.directories.ids) if (!this.#results.has(child)) this.#makeOne(ownText(child), scanned);
		this.#results.set(id, this.#replaced(id, placed, whole));
	}

	/** @param whole the tree, with all entries scanned that its base does not have in their new form */
	#replaced(id: string, placed: PlacedTree, { content, directories, files, from, to }: ScannedTree): NewTree {
		const before = placed.base?.made ?? null;
		placed.base = null;
		const made = Buffer.from(before ?? content);
		if (before !== null) content.copy(made, from, from, to);
		for (const [index, child] of directories.ids.entries()) {
			const next = this.#results.get(child) ?? child;
			if (next !== child) made.write(next, directories.offsets[index] ?? 0, this.#idLength, "latin1");
		}
		for (const [index, blob] of files.ids.entries()) {
			this.#met.add(blob);
			made.write(this.#blobs.get(blob) ?? blob, files.offsets[index] ?? 0, this.#idLength, "latin1");
		}
		placed.made = made;
		if (made.equals(content)) return id;
		const result = binary(this.#sink.add({ type: "tree", content: made, series: placed.place }));
		// The new tree holds no id that is to be replaced.
		this.#results.set(result, result);
		return result;
	}
}
