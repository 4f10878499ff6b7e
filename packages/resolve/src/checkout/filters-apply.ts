import { existsSync } from "node:fs";
import path from "node:path";
import { type GitPath, hasOuterAttributes, type Repository, tracksAttributes } from "@robust-sync/git";
import type { Items } from "@robust-sync/system/items";

// Of the tracked files: asked once, and again after a change of a .gitattributes or of HEAD by another program.
const attributesMemory = new WeakMap<Repository, boolean>();

/** Whether any file on disk may differ from its blob (gitattributes(5)). */
export async function filtersApply(repository: Repository): Promise<boolean> {
	if (existsSync(path.join(repository.root, ".gitattributes")) || hasOuterAttributes(repository)) return true;
	const known = attributesMemory.get(repository);
	if (known !== undefined) return known;
	const tracks = await tracksAttributes(repository);
	attributesMemory.set(repository, tracks);
	return tracks;
}

/** Files changed: if there are attributes among them, the memory of filtersApply is cleared. @param changed null: any file may have changed */
export function forgetAttributes(repository: Repository, changed: Items<GitPath> | null): void {
	if (changed === null || changed.some((name) => name === ".gitattributes" || name.endsWith("/.gitattributes")))
		attributesMemory.delete(repository);
}
