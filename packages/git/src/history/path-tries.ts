import { binary } from "../objects/tree-entries.ts";
import type { PathRule } from "./history-rule.ts";

/** Which entries below a directory go. */
export interface PathNode {
	readonly key: number;
	readonly children: Map<string, PathNode>;
	/** Everything at this path goes. */
	all: boolean;
	/** These blobs go, at this path and below it. */
	readonly blobs: Set<string>;
}

/** Path rules as trees of directories, one for each combination of rules that a commit knows. */
export class PathTries {
	readonly #paths: readonly PathRule[];
	readonly #tries = new Map<string, PathNode>();
	/** The paths below one whose listed blobs are removed, by its node. */
	readonly #below = new Map<number, PathNode>();
	#count = 0;

	constructor(paths: readonly PathRule[]) {
		this.#paths = paths;
	}

	/** A directory from which nothing goes yet. */
	node(): PathNode {
		return { key: this.#count++, children: new Map<string, PathNode>(), all: false, blobs: new Set<string>() };
	}

	/** The path rules of a commit that has some of the markers. */
	of(known: ReadonlySet<string>): PathNode | null {
		const paths = this.#paths;
		if (paths.length === 0) return null;
		const key = paths.map(({ marker }) => (known.has(marker) ? "1" : "0")).join("");
		const before = this.#tries.get(key);
		if (before !== undefined) return before;
		const root = this.node();
		for (const { path, marker, blobs } of paths) {
			let node = root;
			for (const part of path.split("/")) {
				const child = node.children.get(part) ?? this.node();
				node.children.set(part, child);
				node = child;
			}
			if (!known.has(marker)) node.all = true;
			else for (const blob of blobs) node.blobs.add(binary(blob));
		}
		const inherit = (node: PathNode) => {
			for (const child of node.children.values()) {
				for (const blob of node.blobs) child.blobs.add(blob);
				inherit(child);
			}
		};
		inherit(root);
		this.#tries.set(key, root);
		return root;
	}

	/** The rules of an entry of a directory; null: none. */
	child(node: PathNode | null, name: string): PathNode | null {
		if (node === null) return null;
		const child = node.children.get(name);
		if (child !== undefined || node.blobs.size === 0) return child ?? null;
		if (node.children.size === 0) return node;
		const below = this.#below.get(node.key) ?? { ...this.node(), blobs: node.blobs };
		this.#below.set(node.key, below);
		return below;
	}
}
