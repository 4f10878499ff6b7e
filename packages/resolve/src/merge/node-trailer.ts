import { isNodeName } from "@robust-sync/workspace";

const key = "Robust-Sync-Node";
/** The most nodes that a merge names: no one reads a longer list. */
const maxNodes = 16;

/** The trailer (git-interpret-trailers(1)) with the node that made a commit, independent of `user.name`. */
export function nodeTrailer(node: string): string {
	return `${key}: ${node}`;
}

/** A message of one node: history can be filtered by node (`git log --grep='^Robust-Sync-Node: helios$'`). A paragraph of trailers at its end goes on. */
export function withNodeTrailer(message: string, node: string): string {
	// Of bytes that are read as Latin-1 only these are blanks.
	const text = message.replace(/[\t\n\r ]+$/, "");
	const paragraphs = text.split("\n\n");
	const last = (paragraphs.at(-1) ?? "").split("\n");
	const hasTrailers = paragraphs.length > 1 && last.every((line) => /^[A-Za-z][A-Za-z0-9-]*: \S/.test(line));
	return `${text}${hasTrailers ? "\n" : "\n\n"}${nodeTrailer(node)}`;
}

/** The same for a commit that this node rewrites: an existing trailer stays. */
export function markedAsMade(message: string, node: string): string {
	return nodesIn(message).length > 0 ? message : `${withNodeTrailer(message, node)}\n`;
}

/** The nodes that a commit's message names in its last paragraph. */
export function nodesIn(message: string): string[] {
	const paragraph = message.trimEnd().split("\n\n").at(-1) ?? "";
	return [...paragraph.matchAll(/^Robust-Sync-Node: (\S{1,63})$/gm)].map(([, node = ""]) => node).filter(isNodeName);
}

/**
 * The trailers of a merge: of no one node, since every node computes the same commit, but of those whose commits it joins.
 * @param parents the raw contents of the commits that are merged, headers included
 */
export function mergeTrailers(parents: readonly string[]): string[] {
	const messages = parents.map((parent) => parent.slice(parent.indexOf("\n\n") + 2));
	return [...new Set(messages.flatMap(nodesIn))].sort().slice(0, maxNodes).map(nodeTrailer);
}
