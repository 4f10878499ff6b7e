import { statfsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Repository } from "../process/repository.ts";

/** With less than this nothing can be stored: every push needs room for objects, the ref and their locks. */
const leastFreeBytes = 1_048_576;

/** The directory of a remote that is a path, or a file:// address; null: it is elsewhere, or scp's form (git-clone(1), "GIT URLS"). */
export function localHub(repository: Repository, remote: string): string | null {
	const url = repository.config.get(`remote.${remote}.pushurl`) ?? repository.config.get(`remote.${remote}.url`);
	if (url === undefined) return null;
	if (/^file:\/\//i.test(url)) {
		try {
			return fileURLToPath(url);
		} catch {
			return null;
		}
	}
	if (/^[a-z][a-z0-9+.-]*::?\/\//i.test(url) || /^[^/]*:/.test(url)) return null;
	return path.resolve(repository.root, url);
}

/** A directory as a repository of its own, with this one's settings for connections. */
export function bareRepository(repository: Repository, directory: string): Repository {
	return new Repository({ ...repository, root: directory, gitDirectory: directory, commonDirectory: directory });
}

/** Whether a hub on this machine has no space or no inodes left. Of one elsewhere nothing is known. Never throws. */
export function isHubDiskFull(repository: Repository, remote: string): boolean {
	const directory = localHub(repository, remote);
	if (directory === null) return false;
	try {
		const { blocks, bavail, bsize, files, ffree } = statfsSync(directory);
		// Some file systems report nothing: all is 0 then.
		return (blocks > 0 && bavail * bsize < leastFreeBytes) || (files > 0 && ffree === 0);
	} catch {
		return false;
	}
}
