import { cleanCommits, type IsOwnName } from "../objects/clean-tree.ts";
import { readLooseObject } from "../objects/loose-objects.ts";
import { objectOid } from "../objects/object-id.ts";
import { type ObjectReader, withObjectReader } from "../objects/object-reader.ts";
import { writeObjects } from "../objects/object-writer.ts";
import { type GitPath, gitPathIfAllowed, splitRecords } from "../paths/git-path.ts";
import { nulRecords } from "../process/nul-records.ts";
import type { Oid, Repository } from "../process/repository.ts";

/** When each side last changed the paths and blobs asked for: committer dates, seconds since the epoch. */
export interface SideHistory {
	/** By path. */
	readonly paths: ReadonlyMap<GitPath, number>;
	/** By the blob that a commit put at any path: finds a file under the name that it had before the other side renamed it. */
	readonly blobs: ReadonlyMap<Oid, number>;
}

/** What a walk over a history reads. */
export interface HistoryReader {
	/** From openMergeStore. */
	readonly store: Repository;
	/** Names at the top of a tree that are left out. */
	readonly isOwn: IsOwnName;
	/** One of `store` that is open already. */
	readonly reader?: ObjectReader;
}

/**
 * What commits changed, newest first; of a merge that in which its result is none of its parents' (git-log(1), `-c`). git compares their
 * clean versions only: the trees of commits that a peer pushed may have millions of paths, or abort it.
 * @param range commits and options of git-log(1)
 * @param format of what is to be known of a commit (git-log(1))
 * @param receive called with that (a byte a character), the path and the blob that the commit put there
 * @returns the same of all of them, also of those that changed nothing
 * @throws GitError
 */
export async function eachTouch(
	{ store, isOwn, reader }: HistoryReader,
	range: readonly string[],
	format: string,
	receive: (text: string, name: GitPath, blob: Oid) => void,
): Promise<string[]> {
	const options = ["-z", "--no-mailmap", "--no-show-signature", "--encoding=UTF-8", `--format=%H %P%n${format}`];
	const { stdout } = await store.run(["log", ...options, ...range, "--"]);
	const commits = splitRecords(stdout).map((record) => {
		const end = record.indexOf("\n");
		return { oids: record.slice(0, end).split(" ").filter(Boolean), text: record.slice(end + 1) };
	});
	if (commits.length === 0) return [];
	const all = [...new Set(commits.flatMap(({ oids }) => oids))];
	const cleaned = reader
		? await cleanCommits(store, all, isOwn, reader)
		: await withObjectReader(store, (from) => cleanCommits(store, all, isOwn, from));
	const cleanOf = new Map(all.map((oid, index) => [oid, cleaned[index]?.clean ?? oid]));
	const texts = new Map<Oid, string>();
	const input: string[] = [];
	for (const { oids, text } of commits) {
		const [commit = "", ...parents] = oids.map((oid) => cleanOf.get(oid) ?? oid);
		// A line without parents means the parents of the commit itself. Those of a clean version would be its original.
		if (parents.length === 0 && commit !== oids[0]) parents.push(await emptyCommit(store));
		input.push(`${[commit, ...parents].join(" ")}\n`);
		// The changes of a clean version are those of its original.
		texts.set(commit, text);
	}
	let text = "";
	let header: string | null = null;
	const { onOutput, end } = nulRecords((token) => {
		const read = token.toString("latin1");
		if (header !== null) {
			const name = gitPathIfAllowed(read);
			// ":<modes> <ids> <status>": with n parents n+1 modes and n+1 ids, the result's last.
			if (name !== null) receive(text, name, header.split(" ").at(-2) ?? "");
			header = null;
		} else if (read.startsWith(":")) header = read;
		else text = texts.get(read) ?? text;
	});
	const diff = ["--stdin", "-z", "-r", "--root", "-c", "--raw", "--no-abbrev", "--no-renames"];
	await store.run(["diff-tree", ...diff], { input: input.join(""), onOutput });
	end();
	return commits.map((commit) => commit.text);
}

/** A commit with nothing in it, written where it is missing. @throws GitError */
export async function emptyCommit(store: Repository): Promise<Oid> {
	const who = "robust-sync <robust-sync@localhost> 0 +0000";
	const content = Buffer.from(`tree ${store.emptyTree}\nauthor ${who}\ncommitter ${who}\n\nnothing\n`);
	const object = { type: "commit", content } as const;
	await writeObjects(store, [object, { type: "tree", content: Buffer.alloc(0) }]);
	return objectOid(object, store.objectFormat);
}

/**
 * One walk over what only one of two commits has: for each wanted path and blob the committer date of the last commit that touched
 * it. A merge counts where its result is none of its parents'.
 * @throws GitError
 */
export async function lastTouches(
	history: HistoryReader,
	first: Oid,
	second: Oid,
	wanted: { paths: ReadonlySet<GitPath>; blobs: ReadonlySet<Oid> },
): Promise<{ first: SideHistory; second: SideHistory }> {
	const sides = {
		"<": { paths: new Map<GitPath, number>(), blobs: new Map<Oid, number>() },
		">": { paths: new Map<GitPath, number>(), blobs: new Map<Oid, number>() },
	};
	await eachTouch(history, ["--left-right", `${first}...${second}`], "%m%ct", (text, name, blob) => {
		const side = sides[text[0] as "<" | ">"];
		const date = Number(text.slice(1));
		if (wanted.paths.has(name) && !side.paths.has(name)) side.paths.set(name, date);
		if (wanted.blobs.has(blob) && !side.blobs.has(blob)) side.blobs.set(blob, date);
	});
	return { first: sides["<"], second: sides[">"] };
}

/** The parents of a commit, in order. @throws GitError */
export async function commitParents(repository: Repository, commit: Oid): Promise<Oid[]> {
	const { stdout } = await repository.run(["rev-parse", `${commit}^@`]);
	return stdout.toString("latin1").split("\n").filter(Boolean);
}

/**
 * The commits from `to` back by first parents until one that `from` has, oldest first.
 * @param from null: all of them
 * @throws GitError
 */
export async function firstParents(repository: Repository, from: Oid | null, to: Oid): Promise<Oid[]> {
	const { stdout } = await repository.run(["rev-list", "--first-parent", "--reverse", to, ...(from ? [`^${from}`] : []), "--"]);
	return stdout.toString("latin1").split("\n").filter(Boolean);
}

/** A commit as a walk gives it. */
export interface WalkedCommit {
	readonly commit: Oid;
	readonly parents: readonly Oid[];
	/** `Name <address> seconds`, the time zone left out. */
	readonly author: string;
	readonly committer: string;
	readonly message: string;
}

/** git reads a longer line of commits. */
const lineCommits = 32;

/** The commits from `from` to `to`, if each has the one before as its only parent, read without git. null: git must walk. */
function walkLine(repository: Repository, from: Oid, to: Oid): WalkedCommit[] | null {
	if (repository.isShallow) return null;
	const found: WalkedCommit[] = [];
	for (let commit = to; commit !== from; ) {
		const object = found.length < lineCommits ? readLooseObject(repository, commit) : null;
		const text = object?.type === "commit" ? object.content.toString("utf8") : "";
		const match = /^tree \w+\nparent (\w+)\nauthor (.*) [+-]\d{4}\ncommitter (.*) [+-]\d{4}\n\n/.exec(text);
		if (match === null) return null;
		const [header, parent = "", author = "", committer = ""] = match;
		found.unshift({ commit, parents: [parent], author, committer, message: text.slice(header.length) });
		commit = parent;
	}
	return found;
}

/** Every commit that `to` has and `from` lacks (all when `from` is null), parents before their children. */
export async function walkCommits(repository: Repository, from: Oid | null, to: Oid): Promise<WalkedCommit[]> {
	const line = from === null ? null : walkLine(repository, from, to);
	if (line !== null) return line;
	const { stdout } = await repository.run([
		"log",
		"-z",
		"--topo-order",
		"--reverse",
		"--no-mailmap",
		"--format=%H%n%P%n%an <%ae> %at%n%cn <%ce> %ct%n%B",
		to,
		...(from ? [`^${from}`] : []),
		"--",
	]);
	return stdout
		.toString("utf8")
		.split("\0")
		.filter(Boolean)
		.map((record) => {
			const [commit = "", parents = "", author = "", committer = "", ...message] = record.split("\n");
			return { commit, parents: parents.split(" ").filter(Boolean), author, committer, message: message.join("\n") };
		});
}
