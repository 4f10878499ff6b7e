import { Column, type Items, MadeItems } from "@robust-sync/system/items";
import { type GitPath, storedGitPath } from "./git-path.ts";

/** The first block is small, because many lists are short. Each next one is twice as large, up to the last size. */
const [firstBytes, mostBytes] = [256, 1_048_576];

/** A growing list of paths as bytes, outside of the heap: a million take some 50 MB, and the collector does not read them. */
export class PackedPaths {
	readonly #blocks: Buffer[] = [];
	/** The bytes that are used of the last block. */
	#used = 0;
	/** Of each path: the block, and its first byte in it. */
	readonly #block = new Column();
	readonly #start = new Column();

	get length(): number {
		return this.#start.length;
	}

	push(path: GitPath): void {
		const bytes = path.length + 1;
		if (this.#used + bytes > (this.#blocks.at(-1)?.length ?? 0)) {
			const size = Math.min(mostBytes, firstBytes * 2 ** Math.min(this.#blocks.length, 20));
			this.#blocks.push(Buffer.allocUnsafeSlow(Math.max(size, bytes)));
			this.#used = 0;
		}
		const block = this.#blocks.at(-1) as Buffer;
		block.write(path, this.#used, "latin1");
		// No path has a NUL in it.
		block[this.#used + path.length] = 0;
		this.#block.push(this.#blocks.length - 1);
		this.#start.push(this.#used);
		this.#used += bytes;
	}

	at(index: number): GitPath {
		const block = this.#blocks[this.#block.at(index)] as Buffer;
		const start = this.#start.at(index);
		return storedGitPath(block, start, block.indexOf(0, start));
	}

	/** The paths up to now. */
	items(): Items<GitPath> {
		return new MadeItems(this.length, (index) => this.at(index));
	}
}
