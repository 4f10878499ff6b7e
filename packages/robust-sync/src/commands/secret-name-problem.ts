import { displayPath } from "@robust-sync/git";
import { printable } from "@robust-sync/service/printable";
import type { Config, WorkspacePaths } from "@robust-sync/workspace";
import type { Wanted } from "../forget/make-map.ts";
import { masked } from "../secrets/names.ts";
import { secretInTexts } from "../secrets/texts.ts";

/** The reason why a path must not be in a map, which everyone who has the history reads; its name without the secret. @throws ScanError, GitError */
export async function secretNameProblem(paths: WorkspacePaths, config: Config, wanted: Wanted): Promise<string | null> {
	for (const name of wanted.paths.map(displayPath)) {
		const finding = await secretInTexts(paths, config, [name]);
		const holdsValue = wanted.value !== null && name.includes(wanted.value.toString("utf8"));
		if (finding === null && !holdsValue) continue;
		const shown = finding === null ? "a PATH" : printable(masked(name, [finding], "…"));
		return `${shown} holds a secret in its name, and the map that all nodes get would publish that name for good: forget the directory above it (copy its other files elsewhere first), then run --forget-value; or revoke the secret and use --yes (docs/leaks.md)`;
	}
	return null;
}
