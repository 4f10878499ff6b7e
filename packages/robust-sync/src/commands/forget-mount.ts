import { displayPath } from "@robust-sync/git";
import { selectedPath } from "@robust-sync/history";
import { isWithin } from "@robust-sync/resolve";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { printable } from "@robust-sync/service/printable";
import { acquireLock } from "@robust-sync/system/lock";
import { mountPointsBelow, readHeld, type WorkspacePaths, writeHeld } from "@robust-sync/workspace";

/** How long to wait for a cycle in progress. */
const lockTimeoutMs = 60_000;

const shown = (name: string) => printable(Buffer.from(name, "latin1").toString());

/**
 * A file system that was mounted inside the workspace is gone for good: from now on its directory is an ordinary one, and what is missing in
 * it counts as deleted.
 * @param directory as `skipped` names it, or absolute
 * @returns what it is called in the workspace
 * @throws CommandError where it is no mount that is missing; PathError where it is not in the workspace; LockedError after 60 s of waiting for a cycle in progress
 */
export async function forgetMount(paths: WorkspacePaths, directory: string): Promise<string> {
	const name = selectedPath(paths.root, paths.root, directory);
	const lock = await acquireLock(paths.cycleLock, { purpose: "robust-sync --forget-mount", waitMs: lockTimeoutMs });
	try {
		const held = readHeld(paths);
		const mounted = mountPointsBelow(paths.root);
		const missing = [...held.mounts].filter((mount) => !mounted.has(mount));
		if (!missing.some((mount) => mount === name)) {
			const known = missing.length > 0 ? `missing are: ${missing.map(shown).join(", ")}` : "no mount is missing here";
			throw new CommandError(`${printable(directory)} is no missing mount of this workspace: ${known}`, ExitCode.usage);
		}
		writeHeld(paths, { ...held, mounts: new Set([...held.mounts].filter((mount) => mounted.has(mount) || !isWithin(mount, name))) });
		return printable(displayPath(name));
	} finally {
		await lock.release();
	}
}
