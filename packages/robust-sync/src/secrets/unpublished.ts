import { type GitPath, gitPathIfAllowed, type Oid, openMergeStore, splitRecords } from "@robust-sync/git";
import type { CycleContext } from "../context/cycle-context.ts";
import { publishedTips } from "../remote/upstream.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { isOn } from "./policy.ts";

/** An unpublished commit, and its changes. */
export interface UnpublishedCommit {
	readonly commit: Oid;
	readonly parents: readonly Oid[];
	/** One character a byte, in UTF-8. */
	readonly message: string;
	/** `NAME <ADDRESS>` of author and committer, in the same way. */
	readonly people: readonly string[];
	readonly changes: { readonly path: GitPath; readonly oid: Oid }[];
}

/** Commits that HEAD has and none of `known` has, parents first, by one process. @throws GitError */
async function unpublishedCommits(context: CycleContext, head: Oid, known: readonly Oid[]): Promise<UnpublishedCommit[]> {
	const store = openMergeStore(context.repository);
	const { stdout } = await store.run([
		"log",
		"-z",
		"--topo-order",
		"--reverse",
		"--encoding=UTF-8",
		"--format=%x01%H %P%n%an <%ae>%n%cn <%ce>%n%B",
		"--raw",
		"-c",
		"-r",
		"--root",
		"--no-abbrev",
		"--no-renames",
		"--no-mailmap",
		"--no-show-signature",
		"--no-ext-diff",
		"--no-color",
		head,
		...known.map((oid) => `^${oid}`),
		"--",
	]);
	const commits: UnpublishedCommit[] = [];
	let header: string | null = null;
	for (const token of splitRecords(stdout)) {
		// A line feed separates a commit and its changes.
		const record: string = header === null && token.startsWith("\n") ? token.slice(1) : token;
		if (header !== null) {
			const name = gitPathIfAllowed(record);
			// ":<modes> <ids> <status>": with n parents n+1 modes and n+1 ids, the result's last.
			const fields = header.split(" ");
			const parents = /^:*/.exec(header)?.[0].length ?? 1;
			const mode = fields[parents] ?? "";
			const oid = fields.at(-2) ?? "";
			if (name !== null && mode !== "160000" && !/^0+$/.test(oid)) commits.at(-1)?.changes.push({ path: name, oid });
			header = null;
		} else if (record.startsWith(":")) header = record;
		else if (record.startsWith("\x01")) {
			const [line = "", author = "", committer = "", ...message] = record.slice(1).split("\n");
			const [commit = "", ...parents] = line.split(" ").filter(Boolean);
			commits.push({ commit, parents, message: message.join("\n"), people: [author, committer], changes: [] });
		}
	}
	return commits;
}

/** The commits of a snapshot that are neither published nor searched yet. */
export interface Unpublished {
	readonly head: Oid | null;
	readonly commits: readonly UnpublishedCommit[];
	/** Whether they are all commits since the last search for own files, and completely known. */
	readonly isAll: boolean;
}

/** @throws GitError */
export async function listUnpublished(context: CycleContext, { head, status, isDirect }: Snapshot): Promise<Unpublished> {
	const { secrets, publishable } = context.memory;
	const nothing = { head, commits: [], isAll: false };
	if (!isOn(context) || head === null || head === secrets.checked) return nothing;
	// Files that are committed without the index have been searched already.
	if (isDirect === true && status.head !== null && status.head === secrets.checked) return nothing;
	const tips = await publishedTips(context);
	if (tips.includes(head)) return nothing;
	const commits = await unpublishedCommits(context, head, secrets.checked === null ? tips : [...tips, secrets.checked]);
	return { head, commits, isAll: tips.length > 0 && publishable === secrets.checked };
}
