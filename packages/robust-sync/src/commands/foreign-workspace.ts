import { openRepository } from "@robust-sync/git";
import { foreignOwner, trustOwner } from "@robust-sync/system/own-directory";
import type { Config, WorkspacePaths } from "@robust-sync/workspace";

/**
 * Checked before the first write: in a workspace of another user, root continues only if git would, by an explicit safe.directory in root's own
 * configuration (a container with a mounted workspace has one). sudo is no consent: the owner could not change
 * files that root creates.
 * @throws GitError PERMISSION_DENIED, NOT_A_REPOSITORY
 */
export async function admitForeignWorkspace(paths: WorkspacePaths, config: Config): Promise<void> {
	const owner = foreignOwner(paths.root);
	if (owner === null) return;
	const { SUDO_UID: _caller, ...env } = process.env;
	await openRepository({ directory: paths.root, node: config.nodeName, env });
	trustOwner(owner);
}
