import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { inflateSync } from "node:zlib";
import type { Oid, Repository } from "../process/repository.ts";
import { deleteRef } from "./refs.ts";

/** A garbage collection that runs now and may prune what is not referenced yet (git-gc(1), --prune=now); null: none. */
export function pruningCollector(repository: Repository): { pid: number } | null {
	const file = path.join(repository.commonDirectory, "gc.pid");
	try {
		const [, pid = "0", host = ""] = /^(\d+) (\S+)/.exec(readFileSync(file, "utf8")) ?? [];
		if (host !== hostname()) return null;
		return /\0--prune=(?!2\.weeks)|\0--prune\0|\0prune\0/.test(readFileSync(`/proc/${pid}/cmdline`, "latin1"))
			? { pid: Number(pid) }
			: null;
	} catch {
		return null;
	}
}

function isWhole(file: string, oid: Oid, format: Repository["objectFormat"]): boolean {
	try {
		return (
			createHash(format)
				.update(inflateSync(readFileSync(file)))
				.digest("hex") === oid
		);
	} catch {
		return false;
	}
}

/**
 * Moves every loose object that cannot be read (empty, torn, of another content) to `<git directory>/robust-sync/damaged-objects/`:
 * while it is there, git does not accept it from anywhere else.
 * @returns how many there were
 */
export function setAsideDamagedObjects(repository: Repository): number {
	const objects = path.join(repository.commonDirectory, "objects");
	const aside = path.join(repository.commonDirectory, "robust-sync/damaged-objects");
	let damaged = 0;
	for (const prefix of readdirSync(objects).filter((name) => /^[0-9a-f]{2}$/.test(name))) {
		for (const name of readdirSync(path.join(objects, prefix)).filter((file) => /^[0-9a-f]{38,62}$/.test(file))) {
			const file = path.join(objects, prefix, name);
			if (isWhole(file, prefix + name, repository.objectFormat)) continue;
			mkdirSync(aside, { recursive: true });
			renameSync(file, path.join(aside, prefix + name));
			damaged++;
		}
	}
	return damaged;
}

/** Removes the commit graph: git trusts it even for commits that are gone (gitformat-commit-graph(5)), and can compute it again. */
export function removeCommitGraph(repository: Repository): void {
	const info = path.join(repository.commonDirectory, "objects/info");
	for (const name of ["commit-graph", "commit-graphs"]) rmSync(path.join(info, name), { recursive: true, force: true });
}

/** Whether there is such a commit; what it refers to is not checked. */
export async function hasCommit(repository: Repository, commit: Oid): Promise<boolean> {
	const { exitCode } = await repository.run(["cat-file", "-e", `${commit}^{commit}`], { accept: [0, 1, 128] });
	return exitCode === 0;
}

const repairRef = "refs/robust-sync/repair";

/** Whether a commit and its history are complete. Walks all of it. */
export async function isComplete(repository: Repository, commit: Oid): Promise<boolean> {
	const { exitCode } = await repository.run(["rev-list", "--objects", "--quiet", commit], { accept: [0, 1, 128] });
	return exitCode === 0;
}

/**
 * Fetches a branch again with all its objects, whatever is thought to be here (git-fetch(1), --refetch), as a pack, which git
 * looks into before it looks at a damaged loose object.
 * @returns the branch's commit on the remote
 * @throws GitError when the remote cannot be reached
 */
export async function fetchEverything(repository: Repository, remote: string, branch: string): Promise<Oid> {
	await repository.run(
		[
			"-c",
			"fetch.unpackLimit=1",
			"fetch",
			"--refetch",
			"--quiet",
			"--no-tags",
			"--no-write-fetch-head",
			"--no-auto-maintenance",
			"--no-recurse-submodules",
			"--refmap=",
			"--end-of-options",
			remote,
			`+refs/heads/${branch}:${repairRef}`,
		],
		{ timeoutMs: repository.networkTimeoutMs * 10 },
	);
	const { stdout } = await repository.run(["rev-parse", "--verify", "--end-of-options", `${repairRef}^{commit}`]);
	const tip = stdout.toString("latin1").trim();
	await repository.run(["update-ref", `refs/remotes/${remote}/${branch}`, tip]);
	await deleteRef(repository, repairRef, tip);
	return tip;
}

/** Earlier tips of a branch, newest first, from its reflog (git-reflog(1)). */
export function formerTips(repository: Repository, ref: string): Oid[] {
	const file = path.join(repository.commonDirectory, `logs/${ref}`);
	if (!existsSync(file) || statSync(file).size > 64 * 1024 * 1024) return [];
	const tips = [...readFileSync(file, "latin1").matchAll(/^[0-9a-f]{40,64} ([0-9a-f]{40,64}) /gm)].map((match) => match[1] ?? "");
	return [...new Set(tips.reverse())];
}

/** Moves `ref` wherever it points now; null removes it. */
export async function forceRef(repository: Repository, ref: string, after: Oid | null, reason: string): Promise<void> {
	await repository.run(after === null ? ["update-ref", "-d", ref] : ["update-ref", "-m", reason, ref, after]);
}

/** Takes entries that point to broken commits out of all reflogs; everything else in them stays (git-reflog(1), --stale-fix). */
export async function repairReflogs(repository: Repository): Promise<void> {
	await repository.run(["reflog", "expire", "--stale-fix", "--expire=never", "--expire-unreachable=never", "--all"], {
		accept: [0, 1, 128],
	});
}
