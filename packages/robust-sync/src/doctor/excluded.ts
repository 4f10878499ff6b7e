import { excludePatterns, type Repository, trackedExcluded } from "@robust-sync/git";
import { printable } from "@robust-sync/service/printable";
import { counted } from "@robust-sync/system/counted";
import type { Config } from "@robust-sync/workspace";
import { type Finding, ok, warning } from "./finding.ts";

const shownPatterns = 5;

/** The paths that this node neither sends nor checks out, and whether they match the configuration. @throws GitError, the file system's error */
export async function checkExcluded(repository: Repository, { syncExclude }: Config): Promise<Finding[]> {
	const check = "excluded";
	const current = excludePatterns(repository);
	const text = (patterns: readonly string[]) =>
		printable(patterns.slice(0, shownPatterns).join(" ") + (patterns.length > shownPatterns ? " …" : ""));
	if (current.join("\n") !== syncExclude.join("\n"))
		return [
			warning(
				check,
				`SYNC_EXCLUDE is ${syncExclude.length === 0 ? "not set" : text(syncExclude)}, and in effect is ${current.length === 0 ? "none" : text(current)}: it changes once everything is published`,
				"kill -HUP robust-sync, or robust-sync --once",
			),
		];
	if (current.length === 0) return [];
	const tracked = await trackedExcluded(repository);
	return [ok(check, `${counted(tracked.size, "file")} by SYNC_EXCLUDE (${text(current)})`)];
}
