import { type Dirent, readdirSync, realpathSync } from "node:fs";
import path from "node:path";
import { fileSystemPath, type GitPath, gitPathBytes, gitPathOf, mountStoreName } from "@robust-sync/git/git-path";
import { parseCompactTimestamp } from "@robust-sync/system/timestamps";
import type { ReplacedFile } from "./backup-manifest.ts";
import type { WorkspacePaths } from "./paths.ts";

/** Names of all backups, newest first. */
export function listBackupNames(paths: WorkspacePaths): string[] {
	let entries: Dirent[];
	try {
		entries = readdirSync(paths.backups, { withFileTypes: true });
	} catch {
		return [];
	}
	return entries
		.filter((entry) => entry.isDirectory() && parseCompactTimestamp(entry.name) !== null)
		.map((entry) => entry.name)
		.sort()
		.reverse();
}

/** The backups on a file system below the workspace. @param mount the directory at its top, one character a byte @param name of a backup; none: of all */
export function backupsOnMount(root: string, mount: GitPath, name = ""): Buffer {
	return fileSystemPath(root, gitPathOf(`${mount}/${mountStoreName}/backups${name === "" ? "" : `/${name}`}`));
}

/** The path of a kept file of a backup; null: its file system is not mounted now, or the path has a symbolic link. */
export function keptFilePath(paths: WorkspacePaths, name: string, { file, mount }: Pick<ReplacedFile, "file" | "mount">): Buffer | null {
	if (mount === undefined) return fileSystemPath(path.join(paths.backups, name), file);
	const directory = backupsOnMount(paths.root, mount, name);
	try {
		// A path through a link is not the recorded one.
		const real = backupsOnMount(realpathSync.native(paths.root), mount, name);
		if (!realpathSync.native(directory, "buffer").equals(real)) return null;
	} catch {
		return null;
	}
	return Buffer.concat([directory, Buffer.from("/"), gitPathBytes(file)]);
}
