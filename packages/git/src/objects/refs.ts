import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { inflateSync } from "node:zlib";
import type { Oid, Repository } from "../process/repository.ts";
import { moveLooseRef } from "./loose-refs.ts";
import { readObjectsWhole } from "./objects.ts";

const isOid = (text: string) => /^[0-9a-f]{40,64}$/.test(text);

/** A larger file of packed refs is left to git. */
const largestPackedBytes = 1_048_576;

/** The commit of a packed ref (git-pack-refs(1)); null: it is not packed; undefined: git must be asked. @throws the file system's error */
function readPackedRef({ commonDirectory }: Repository, ref: string): Oid | null | undefined {
	const file = path.join(commonDirectory, "packed-refs");
	const stats = statSync(file, { throwIfNoEntry: false });
	if (stats === undefined) return null;
	if (stats.size > largestPackedBytes) return undefined;
	const line = readFileSync(file, "utf8")
		.split("\n")
		.find((each) => each.endsWith(` ${ref}`));
	const oid = line?.slice(0, -ref.length - 1) ?? null;
	return oid === null || isOid(oid) ? oid : undefined;
}

/** The commit of a ref, without a process; null: there is none; undefined: git must be asked. */
function readRefFile(repository: Repository, ref: string): Oid | null | undefined {
	if (repository.config.has("extensions.refstorage")) return undefined;
	try {
		const text = readFileSync(path.join(repository.commonDirectory, ref), "latin1").trim();
		return isOid(text) ? text : undefined;
	} catch (error) {
		// The others are not of all worktrees.
		const isShared = /^refs\/(heads|remotes|tags|robust-sync)\//.test(ref);
		if (!isShared || !["ENOENT", "ENOTDIR", "EISDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
	}
	try {
		// It is packed before its own file is removed.
		return readPackedRef(repository, ref);
	} catch {
		return undefined;
	}
}

/**
 * The commit that `ref` (a full name, such as refs/heads/main) names, or null. Starts git only where its file, and that of packed refs, do
 * not show it. Whether the commit can be read is not looked at: a branch in a damaged repository is not one that has no commits.
 */
export async function readRef(repository: Repository, ref: string): Promise<Oid | null> {
	const found = readRefFile(repository, ref);
	if (found !== undefined) return found;
	const { stdout, exitCode } = await repository.run(["rev-parse", "--verify", "--quiet", "--end-of-options", ref], {
		accept: [0, 1, 128],
	});
	return exitCode === 0 ? stdout.toString("latin1").trim() : null;
}

/** Where HEAD is: its branch (null: detached) and commit (null: none yet). Starts a process only where the branch is packed. */
export async function readHead(repository: Repository): Promise<{ branch: string | null; oid: Oid | null }> {
	if (repository.config.get("extensions.refstorage") === undefined) {
		const text = readFileSync(path.join(repository.gitDirectory, "HEAD"), "utf8").trim();
		const branch = /^ref: refs\/heads\/(.+)$/.exec(text)?.[1];
		if (branch !== undefined) return { branch, oid: await readRef(repository, `refs/heads/${branch}`) };
		if (/^[0-9a-f]{40,64}$/.test(text)) return { branch: null, oid: text };
	}
	const { stdout, exitCode } = await repository.run(["symbolic-ref", "--quiet", "--short", "HEAD"], { accept: [0, 1] });
	return { branch: exitCode === 0 ? stdout.toString("utf8").trim() : null, oid: await readRef(repository, "HEAD") };
}

/** Moves `ref` from `before` (null: it must not exist) to `after`. @throws GitError INDEX_LOCKED or INTERNAL if another process has moved it */
export async function updateRef(repository: Repository, ref: string, after: Oid, before: Oid | null, reason: string): Promise<void> {
	if (before !== null && moveLooseRef(repository, ref, after, before, reason)) return;
	await repository.run(["update-ref", "-m", reason, "--create-reflog", ref, after, before ?? repository.zeroOid]);
}

/** Removes `ref`, if it is still at `before`. */
export async function deleteRef(repository: Repository, ref: string, before: Oid): Promise<void> {
	await repository.run(["update-ref", "-d", ref, before]);
}

/** Makes HEAD name the branch `ref` without touching index or working tree. */
export async function attachHead(repository: Repository, ref: string): Promise<void> {
	await repository.run(["symbolic-ref", "-m", "robust-sync: attach HEAD", "HEAD", ref]);
}

/** Whether `ancestor` is reachable from `descendant`. @throws GitError when one of them is missing */
export async function isAncestor(repository: Repository, ancestor: Oid, descendant: Oid): Promise<boolean> {
	if (ancestor === descendant) return true;
	const { exitCode } = await repository.run(["merge-base", "--is-ancestor", ancestor, descendant], { accept: [0, 1] });
	return exitCode === 0;
}

/** How two commits are related, by one process. */
export async function relation(repository: Repository, ours: Oid, theirs: Oid): Promise<"same" | "ahead" | "behind" | "diverged"> {
	if (ours === theirs) return "same";
	const { stdout, exitCode } = await repository.run(["merge-base", ours, theirs], { accept: [0, 1] });
	const base = exitCode === 0 ? stdout.toString("latin1").trim() : null;
	return base === ours ? "behind" : base === theirs ? "ahead" : "diverged";
}

/** How many commits each of two has that the other lacks. */
export async function aheadBehind(repository: Repository, ours: Oid, theirs: Oid): Promise<{ ahead: number; behind: number }> {
	if (ours === theirs) return { ahead: 0, behind: 0 };
	const { stdout } = await repository.run(["rev-list", "--left-right", "--count", `${ours}...${theirs}`]);
	const [ahead = "0", behind = "0"] = stdout.toString("latin1").trim().split("\t");
	return { ahead: Number(ahead), behind: Number(behind) };
}

/** How many commits `to` has that `from` lacks; all of them when `from` is null. */
export async function countCommits(repository: Repository, from: Oid | null, to: Oid): Promise<number> {
	if (from === to) return 0;
	const { stdout } = await repository.run(["rev-list", "--count", to, ...(from ? [`^${from}`] : [])]);
	return Number(stdout.toString("latin1").trim());
}

/** A commit's raw text, a character a byte; empty if it is missing. A new one is a loose object, for which no process is needed. @throws GitError */
export async function readCommit(repository: Repository, commit: Oid): Promise<string> {
	try {
		return inflateSync(readFileSync(path.join(repository.commonDirectory, "objects", commit.slice(0, 2), commit.slice(2)))).toString(
			"latin1",
		);
	} catch {
		return (await readObjectsWhole(repository, [commit])).get(commit)?.toString("latin1") ?? "";
	}
}

/** The committer date of a commit, in seconds since the epoch; 0 where it has none that can be read. @throws GitError when the commit is missing */
export async function committerDate(repository: Repository, commit: Oid): Promise<number> {
	const [header = ""] = (await readCommit(repository, commit)).split("\n\n");
	const date = Number(/^committer .* (\d+) [+-]\d{4}$/m.exec(header)?.[1] ?? 0);
	return Number.isSafeInteger(date) ? date : 0;
}

/** The parents of a commit, in order. @throws GitError when the commit is missing */
export async function readParents(repository: Repository, commit: Oid): Promise<Oid[]> {
	const [header = ""] = (await readCommit(repository, commit)).split("\n\n");
	return [...header.matchAll(/^parent ([0-9a-f]{40,64})$/gm)].map(([, parent = ""]) => parent);
}
