import { openRepository } from "@robust-sync/git";
import { foreignOwner, trustOwner } from "@robust-sync/system/own-directory";
import type { Config, WorkspacePaths } from "@robust-sync/workspace";

/**
 * Before the first write: root in a workspace of another user goes on only where git would, by an explicit safe.directory of root's own
 * configuration (a container with a mounted workspace has one). That root got there by sudo is no consent: what root makes there its
 * owner could not change.
 * @throws GitError PERMISSION_DENIED, NOT_A_REPOSITORY
 */
export async function admitForeignWorkspace(paths: WorkspacePaths, config: Config): Promise<void> {
	const owner = foreignOwner(paths.root);
	if (owner === null) return;
	const { SUDO_UID: _caller, ...env } = process.env;
	await openRepository({ directory: paths.root, node: config.nodeName, env });
	trustOwner(owner);
}
