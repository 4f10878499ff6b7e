import type { ObjectReader } from "../objects/object-reader.ts";
import type { NewObject } from "../objects/object-writer.ts";
import type { Oid } from "../process/repository.ts";
import { binary, hex, maxLevels, type ScannedTree, scanTree } from "./tree-entries.ts";

/** The rewritten form of a tree. */
export interface NewTree {
	/** Binary id, one character a byte. null: nothing is left in it. */
	readonly id: string | null;
}

/** Rewrites trees in which ids are replaced and no entry is removed. Ids are binary, one character a byte. */
export class PlainTrees {
	readonly #reader: ObjectReader;
	readonly #write: (object: NewObject) => Promise<Oid>;
	readonly #blobs: ReadonlyMap<string, string>;
	readonly #idLength: number;
	readonly #results: Map<string, NewTree>;
	readonly #met: Set<string>;

	/** @param results receives each rewritten tree; may already hold some @param met receives the blobs of `blobs` that a tree contains */
	constructor(
		reader: ObjectReader,
		write: (object: NewObject) => Promise<Oid>,
		blobs: ReadonlyMap<string, string>,
		idLength: number,
		results: Map<string, NewTree>,
		met: Set<string>,
	) {
		this.#reader = reader;
		this.#write = write;
		this.#blobs = blobs;
		this.#idLength = idLength;
		this.#results = results;
		this.#met = met;
	}

	/** Rewrites these trees and all trees below them. @throws GitError */
	async make(roots: readonly string[]): Promise<void> {
		const scanned = new Map<string, ScannedTree>();
		const levels: string[][] = [];
		for (let wanted = roots.filter((id) => !this.#results.has(id)); wanted.length > 0 && levels.length < maxLevels; ) {
			const ids = wanted;
			const next = new Set<string>();
			await this.#reader.each(ids.map(hex), (info, content, index) => {
				if (info?.type !== "tree" || content === null) return;
				const tree = scanTree(Buffer.from(content), this.#idLength, this.#blobs);
				scanned.set(ids[index] ?? "", tree);
				for (const id of tree.directories.ids) if (!this.#results.has(id) && !scanned.has(id)) next.add(id);
			});
			levels.push(ids);
			wanted = [...next].filter((id) => !scanned.has(id));
		}
		for (const ids of levels.reverse()) for (const id of ids) await this.#makeOne(id, scanned);
	}

	/** Rewrites a tree after its subtrees. Nearly all of those were rewritten with a deeper level. */
	async #makeOne(id: string, scanned: ReadonlyMap<string, ScannedTree>): Promise<void> {
		if (this.#results.has(id)) return;
		const tree = scanned.get(id);
		if (tree !== undefined) for (const child of tree.directories.ids) if (!this.#results.has(child)) await this.#makeOne(child, scanned);
		this.#results.set(id, tree === undefined ? { id } : await this.#replaced(id, tree));
	}

	async #replaced(id: string, { content, directories, files }: ScannedTree): Promise<NewTree> {
		let isChanged = false;
		for (const [index, child] of directories.ids.entries()) {
			const next = this.#results.get(child)?.id ?? child;
			if (next === child) continue;
			isChanged = true;
			content.write(next, directories.offsets[index] ?? 0, this.#idLength, "latin1");
		}
		for (const [index, blob] of files.ids.entries()) {
			this.#met.add(blob);
			isChanged = true;
			content.write(this.#blobs.get(blob) ?? blob, files.offsets[index] ?? 0, this.#idLength, "latin1");
		}
		if (!isChanged) return { id };
		const made = binary(await this.#write({ type: "tree", content }));
		// The new tree holds no id that is to be replaced.
		this.#results.set(made, { id: made });
		return { id: made };
	}
}
