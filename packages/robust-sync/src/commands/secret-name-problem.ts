import { displayPath, type GitPath } from "@robust-sync/git";
import { printable } from "@robust-sync/service/printable";
import type { Config, WorkspacePaths } from "@robust-sync/workspace";
import { masked } from "../secrets/names.ts";
import { secretInTexts } from "../secrets/texts.ts";

/** The reason why a path must not be in a map, which everyone who has the history reads; its name without the secret. @throws ScanError, GitError */
export async function secretNameProblem(paths: WorkspacePaths, config: Config, names: readonly GitPath[]): Promise<string | null> {
	for (const name of names.map(displayPath)) {
		const finding = await secretInTexts(paths, config, [name]);
		if (finding === null) continue;
		const shown = printable(masked(name, [finding], "…"));
		return `${shown} holds a secret in its name, and the map that all nodes get would publish that name for good: forget the directory above it (copy its other files elsewhere first), then run --forget-value; or revoke the secret and use --yes (docs/leaks.md)`;
	}
	return null;
}
