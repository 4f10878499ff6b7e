import { eachTouch, GitError, type GitPath, type Oid, openMergeStore, type Repository } from "@robust-sync/git";
import { isNodeName, isOwnName } from "@robust-sync/workspace";

/** Of a longer side the newest commits are read. */
const maxCommits = 2_000;
/** No node has a longer name. */
const longestName = 100;

/** The authors of one side of a merge. */
export interface SideNodes {
	/** The node of the side's newest commit that touches the path, else of its newest commit at all; null: not known. */
	of(name: GitPath): string | null;
}

const noNodes: SideNodes = { of: () => null };

/** Our snapshots begin with the name of the node; of other commits it is the author's name (a user may have set one of their own). */
function writerOf(subject: string, author: string): string {
	const node = /^([^:\s]+): \d+ files? (?:deleted )?\(/.exec(subject)?.[1];
	return node !== undefined && isNodeName(node) ? node : author.trim().slice(0, longestName);
}

/** The same of what `format` gives, a byte a character. */
function writerIn(text: string): string {
	const [subject = "", author = ""] = Buffer.from(text, "latin1").toString("utf8").split("\n");
	return writerOf(subject, author);
}
const format = "%s%n%an";

/**
 * The nodes whose commits `side` has beyond `base`. Merges belong to no node. For display only: if the nodes are unknown, only names are missing.
 * @param base null: nothing in common, the whole history of the side
 */
export async function nodesOfSide(repository: Repository, side: Oid | null, base: Oid | null): Promise<SideNodes> {
	if (side === null) return noNodes;
	const range = base === null ? [side] : [side, `^${base}`];
	const byPath = new Map<string, string>();
	try {
		const history = { store: openMergeStore(repository), isOwn: isOwnName };
		const options = ["--no-merges", `--max-count=${maxCommits}`];
		const commits = await eachTouch(history, [...options, ...range], format, (text, name) => {
			const writer = byPath.has(name) ? "" : writerIn(text);
			if (writer !== "") byPath.set(name, writer);
		});
		const newest = commits.map(writerIn).find((writer) => writer !== "") ?? null;
		return { of: (name) => byPath.get(name) ?? newest };
	} catch (error) {
		if (error instanceof GitError) return noNodes;
		throw error;
	}
}
