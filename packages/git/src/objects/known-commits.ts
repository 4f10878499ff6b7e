import fs from "node:fs";
import path from "node:path";
import type { Oid, Repository } from "../process/repository.ts";
import { objectsDirectory, readLooseObject } from "./loose-objects.ts";
import { idLengthOf } from "./object-id.ts";
import { firstId, hasSignature, indexSignature } from "./pack-index.ts";
import { hasCommit } from "./repair.ts";

// Whether an object is in a pack, by the pack's index (gitformat-pack(5), version 2): ids in order, and how many begin with each byte or less.

/** Among more packs git is faster. */
const mostPacks = 64;

/** Whether a pack has the object; null: its index is of a form that is not known here. @throws the file system's error */
function isInPack(indexFile: string, oid: Buffer): boolean | null {
	const descriptor = fs.openSync(indexFile, "r");
	const read = (at: number, length: number) => {
		const bytes = Buffer.alloc(length);
		return fs.readSync(descriptor, bytes, 0, length, at) === length ? bytes : null;
	};
	try {
		const header = read(0, firstId);
		if (header === null || !hasSignature(header)) return null;
		const countUpTo = (byte: number) => (byte < 0 ? 0 : header.readUInt32BE(indexSignature.length + 4 * byte));
		const first = oid[0] as number;
		let [from, to] = [countUpTo(first - 1), countUpTo(first)];
		while (from < to) {
			const middle = (from + to) >>> 1;
			const order = read(firstId + middle * oid.length, oid.length)?.compare(oid);
			if (order === undefined) return null;
			if (order === 0) return true;
			if (order < 0) from = middle + 1;
			else to = middle;
		}
		return false;
	} finally {
		fs.closeSync(descriptor);
	}
}

/** Whether some pack has the object; null: only git knows. */
function isPacked(repository: Repository, oid: Oid): boolean | null {
	const directory = objectsDirectory(repository);
	const bytes = Buffer.from(oid, "hex");
	// Objects may be elsewhere as well.
	if (bytes.length !== idLengthOf(repository) || repository.config.has("extensions.partialclone")) return null;
	if (fs.existsSync(path.join(directory, "info/alternates"))) return null;
	try {
		const indexes = fs.readdirSync(path.join(directory, "pack")).filter((name) => name.endsWith(".idx"));
		if (indexes.length > mostPacks) return null;
		let isSure = true;
		for (const name of indexes) {
			const found = isInPack(path.join(directory, "pack", name), bytes);
			if (found) return true;
			isSure &&= found !== null;
		}
		return isSure ? false : null;
	} catch {
		// A pack was replaced meanwhile.
		return null;
	}
}

/** Whether a commit is here, nearly always without a process. One that is packed is not read: hasCommit reads it. */
export async function knowsCommit(repository: Repository, commit: Oid): Promise<boolean> {
	if (readLooseObject(repository, commit)?.type === "commit") return true;
	return isPacked(repository, commit) ?? (await hasCommit(repository, commit));
}
