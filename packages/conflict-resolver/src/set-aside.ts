import fs from "node:fs";
import path from "node:path";
import { fileSystemPath, type GitPath, gitPathBytes, type Repository } from "@robust-sync/git";
import { compactTimestamp, type WorkspacePaths } from "@robust-sync/workspace";

function makeDirectory(directory: Buffer): void {
	try {
		fs.mkdirSync(directory);
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "ENOENT") {
			makeDirectory(directory.subarray(0, directory.lastIndexOf(0x2f)));
			fs.mkdirSync(directory);
		} else if (code !== "EEXIST") throw error;
	}
}

/** Keeps files of the working tree in `sync/backups/<time>/files/` before something else takes their place. Made when the first file comes. */
export class SetAside {
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

	/** The name below sync/backups/; null: nothing was set aside. */
	get name(): string | null {
		return this.#count > 0 ? this.#name : null;
	}

	/** Moves what lies at a path away: it is gone from there afterwards. Who has it open goes on writing into the kept file. */
	take(name: GitPath): void {
		this.#keep(name, (from, to) => fs.renameSync(from, to));
	}

	/** Keeps what lies at a path, and leaves it there. */
	copy(name: GitPath): void {
		this.#keep(name, (from, to) => {
			if (fs.lstatSync(from).isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(from, { encoding: "buffer" }), to);
			else fs.copyFileSync(from, to, fs.constants.COPYFILE_EXCL);
		});
	}

	#keep(name: GitPath, move: (from: Buffer, to: Buffer) => void): void {
		const from = fileSystemPath(this.#repository.root, name);
		const stats = fs.lstatSync(from, { throwIfNoEntry: false });
		if (!stats || stats.isDirectory()) return;
		const to = Buffer.concat([Buffer.from(`${this.#directory}/files/`), gitPathBytes(name)]);
		makeDirectory(to.subarray(0, to.lastIndexOf(0x2f)));
		move(from, to);
		this.#count++;
	}
}
