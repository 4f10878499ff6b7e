import fs from "node:fs";
import path from "node:path";
import type { Repository } from "../process/repository.ts";
import { objectsDirectory } from "./loose-objects.ts";

/** git looks at no directory of such a name among the objects. */
const prefix = "robust-sync-aside-";
/** What is in such a directory is to be removed. */
const gonePrefix = "robust-sync-gone-";

/** An index makes a pack part of the repository: it goes first, and comes back last. */
const isIndex = (file: string) => file.endsWith(".idx");

function filesOf(directory: string): string[] {
	return fs
		.readdirSync(directory, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
		.sort((a, b) => Number(isIndex(a)) - Number(isIndex(b)));
}

function putBack(objects: string, directory: string): void {
	for (const file of filesOf(directory)) {
		const place = path.join(objects, file);
		fs.mkdirSync(path.dirname(place), { recursive: true });
		// Objects of the same name are the same.
		if (fs.existsSync(place)) fs.rmSync(path.join(directory, file), { force: true });
		else fs.renameSync(path.join(directory, file), place);
	}
	fs.rmSync(directory, { recursive: true, force: true });
}

const leftovers = (objects: string): { name: string; directory: string }[] =>
	fs
		.readdirSync(objects)
		.filter((name) => name.startsWith(prefix) || name.startsWith(gonePrefix))
		.map((name) => ({ name, directory: path.join(objects, name) }));

/** Whether a process was killed while it removed objects. @throws the file system's error */
export const hasObjectsAside = (repository: Repository): boolean => leftovers(objectsDirectory(repository)).length > 0;

/** Returns to git what a killed process moved out of the way. Only for one that holds the lock (gc-lock.ts). @throws the file system's error */
export function putBackLeftovers(repository: Repository): void {
	const objects = objectsDirectory(repository);
	for (const { name, directory } of leftovers(objects)) {
		if (name.startsWith(prefix)) putBack(objects, directory);
		else fs.rmSync(directory, { recursive: true, force: true });
	}
}

/** Files of a repository's objects that are out of git's sight, and can come back. */
export class ObjectsAside {
	readonly #objects: string;
	readonly #directory: string;

	/** @throws the file system's error */
	constructor(repository: Repository) {
		this.#objects = objectsDirectory(repository);
		this.#directory = fs.mkdtempSync(path.join(this.#objects, prefix));
	}

	/** @param files below the directory of objects; those that are not there are left out @throws the file system's error */
	take(files: readonly string[]): void {
		for (const file of files.toSorted((a, b) => Number(isIndex(b)) - Number(isIndex(a)))) {
			const place = path.join(this.#directory, file);
			fs.mkdirSync(path.dirname(place), { recursive: true });
			try {
				fs.renameSync(path.join(this.#objects, file), place);
			} catch (error) {
				if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
			}
		}
	}

	/** @throws the file system's error */
	putBack(): void {
		putBack(this.#objects, this.#directory);
	}

	/** @throws the file system's error */
	remove(): void {
		// In one step: a part of them must not come back.
		const gone = path.join(this.#objects, path.basename(this.#directory).replace(prefix, gonePrefix));
		fs.renameSync(this.#directory, gone);
		fs.rmSync(gone, { recursive: true, force: true });
	}
}
