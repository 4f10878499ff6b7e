import { readFileSync } from "node:fs";
import path from "node:path";
import type { Oid, Repository } from "@robust-sync/git";

/**
 * The commits at which a shallow clone begins (gitrepository-layout(5)). Their parents are missing, so git compares them with the empty tree:
 * their changes are unknown.
 */
export function cutOffCommits({ isShallow, commonDirectory }: Pick<Repository, "isShallow" | "commonDirectory">): ReadonlySet<Oid> {
	if (!isShallow) return new Set();
	try {
		return new Set(readFileSync(path.join(commonDirectory, "shallow"), "latin1").split("\n").filter(Boolean));
	} catch {
		return new Set();
	}
}
