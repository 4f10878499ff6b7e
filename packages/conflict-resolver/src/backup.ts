import fs from "node:fs";
import path from "node:path";
import { beneath, type GitPath, gitPathBytes, type HeldPlace, openBeneath, type Repository } from "@robust-sync/git";
import { makeOwnDirectory } from "@robust-sync/system/own-directory";
import { compactTimestamp } from "@robust-sync/system/timestamps";
import type { WorkspacePaths } from "@robust-sync/workspace";

function copyFile(from: Buffer, to: Buffer): void {
	if (fs.lstatSync(from).isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(from, { encoding: "buffer" }), to);
	else fs.copyFileSync(from, to, fs.constants.COPYFILE_EXCL);
}

/** Keeps files of the working tree in `sync/backups/<time>/files/` before they are replaced. Created with the first file. */
export class Backup {
	readonly #repository: Repository;
	readonly #directory: string;
	readonly #name: string;
	#count = 0;

	constructor(repository: Repository, paths: WorkspacePaths, now: number) {
		this.#repository = repository;
		let time = now;
		while (fs.existsSync(path.join(paths.backups, compactTimestamp(time)))) time++;
		this.#name = compactTimestamp(time);
		this.#directory = path.join(paths.backups, this.#name);
	}

	/** The name below sync/backups/; null: no file was kept. */
	get name(): string | null {
		return this.#count > 0 ? this.#name : null;
	}

	/** Moves the file at a path away. A process that has it open continues to write into the kept file. */
	take(name: GitPath): void {
		this.#keep(name, (from, to) => {
			try {
				fs.renameSync(from, to);
			} catch (error) {
				// A file system that is mounted below the workspace: only its content can be moved.
				if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
				copyFile(from, to);
				fs.rmSync(from);
			}
		});
	}

	/** Keeps a copy of the file at a path, and leaves the file there. */
	copy(name: GitPath): void {
		this.#keep(name, copyFile);
	}

	#keep(name: GitPath, move: (from: Buffer, to: Buffer) => void): void {
		let from: HeldPlace;
		try {
			from = openBeneath(this.#repository.root, name);
		} catch (error) {
			// There is no file at a path whose directory is missing, or is a link or a file.
			if (["ENOENT", "ENOTDIR", "ELOOP"].includes((error as NodeJS.ErrnoException).code ?? "")) return;
			throw error;
		}
		try {
			const stats = fs.lstatSync(from.file, { throwIfNoEntry: false });
			if (!stats || stats.isDirectory()) return;
			const backups = path.dirname(this.#directory);
			// If sync/ is on another file system the copies are elsewhere.
			fs.mkdirSync(path.dirname(backups), { recursive: true, mode: 0o700 });
			makeOwnDirectory(backups);
			makeOwnDirectory(this.#directory);
			const to = Buffer.concat([Buffer.from("files/"), gitPathBytes(name)]);
			beneath(this.#directory, to, (kept) => move(from.file, kept), { makeParents: true });
			this.#count++;
		} finally {
			from.close();
		}
	}
}
