import fs from "node:fs";
import {
	beneath,
	type GitPath,
	gitPath,
	gitPathFromText,
	hasOtherNameBelow,
	isPathAllowed,
	type Repository,
	readDiskFile,
	textBytes,
} from "@robust-sync/git";
import type { Role } from "@robust-sync/resolve";
import { CommandError, ExitCode } from "@robust-sync/service";
import { isOwnName, listSavedVersions, type Manifest, type SavedDirectory } from "@robust-sync/workspace";
import { Backup } from "./backup.ts";
import { type ResolverContext, withCycleLock } from "./resolver-context.ts";

export interface RestoreReport {
	/** Name below sync/conflicts/. */
	readonly from: string;
	readonly side: Role;
	readonly restored: readonly string[];
	/** Paths that the side did not have: they are deleted now. */
	readonly removed: readonly string[];
	/** Name below sync/backups/ of the replaced files; null: none. */
	readonly setAside: string | null;
}

type SavedFile = Manifest["files"][number];

const bytesOf = (file: SavedFile): GitPath => (file.path_hex ? gitPath(Buffer.from(file.path_hex, "hex")) : gitPathFromText(file.path));

/** Whether a person means this file: by its path as it is shown, or byte for byte. */
const isNamed = (file: SavedFile, name: string) =>
	file.path === name || (file.path_hex !== undefined && textBytes(name).equals(Buffer.from(file.path_hex, "hex")));

function findSaved({ paths }: ResolverContext, saved: string): SavedDirectory {
	const all = listSavedVersions(paths).filter(({ manifest }) => manifest !== null);
	if (all.length === 0) throw new CommandError("there are no saved versions in sync/conflicts/", ExitCode.failed);
	const name = saved.replace(/\/+$/, "").split("/").pop() ?? "";
	const found = saved === "latest" ? all[0] : all.find((directory) => directory.name === name);
	if (found) return found;
	const known = all.slice(0, 3).map((directory) => directory.name);
	throw new CommandError(
		`there are no saved versions '${saved}': name one of ${known.join(", ")}${all.length > 3 ? ", …" : ""} (see --report), or 'latest'`,
		ExitCode.failed,
	);
}

/** The name below the saved directory of the file that holds one side, or null. */
function savedFile(file: SavedFile, side: Role): Buffer | null {
	const names = file.saved_hex?.map((hex) => Buffer.from(hex, "hex")) ?? file.saved.map((name) => Buffer.from(name));
	return names.find((candidate) => candidate.toString("latin1").endsWith(`.${side}`)) ?? null;
}

/** A saved version, read from below its directory only. */
function readSaved(directory: string, name: Buffer): Buffer {
	return beneath(directory, name, (file) => {
		const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
		try {
			return fs.readFileSync(fd);
		} finally {
			fs.closeSync(fd);
		}
	});
}

/** Whether a path may be one of the workspace, and is none of ours. */
function inside(name: GitPath): boolean {
	return isPathAllowed(name) && !isOwnName(name.split("/", 1)[0] ?? "");
}

/** A path that cannot be restored, with the obstacle. */
interface Obstacle {
	readonly path: string;
	readonly why: string;
}

/** Why a path cannot be written; null: no obstacle. */
function obstacleAt({ root, files }: Repository, target: GitPath): string | null {
	if (hasOtherNameBelow({ root, files }, target)) return "its file system finds a file or directory of another name there";
	try {
		beneath(root, target, () => undefined);
		return null;
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		// A missing directory is created.
		if (code === "ENOENT") return null;
		if (code === "ENOTDIR" || code === "ELOOP") return "a directory above it is now a symbolic link or a file";
		throw error;
	}
}

/**
 * Restores a side of saved versions in the working tree, as a change like any other: the next sync commits it. Present files are
 * backed up. A path that the side did not have is removed.
 * @param saved name of a directory in sync/conflicts/, or `latest`
 * @param only one path; undefined: every saved one
 * @throws CommandError if there is no such version; the file system's errors
 */
export async function restoreVersions(
	context: ResolverContext,
	saved: string,
	only: string | undefined,
	side: Role,
): Promise<RestoreReport> {
	const wanted = only?.replace(/(?<=[^/])\/+$/, "");
	return await withCycleLock(context, "conflict-resolver --restore", async (lock) => {
		const { name, directory, manifest } = findSaved(context, saved);
		const files = (manifest?.files ?? []).filter((file) => file.saved.length > 0 && (wanted === undefined || isNamed(file, wanted)));
		if (files.length === 0) {
			const known = (manifest?.files ?? []).filter((file) => file.saved.length > 0).map((file) => file.path);
			throw new CommandError(
				`${name} holds no '${only}': it holds ${known.slice(0, 5).join(", ")}${known.length > 5 ? ", …" : ""}`,
				ExitCode.failed,
			);
		}
		const planned = files.map((file) => {
			const from = savedFile(file, side);
			if (!inside(bytesOf(file)))
				throw new CommandError(`${name}/manifest.json names a path outside the workspace: '${file.path}'`, ExitCode.failed);
			return { file, path: bytesOf(file), mode: file.modes?.[side] ?? "100644", content: from && readSaved(directory, from) };
		});
		const { repository, paths, now } = context;
		const obstacles: Obstacle[] = planned.flatMap(({ file, path: target }) => {
			const why = obstacleAt(repository, target);
			return why === null ? [] : [{ path: file.path, why }];
		});
		const blocked = new Set(obstacles.map((obstacle) => obstacle.path));
		lock.assertHeld();
		const backup = new Backup(repository, paths, now());
		const possible = planned.filter(({ file }) => !blocked.has(file.path));
		for (const { path: target, mode, content } of possible) {
			if (mode === "160000")
				throw new CommandError("a submodule is restored with git: git -C <submodule> checkout <commit>", ExitCode.failed);
			const disk = readDiskFile(repository, target, true);
			if (disk && content && disk.content.equals(content) && disk.mode === mode) continue;
			backup.take(target);
			if (!content) continue;
			const put = (file: Buffer) => {
				if (mode === "120000") fs.symlinkSync(content, file);
				else fs.writeFileSync(file, content, { flag: "wx", mode: mode === "100755" ? 0o777 : 0o666 });
			};
			beneath(repository.root, target, put, { makeParents: true });
		}
		const [first] = obstacles;
		if (first) {
			const done = possible.length > 0 ? `; ${possible.length} other ${possible.length === 1 ? "path is" : "paths are"} restored` : "";
			throw new CommandError(
				`${first.path} is not restored${obstacles.length > 1 ? ` (and ${obstacles.length - 1} more)` : ""}: ${first.why}. Move that away, or take the saved version from ${directory}${done}`,
				ExitCode.failed,
			);
		}
		return {
			from: name,
			side,
			restored: planned.filter(({ content }) => content).map(({ file }) => file.path),
			removed: planned.filter(({ content }) => !content).map(({ file }) => file.path),
			setAside: backup.name,
		};
	});
}
