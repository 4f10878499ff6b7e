import { accessTimesTell } from "@robust-sync/git";
import type { Files } from "@robust-sync/system/files";
import { makeOwnDirectory } from "@robust-sync/system/own-directory";
import { type Config, findNoatimeMount, mountOf, type WorkspacePaths } from "@robust-sync/workspace";

/** File systems of this kernel only: on others a program elsewhere may read, and leave no trace here. */
const localTypes: ReadonlySet<string> = new Set([
	"bcachefs",
	"btrfs",
	"ext2",
	"ext3",
	"ext4",
	"f2fs",
	"jfs",
	"overlay",
	"reiserfs",
	"tmpfs",
	"xfs",
	"zfs",
]);

/** Mounts change: they are read again after this time. */
const mountsForMs = 10_000;

/** Whether the access times of a workspace show which version of a file was read. */
export interface AccessTimes {
	readonly tell: boolean;
	/** The reason, for people. */
	readonly reason: string;
}

const probed = new Map<number, boolean>();
/** A container that has read through a mount without access times may be gone at the time of the check. */
const untold = new Map<string, string>();
const lookedAt = new Map<string, number>();

/** Null: there is nothing. */
function deviceOf(files: Files, directory: string): number | null {
	try {
		return files.stat(directory).dev;
	} catch {
		return null;
	}
}

/** Probes a file system, once in the life of a process, and searches for mounts of it through which reads leave no trace. */
export function accessTimesOf(files: Files, paths: WorkspacePaths, { syncAtime }: Pick<Config, "syncAtime">): AccessTimes {
	if (syncAtime === "off") return { tell: false, reason: "off (SYNC_ATIME=off)" };
	const dev = deviceOf(files, paths.root);
	const mount = mountOf(paths.root);
	if (dev === null || mount === null) return { tell: false, reason: "the mount of the workspace cannot be found" };
	if (!localTypes.has(mount.type)) return { tell: false, reason: `unknown on ${mount.type}` };
	if (!probed.has(dev)) {
		try {
			// Without own files, none are made for a probe.
			if (!files.exists(paths.sync)) return { tell: false, reason: "not probed yet" };
			makeOwnDirectory(paths.versions);
			probed.set(dev, accessTimesTell(files, paths.versions));
		} catch (error) {
			return { tell: false, reason: `a probe cannot be written (${(error as NodeJS.ErrnoException).code})` };
		}
	}
	if (probed.get(dev) !== true)
		return { tell: false, reason: `unknown: reads leave no trace on this ${mount.type} (mounted with noatime?)` };
	const now = performance.now();
	if (!untold.has(mount.device) && now - (lookedAt.get(mount.device) ?? Number.NEGATIVE_INFINITY) > mountsForMs) {
		lookedAt.set(mount.device, now);
		const found = findNoatimeMount(mount.device);
		if (found) untold.set(mount.device, `unknown: process ${found.pid} sees this file system with noatime, at ${found.mount.point}`);
	}
	const reason = untold.get(mount.device);
	return reason === undefined ? { tell: true, reason: `kept on ${mount.type}` } : { tell: false, reason };
}
