import { displayPath } from "@robust-sync/git";
import { selectedPath } from "@robust-sync/history";
import { isWithin } from "@robust-sync/resolve";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { printable } from "@robust-sync/service/printable";
import { mountPointsBelow, readHeld, type WorkspacePaths, writeHeld } from "@robust-sync/workspace";
import { acquireCycleLock } from "@robust-sync/workspace/cycle-lock";

const shown = (name: string) => printable(Buffer.from(name, "latin1").toString());

/**
 * Accepts that a file system mounted inside the workspace is gone for good: its directory is an ordinary one from now on, and its missing files
 * count as deleted.
 * @param directory as `skipped` names it, or absolute
 * @returns its path in the workspace
 * @throws CommandError if it is no missing mount; PathError if it is not in the workspace; LockedError after 60 s of waiting for a cycle in progress
 */
export async function forgetMount(paths: WorkspacePaths, directory: string): Promise<string> {
	const name = selectedPath(paths.root, paths.root, directory);
	const lock = await acquireCycleLock(paths, "robust-sync --forget-mount");
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
