import { GitError, type GitPath, type Oid, type Repository } from "@robust-sync/git";
import { isNodeName } from "@robust-sync/workspace";

/** Of a longer side the newest commits are looked at. */
const maxCommits = 2_000;
/** Who writes a longer name is not a node of ours. */
const longestName = 100;

/** Who wrote one side of a merge. */
export interface SideNodes {
	/** The node of the side's newest commit that touches the path, else of its newest commit at all; null: not known. */
	of(name: GitPath): string | null;
}

const nobody: SideNodes = { of: () => null };

/** Our snapshots begin with the name of the node; of other commits it is the author's name (a user may have set one of their own). */
function writerOf(subject: string, author: string): string {
	const node = /^([^:\s]+): \d+ files? (?:deleted )?\(/.exec(subject)?.[1];
	return node !== undefined && isNodeName(node) ? node : author.trim().slice(0, longestName);
}

/** @param output of `git log -z --format=%x00a%s%n%an --name-only`, a byte a character */
function parse(output: string): SideNodes {
	const byPath = new Map<string, string>();
	let newest: string | null = null;
	// Each commit: an empty field, its subject behind a letter (it may be empty), its author in the next line; then its paths, the first behind a line feed.
	const fields = output.split("\0");
	let author = "";
	let begins = true;
	for (const field of fields) {
		if (field === "") begins = true;
		else if (begins) {
			const [subject = "", name = ""] = Buffer.from(field.slice(1), "latin1").toString("utf8").split("\n");
			author = writerOf(subject, name);
			newest ??= author || null;
			begins = false;
		} else {
			const name = field.replace(/^\n/, "");
			if (author !== "" && !byPath.has(name)) byPath.set(name, author);
		}
	}
	return { of: (name) => byPath.get(name) ?? newest };
}

/**
 * Whose commits `side` has beyond `base`. Merges are nobody's. Only ever shown: where it cannot be found out, nothing is missing but a name.
 * @param base null: nothing in common, the whole history of the side
 */
export async function nodesOfSide(repository: Repository, side: Oid | null, base: Oid | null): Promise<SideNodes> {
	if (side === null) return nobody;
	const range = base === null ? [side] : [side, `^${base}`];
	try {
		const { stdout } = await repository.run([
			"log",
			"-z",
			"--no-merges",
			"--no-renames",
			"--no-ext-diff",
			"--no-textconv",
			"--no-mailmap",
			"--no-show-signature",
			"--encoding=UTF-8",
			`--max-count=${maxCommits}`,
			"--format=%x00a%s%n%an",
			"--name-only",
			...range,
			"--",
		]);
		return parse(stdout.toString("latin1"));
	} catch (error) {
		if (error instanceof GitError) return nobody;
		throw error;
	}
}
