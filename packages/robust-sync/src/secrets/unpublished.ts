import {
	type GitPath,
	gitPathIfAllowed,
	knowsCommit,
	nulRecords,
	type Oid,
	openMergeStore,
	PackedBlobs,
	type PathBlob,
} from "@robust-sync/git";
import { type Items, joined, viewOf } from "@robust-sync/system/items";
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
	readonly changes: Items<PathBlob>;
}

/** Parses `log --raw -c -z` in the format of {@link unpublishedCommits}, as it arrives. */
function commitParser(): { onOutput(chunk: Buffer): void; commits: UnpublishedCommit[] } {
	const commits: UnpublishedCommit[] = [];
	/** The changes of the last of them. */
	let changes = new PackedBlobs();
	let isPath = false;
	/** The blob of the path that follows; null: it has none. */
	let blob: Oid | null = null;
	const { onOutput } = nulRecords((bytes) => {
		if (isPath) {
			const name = blob === null ? null : gitPathIfAllowed(bytes.toString("latin1"));
			if (name !== null && blob !== null) changes.push({ path: name, oid: blob });
			isPath = false;
			return;
		}
		// A line feed separates a commit and its changes.
		const start = bytes[0] === 0x0a ? 1 : 0;
		const mark = bytes[start];
		if (mark === 0x3a) {
			isPath = true;
			// ":<modes> <ids> <status>": with n parents n+1 modes and n+1 ids, the result's last.
			const fields = bytes.toString("latin1", start).split(" ");
			const parents = /^:*/.exec(fields[0] ?? "")?.[0].length ?? 1;
			const after = bytes.lastIndexOf(0x20);
			// Of bytes, not of a text: a part of a text keeps the whole, and a commit may have a million paths.
			const oid = bytes.toString("latin1", bytes.lastIndexOf(0x20, after - 1) + 1, after);
			blob = fields[parents] === "160000" || /^0+$/.test(oid) ? null : oid;
		} else if (mark === 0x01) {
			const [line = "", author = "", committer = "", ...message] = bytes.toString("latin1", start + 1).split("\n");
			const [commit = "", ...parents] = line.split(" ").filter(Boolean);
			const own = new PackedBlobs();
			changes = own;
			commits.push({
				commit,
				parents,
				message: message.join("\n"),
				people: [author, committer],
				get changes() {
					return own.items();
				},
			});
		}
	});
	return { onOutput, commits };
}

/** Commits that HEAD has and none of `known` has, parents first, by one process. @throws GitError */
async function unpublishedCommits(context: CycleContext, head: Oid, known: readonly Oid[]): Promise<UnpublishedCommit[]> {
	const store = openMergeStore(context.repository);
	const { onOutput, commits } = commitParser();
	const options = ["--topo-order", "--reverse", "--encoding=UTF-8", "--format=%x01%H %P%n%an <%ae>%n%cn <%ce>%n%B"];
	const diff = [
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
	];
	await store.run(["log", "-z", ...options, ...diff, head, ...known.map((oid) => `^${oid}`), "--"], { onOutput });
	return commits;
}

/** The commits of a snapshot that are neither published nor searched yet. */
export interface Unpublished {
	readonly head: Oid | null;
	readonly commits: readonly UnpublishedCommit[];
	/** Whether they are all commits since the last search for own files, and completely known. */
	readonly isAll: boolean;
}

/** The paths that some commits change. One that several change is among them as often. */
export function pathsOf(commits: readonly UnpublishedCommit[]): Items<GitPath> {
	return joined(...commits.map(({ changes }) => viewOf(changes, (change) => change.path)));
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
	// Another process may have removed it, as a forgetting does.
	const isCheckedHere = secrets.checked !== null && (await knowsCommit(context.repository, secrets.checked));
	const commits = await unpublishedCommits(context, head, isCheckedHere ? [...tips, secrets.checked as Oid] : tips);
	return { head, commits, isAll: tips.length > 0 && publishable === secrets.checked };
}
