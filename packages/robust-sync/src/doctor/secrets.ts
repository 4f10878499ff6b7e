import type { Repository } from "@robust-sync/git";
import { counted } from "@robust-sync/system/counted";
import { type Config, readState, syncStateSchema, type WorkspacePaths } from "@robust-sync/workspace";
import { machineSecrets } from "../context/machine-secrets.ts";
import { type Finding, ok, warning } from "./finding.ts";

/** Whether files are searched for secrets, and the files held because of one. @throws GitError */
export async function checkSecrets(paths: WorkspacePaths, repository: Repository, config: Config): Promise<Finding[]> {
	const check = "secrets";
	if (config.syncSecrets === "off")
		return [warning(check, "SYNC_SECRETS=off: tokens and keys in files are published", "SYNC_SECRETS=hold in .sync_env")];
	const own = await machineSecrets({ repository, paths });
	const state = readState(paths.syncState, syncStateSchema);
	const held = state.kind === "ok" ? state.state.skipped.filter(({ reason }) => reason === "secret").length : 0;
	const searched = `every change is searched for them, and for ${counted(own.length, "secret")} of this machine`;
	const found: Finding[] = [
		config.syncSecrets === "warn"
			? warning(check, `SYNC_SECRETS=warn: ${searched}, but is published`, "SYNC_SECRETS=hold in .sync_env")
			: ok(check, searched),
	];
	if (held > 0)
		found.push(warning(check, `${counted(held, "file")} not published, because of a secret`, "robust-sync --status names the lines"));
	return found;
}
