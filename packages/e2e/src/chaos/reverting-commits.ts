import { git } from "./git.ts";

/** Whether a version of a file has a write; null: there is no file. */
export type IsKept = (text: string | null) => boolean;

/** The newest that are shown. */
const mostShown = 8;

/** The text of each blob. */
function textsOf(repository: string, blobs: ReadonlySet<string>): Map<string, string> {
	return new Map([...blobs].map((blob) => [blob, git(repository, ["cat-file", "blob", blob])]));
}

/**
 * The commits of main that took a write back: an ancestor has it, they do not, and all their parents that descend from such an ancestor do.
 * One that inherited it from a parent is not among them.
 * @returns a line for each, the newest first in the order of ancestry: its id, its parents, date, author, subject
 */
export function revertingCommits(repository: string, file: string, isKept: IsKept): string[] {
	const commits = git(repository, ["rev-list", "--topo-order", "--reverse", "--parents", "main"])
		.split("\n")
		.filter(Boolean)
		.map((line) => line.split(" "));
	const ids = commits.map(([id]) => id!);
	const blobs = git(repository, ["cat-file", "--batch-check=%(objecttype) %(objectname)"], ids.map((id) => `${id}:${file}\n`).join(""))
		.split("\n")
		.slice(0, ids.length)
		.map((line) => /^blob ([0-9a-f]+)$/.exec(line)?.[1] ?? null);
	const texts = textsOf(repository, new Set(blobs.filter((blob) => blob !== null)));
	const kept = new Map<string | null, boolean>([[null, isKept(null)]]);
	for (const [blob, text] of texts) kept.set(blob, isKept(text));

	const states = new Map<string, "before" | "kept" | "lost">();
	const found: string[] = [];
	// A path that there has never been is kept if the write was a deletion: that is before the write, too.
	const everThere = new Set<string>();
	for (const [index, [id, ...parents]] of commits.entries()) {
		const blob = blobs[index]!;
		if (blob !== null || parents.some((parent) => everThere.has(parent))) everThere.add(id!);
		const before = parents.map((parent) => states.get(parent) ?? "before");
		const isLost = !kept.get(blob) && before.some((state) => state !== "before");
		states.set(id!, isLost ? "lost" : kept.get(blob) && everThere.has(id!) ? "kept" : "before");
		if (isLost && !before.includes("lost")) found.push(id!);
	}
	return found
		.slice(-mostShown)
		.reverse()
		.map((id) => git(repository, ["log", "-1", "--format=taken back by %h of %p, %cI, %an: %s", id]).trim());
}
