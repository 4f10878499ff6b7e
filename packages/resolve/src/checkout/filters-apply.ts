import { existsSync } from "node:fs";
import path from "node:path";
import { type GitPath, type Repository, usesAttributes } from "@robust-sync/git";

// Asked once, and again after a checkout of a .gitattributes.
const attributesMemory = new WeakMap<Repository, boolean>();

/** Whether any file on disk may differ from its blob (gitattributes(5)). */
export async function filtersApply(repository: Repository): Promise<boolean> {
	if (existsSync(path.join(repository.root, ".gitattributes"))) return true;
	const known = attributesMemory.get(repository);
	if (known !== undefined) return known;
	const uses = await usesAttributes(repository);
	attributesMemory.set(repository, uses);
	return uses;
}

/** Files changed: if there are attributes among them, the memory of filtersApply is cleared. */
export function forgetAttributes(repository: Repository, changed: readonly GitPath[]): void {
	if (changed.some((name) => name === ".gitattributes" || name.endsWith("/.gitattributes"))) attributesMemory.delete(repository);
}
