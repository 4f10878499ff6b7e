import type { Files } from "@robust-sync/system/files";
import { openBeneath } from "../paths/beneath.ts";
import { type GitPath, gitPathOf, mountStoreName } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";
import { type Mount, Mounts } from "./mounts.ts";

// A file system without permission bits (vfat, some network and FUSE mounts) shows the same mode for every file. git has core.fileMode for
// a whole repository. A file system that is mounted below the workspace is probed.

/** The mount behind a device number can change: a probe counts this long. */
const probeValidMs = 60_000;

interface Probe {
	readonly hasModes: boolean;
	readonly at: number;
}

const probes = new WeakMap<Repository, Map<string, Probe>>();

/**
 * Whether the executable bit of a file at a path can be set and read. Writes a temporary file into our directory at the top of a mounted
 * file system. If that is impossible (read-only), the answer is true.
 */
export function hasModes(repository: Repository, name: GitPath): boolean {
	const mounts = new Mounts(repository);
	return hasModesAt(repository, mounts, mounts.of(name));
}

function hasModesAt(repository: Repository, { own }: Mounts, { top, device }: Mount): boolean {
	if (repository.config.get("core.filemode") === "false") return false;
	if (top === null || device === own.device) return true;
	const key = `${device} ${top}`;
	const known = probes.get(repository)?.get(key);
	const now = performance.now();
	if (known !== undefined && now - known.at < probeValidMs) return known.hasModes;
	const probe = { hasModes: probeModes(repository, top), at: now };
	probes.set(repository, (probes.get(repository) ?? new Map()).set(key, probe));
	return probe.hasModes;
}

/**
 * The mode that git stores for a file: where the file system has no modes, the recorded one stays.
 * @param onDisk the mode by lstat @param recorded the mode in the index or commit; undefined: a new file
 */
export function storedMode<M extends string>(
	repository: Repository,
	name: GitPath,
	onDisk: M,
	recorded: string | undefined,
): M | "100644" | "100755" {
	if (onDisk === "120000" || onDisk === recorded || (onDisk === "100644" && recorded === undefined)) return onDisk;
	if (hasModes(repository, name)) return onDisk;
	return recorded === "100755" ? recorded : "100644";
}

/** The directories of mounted file systems without modes that contain some of these paths. */
export function mountsWithoutModes(repository: Repository, names: Iterable<GitPath>): Set<GitPath> {
	const mounts = new Mounts(repository);
	const tops = new Set<GitPath>();
	for (const name of names) {
		const found = mounts.of(name);
		if (found.top !== null && !tops.has(found.top) && !hasModesAt(repository, mounts, found)) tops.add(found.top);
	}
	return tops;
}

function probeModes({ root, files }: Repository, top: GitPath): boolean {
	try {
		const place = openBeneath(root, gitPathOf(`${top}/${mountStoreName}/.modes-${process.pid}`), { makeParents: true, mode: 0o700, files });
		try {
			return hasExecutableBit(files, place.file);
		} finally {
			place.close();
		}
	} catch {
		return true;
	}
}

function hasExecutableBit(files: Files, file: Buffer): boolean {
	const isExecutable = () => (files.lstat(file).mode & 0o100) !== 0;
	files.unlinkIfThere(file);
	files.writeFile(file, Buffer.alloc(0), { mode: 0o600, isNew: true });
	try {
		if (isExecutable()) return false;
		files.chmod(file, 0o700);
		return isExecutable();
	} catch {
		return false;
	} finally {
		files.unlinkIfThere(file);
	}
}
