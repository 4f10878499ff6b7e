import { readFileSync } from "node:fs";
import path from "node:path";
import type { Oid, Repository } from "@robust-sync/git";

/**
 * The commits at which a shallow clone begins (gitrepository-layout(5)). Their parents are not here, and git compares them with nothing: what
 * they changed is not known.
 */
export function cutOffCommits({ isShallow, commonDirectory }: Pick<Repository, "isShallow" | "commonDirectory">): ReadonlySet<Oid> {
	if (!isShallow) return new Set();
	try {
		return new Set(readFileSync(path.join(commonDirectory, "shallow"), "latin1").split("\n").filter(Boolean));
	} catch {
		return new Set();
	}
}
