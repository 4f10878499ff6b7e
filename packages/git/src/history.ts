import { type GitPath, gitPathIfAllowed } from "./git-path.ts";
import type { Oid, Repository } from "./repository.ts";

/** When each side last touched what one asks about, committer dates in seconds since the epoch. */
export interface SideHistory {
	/** By path. */
	readonly paths: ReadonlyMap<GitPath, number>;
	/** By the blob that a commit put at any path: finds a file under the name that it had before the other side renamed it. */
	readonly blobs: ReadonlyMap<Oid, number>;
}

/**
 * One walk over what only one of two commits has: for each wanted path and blob the committer date of the last commit that touched
 * it. A merge counts where its result is none of its parents' (git-log(1), `-c`).
 */
export async function lastTouches(
	repository: Repository,
	first: Oid,
	second: Oid,
	wanted: { paths: ReadonlySet<GitPath>; blobs: ReadonlySet<Oid> },
): Promise<{ first: SideHistory; second: SideHistory }> {
	const sides = {
		"<": { paths: new Map<GitPath, number>(), blobs: new Map<Oid, number>() },
		">": { paths: new Map<GitPath, number>(), blobs: new Map<Oid, number>() },
	};
	let side = sides["<"];
	let date = 0;
	let rest: Buffer = Buffer.alloc(0);
	let header: string | null = null;
	const receive = (token: Buffer) => {
		if (header !== null) {
			const name = gitPathIfAllowed(token.toString("latin1"));
			if (name !== null && wanted.paths.has(name) && !side.paths.has(name)) side.paths.set(name, date);
			// ":<modes> <ids> <status>": with n parents n+1 modes and n+1 ids, the result's last.
			const oid = header.split(" ").at(-2) ?? "";
			if (wanted.blobs.has(oid) && !side.blobs.has(oid)) side.blobs.set(oid, date);
			header = null;
			return;
		}
		const text = token.toString("latin1").trimStart();
		if (text.startsWith(":")) header = text;
		else if (text.startsWith("<") || text.startsWith(">")) {
			side = sides[text[0] as "<" | ">"];
			date = Number(text.slice(1));
		}
	};
	await repository.run(
		["log", "-z", "--left-right", "--format=%m%ct", "--raw", "--no-abbrev", "--no-renames", "-c", `${first}...${second}`, "--"],
		{
			onOutput: (chunk) => {
				const buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
				let start = 0;
				for (let end = buffer.indexOf(0); end >= 0; end = buffer.indexOf(0, start)) {
					receive(buffer.subarray(start, end));
					start = end + 1;
				}
				rest = buffer.subarray(start);
			},
		},
	);
	if (rest.length > 0) receive(rest);
	return { first: sides["<"], second: sides[">"] };
}

/** The parents of a commit, in order. @throws GitError */
export async function commitParents(repository: Repository, commit: Oid): Promise<Oid[]> {
	const { stdout } = await repository.run(["rev-parse", `${commit}^@`]);
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

/** Every commit that `to` has and `from` lacks (all when `from` is null), parents before their children. */
export async function walkCommits(repository: Repository, from: Oid | null, to: Oid): Promise<WalkedCommit[]> {
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
