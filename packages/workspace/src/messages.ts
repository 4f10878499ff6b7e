import { type Dirent, readdirSync } from "node:fs";
import path from "node:path";
import { WorkspacePaths } from "./paths.ts";

/** A delivered message. */
export interface DeliveredMessage {
	/** The node that sent it: the name of its directory. */
	readonly node: string;
	/** Relative to the workspace. */
	readonly path: string;
}

/** Messages are directly below a node's directory, or in one directory a day. */
const deepest = 2;
/** Limit of directory entries that are read. */
const mostEntries = 200_000;

/**
 * Messages in the working tree, newest first by the time in their names. Links are not followed. Never throws.
 * @param node only of this node
 */
export function listMessages(paths: WorkspacePaths, { node, limit }: { node?: string | undefined; limit: number }): DeliveredMessage[] {
	const found: (DeliveredMessage & { readonly name: string })[] = [];
	let visited = 0;
	const walk = (directory: string, sender: string, depth: number) => {
		for (const entry of entriesOf(path.join(paths.root, directory))) {
			if (++visited > mostEntries) return;
			const name = `${directory}/${entry.name}`;
			if (entry.isDirectory() && depth < deepest) walk(name, sender, depth + 1);
			else if (entry.isFile()) found.push({ node: sender, path: name, name: entry.name });
		}
	};
	const top = path.posix.dirname(WorkspacePaths.messagesOf("x"));
	for (const entry of entriesOf(path.join(paths.root, top)))
		if (entry.isDirectory() && (node === undefined || entry.name === node)) walk(WorkspacePaths.messagesOf(entry.name), entry.name, 1);
	return found
		.sort((a, b) => (a.name < b.name ? 1 : a.name > b.name ? -1 : 0))
		.slice(0, limit)
		.map(({ node: sender, path: file }) => ({ node: sender, path: file }));
}

function entriesOf(directory: string): Dirent[] {
	try {
		return readdirSync(directory, { withFileTypes: true });
	} catch {
		return [];
	}
}
