import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { deflateSync, inflateSync } from "node:zlib";
import type { Oid, Repository } from "../process/repository.ts";
import { type NewObject, objectOid } from "./object-id.ts";

// Loose objects (gitformat-loose(5)): one file for each. A commit or fetch of a few files makes such objects, and a cycle reads and
// writes them itself: starting git for that takes longer than the rest.

/** Larger files are read by git, which streams them. */
const largestFileBytes = 1_048_576;
const largestContentBytes = 8 * 1_048_576;

/** Where a repository, or the merge store, has its objects. */
export const objectsDirectory = ({ env, commonDirectory }: Pick<Repository, "env" | "commonDirectory">) =>
	env.GIT_OBJECT_DIRECTORY ?? path.join(commonDirectory, "objects");

const fileOf = (directory: string, oid: Oid) => path.join(directory, oid.slice(0, 2), oid.slice(2));

/** A small loose object; null: there is none, or it cannot be read: git must be asked. */
export function readLooseObject(repository: Repository, oid: Oid): NewObject | null {
	let descriptor: number;
	try {
		descriptor = fs.openSync(fileOf(objectsDirectory(repository), oid), "r");
	} catch {
		return null;
	}
	try {
		if (fs.fstatSync(descriptor).size > largestFileBytes) return null;
		const bytes = inflateSync(fs.readFileSync(descriptor), { maxOutputLength: largestContentBytes });
		const end = bytes.indexOf(0);
		const match = /^(blob|tree|commit|tag) (\d+)$/.exec(bytes.toString("latin1", 0, Math.max(0, end)));
		const content = bytes.subarray(end + 1);
		if (match === null || Number(match[2]) !== content.length) return null;
		const object = { type: match[1] as NewObject["type"], content };
		return objectOid(object, repository.objectFormat) === oid ? object : null;
	} catch {
		return null;
	} finally {
		fs.closeSync(descriptor);
	}
}

/** Whether loose objects may have default permissions. */
export const mayWriteLoose = ({ config }: Pick<Repository, "config">): boolean => config.get("core.sharedrepository") === undefined;

/**
 * Writes objects as loose ones, durably; nothing refers to them yet. For few and small ones.
 * @returns their ids, in order @throws the file system's error
 */
export async function writeLooseObjects(repository: Repository, objects: readonly NewObject[]): Promise<Oid[]> {
	const directory = objectsDirectory(repository);
	const oids = objects.map((object) => objectOid(object, repository.objectFormat));
	const wanted = new Map(objects.map((object, index) => [oids[index] as Oid, object]));
	await Promise.all([...wanted].map(([oid, object]) => writeLoose(directory, oid, object)));
	return oids;
}

async function writeLoose(directory: string, oid: Oid, { type, content }: NewObject): Promise<void> {
	const file = fileOf(directory, oid);
	if (freshen(file)) return;
	const bytes = deflateSync(Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content]), { level: 1 });
	fs.mkdirSync(path.dirname(file), { recursive: true });
	// git removes old files of this name, as remains of killed processes.
	const temporary = path.join(path.dirname(file), `tmp_obj_${randomBytes(6).toString("hex")}`);
	const handle = await open(temporary, "wx", 0o444);
	try {
		await handle.writeFile(bytes);
		await handle.datasync();
	} catch (error) {
		fs.rmSync(temporary, { force: true });
		throw error;
	} finally {
		await handle.close();
	}
	fs.renameSync(temporary, file);
}

/** Updates the time of an existing object, so that a garbage collection does not remove it as old. @returns whether it exists */
function freshen(file: string): boolean {
	try {
		const now = new Date();
		fs.utimesSync(file, now, now);
		return true;
	} catch {
		return false;
	}
}
