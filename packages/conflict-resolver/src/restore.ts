import fs from "node:fs";
import path from "node:path";
import { fileSystemPath, type GitPath, gitPath, gitPathBytes, gitPathFromText, readDiskFile } from "@robust-sync/git";
import type { Role } from "@robust-sync/resolve";
import { CommandError, ExitCode } from "@robust-sync/service";
import { listSavedVersions, type Manifest, type SavedDirectory } from "@robust-sync/workspace";
import { type ResolverContext, withCycleLock } from "./resolver-context.ts";
import { SetAside } from "./set-aside.ts";

export interface RestoreReport {
	/** Name below sync/conflicts/. */
	readonly from: string;
	readonly side: Role;
	readonly restored: readonly string[];
	/** The side did not have these: they are gone now. */
	readonly removed: readonly string[];
	/** Name below sync/backups/ of what was replaced; null: nothing. */
	readonly setAside: string | null;
}

type SavedFile = Manifest["files"][number];

const bytesOf = (file: SavedFile): GitPath => (file.path_hex ? gitPath(Buffer.from(file.path_hex, "hex")) : gitPathFromText(file.path));

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

/** The file below the saved directory that holds one side, or null. */
function savedFile(directory: string, file: SavedFile, side: Role): Buffer | null {
	const names = file.saved_hex?.map((hex) => Buffer.from(hex, "hex")) ?? file.saved.map((name) => Buffer.from(name));
	const name = names.find((candidate) => candidate.toString("latin1").endsWith(`.${side}`));
	return name ? Buffer.concat([Buffer.from(directory + path.sep), name]) : null;
}

function inside(name: GitPath): boolean {
	return name !== "" && !name.startsWith("/") && !name.split("/").some((part) => part === ".." || part.toLowerCase() === ".git");
}

function makeDirectoryFor(file: Buffer): void {
	const directory = file.subarray(0, file.lastIndexOf(0x2f));
	try {
		fs.mkdirSync(directory);
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "EEXIST") return;
		if (code !== "ENOENT") throw error;
		makeDirectoryFor(directory);
		fs.mkdirSync(directory);
	}
}

/**
 * Puts a side of saved versions back into the working tree, as a change like any other: the next sync commits it. What lies there is set
 * aside. A path that the side did not have is removed.
 * @param saved name of a directory in sync/conflicts/, or `latest`
 * @param only one path; undefined: every saved one
 * @throws CommandError when there is no such thing; the file system's errors
 */
export async function restoreVersions(
	context: ResolverContext,
	saved: string,
	only: string | undefined,
	side: Role,
): Promise<RestoreReport> {
	return await withCycleLock(context, "conflict-resolver --restore", async (lock) => {
		const { name, directory, manifest } = findSaved(context, saved);
		const files = (manifest?.files ?? []).filter((file) => file.saved.length > 0 && (only === undefined || file.path === only));
		if (files.length === 0) {
			const known = (manifest?.files ?? []).filter((file) => file.saved.length > 0).map((file) => file.path);
			throw new CommandError(
				`${name} holds no '${only}': it holds ${known.slice(0, 5).join(", ")}${known.length > 5 ? ", …" : ""}`,
				ExitCode.failed,
			);
		}
		const planned = files.map((file) => {
			const from = savedFile(directory, file, side);
			if (!inside(bytesOf(file)))
				throw new CommandError(`${name}/manifest.json names a path outside the workspace: '${file.path}'`, ExitCode.failed);
			return { file, path: bytesOf(file), mode: file.modes?.[side] ?? "100644", content: from && fs.readFileSync(from) };
		});
		lock.assertHeld();
		const { repository, paths, now } = context;
		const aside = new SetAside(repository, paths, now());
		for (const { path: target, mode, content } of planned) {
			if (mode === "160000")
				throw new CommandError("a submodule is restored with git: git -C <submodule> checkout <commit>", ExitCode.failed);
			const disk = readDiskFile(repository, target);
			if (disk && content && disk.content.equals(content) && disk.mode === mode) continue;
			aside.take(target);
			if (!content) continue;
			const file = fileSystemPath(repository.root, gitPathBytes(target).toString("latin1") as GitPath);
			makeDirectoryFor(file);
			if (mode === "120000") fs.symlinkSync(content, file);
			else fs.writeFileSync(file, content, { flag: "wx", mode: mode === "100755" ? 0o777 : 0o666 });
		}
		return {
			from: name,
			side,
			restored: planned.filter(({ content }) => content).map(({ file }) => file.path),
			removed: planned.filter(({ content }) => !content).map(({ file }) => file.path),
			setAside: aside.name,
		};
	});
}
