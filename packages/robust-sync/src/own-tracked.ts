import { renameSync } from "node:fs";
import { beneath, displayPath, type GitPath, lstatIfThere, parseGitPathList, type Repository, writeIndexEntries } from "@robust-sync/git";
import { compactTimestamp, isOwnName, neverCommitted, type SkippedFile, type WorkspacePaths } from "@robust-sync/workspace";
import type { CycleContext } from "./cycle-context.ts";
import { refusedPath } from "./skipped-files.ts";

/** Whether a path is ours, or in a directory of ours. */
export function isOwnPath(name: string): boolean {
	return isOwnName(name.split("/", 1)[0] ?? "");
}

/** Paths of ours that the index has. One process. */
async function trackedOwn(repository: Repository): Promise<GitPath[]> {
	const { stdout } = await repository.run(["ls-files", "-z", "--", ...neverCommitted.map((name) => `:(top,icase)${name}`)]);
	return parseGitPathList(stdout).filter(isOwnPath);
}

/** What is read as state of this node, or sent in its name. Locks and state files of a running node are its own, whoever tracks them. */
const state = /^sync\/(?:(?:pending|conflicts|backups|staging)\/|(?:outbox|journal|rescue)\.json$)/;

function setAside(paths: WorkspacePaths, names: readonly GitPath[], now: number): string | null {
	const directory = `${paths.backups.slice(paths.root.length + 1)}/${compactTimestamp(now)}/files`;
	let moved = 0;
	for (const name of names) {
		const to = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, "latin1")]);
		try {
			beneath(paths.root, name, (from) => beneath(paths.root, to, (file) => renameSync(from, file), { makeParents: true }));
			moved++;
		} catch (error) {
			if (!["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
		}
	}
	return moved > 0 ? directory : null;
}

/**
 * Sets aside what is tracked below `sync/` and would be read as state: it came with a clone. Once in the life of a process, before anything
 * reads it.
 */
export async function setAsideTrackedState({ repository, paths, memory, log, now }: CycleContext): Promise<void> {
	if (memory.ownTrackedChecked) return;
	// An index that cannot be read is recovered first.
	const names = await trackedOwn(repository).catch(() => []);
	const directory = setAside(
		paths,
		names.filter((name) => state.test(name)),
		now(),
	);
	if (directory !== null) log.warn(`what came with the repository below sync/ is no state of this node: it is in ${directory} now`);
}

/**
 * Takes files of ours out of the index that a person or a peer has put there, once in the life of a process and when the status shows
 * one: the next commit no longer has them. On disk they stay as they are.
 */
export async function untrackOwnFiles({ repository, memory, lock, log }: CycleContext): Promise<void> {
	if (memory.ownTrackedChecked) return;
	memory.ownTrackedChecked = true;
	const names = await trackedOwn(repository);
	if (names.length === 0) return;
	lock.assertHeld();
	await writeIndexEntries(
		repository,
		names.map((name) => ({ path: name, entry: null })),
	);
	memory.known.forget();
	memory.ownTracked = [...new Set([...memory.ownTracked, ...names.map(displayPath)])];
	const shown = names.slice(0, 3).map((name) => JSON.stringify(displayPath(name)));
	log.warn(
		`no longer tracked, because robust-sync keeps files of its own under these names: ${shown.join(", ")}${names.length > shown.length ? ", …" : ""}: rename what you want to sync`,
	);
}

/** What was tracked and is not synced any more, as long as it is on disk. */
export function ownTrackedFiles({ memory, paths }: CycleContext): SkippedFile[] {
	memory.ownTracked = memory.ownTracked.filter((name) => {
		try {
			return beneath(paths.root, Buffer.from(name), (file) => lstatIfThere(file) !== null);
		} catch {
			return false;
		}
	});
	return memory.ownTracked.map((name) => refusedPath(Buffer.from(name).toString("latin1")));
}
