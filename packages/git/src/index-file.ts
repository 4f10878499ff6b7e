import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { type GitPath, gitPathBytes } from "./git-path.ts";
import { readHead } from "./refs.ts";
import type { Oid, Repository } from "./repository.ts";

/**
 * Whether the index can be read (gitformat-index(5)): git does not fsync it, so a power cut may leave it empty or torn. A missing
 * one is whole: there is nothing in it.
 * @param thorough check its hash too; else its first bytes only
 */
export function isIndexWhole({ gitDirectory, objectFormat, config }: Repository, thorough: boolean): boolean {
	const file = path.join(gitDirectory, "index");
	const hashLength = objectFormat === "sha1" ? 20 : 32;
	let descriptor: number;
	try {
		descriptor = fs.openSync(file, "r");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
		throw error;
	}
	try {
		if (!thorough) {
			const signature = Buffer.alloc(4);
			return fs.readSync(descriptor, signature, 0, 4, 0) === 4 && signature.toString("latin1") === "DIRC";
		}
		const content = fs.readFileSync(descriptor);
		if (content.length < 12 + hashLength || content.toString("latin1", 0, 4) !== "DIRC") return false;
		const hash = content.subarray(-hashLength);
		const mayBeZero = config.get("index.skiphash") === "true" || config.get("feature.manyfiles") === "true";
		return (
			(mayBeZero && hash.every((byte) => byte === 0)) ||
			createHash(objectFormat).update(content.subarray(0, -hashLength)).digest().equals(hash)
		);
	} finally {
		fs.closeSync(descriptor);
	}
}

/**
 * Sets the index aside and makes it again from HEAD. Files are not touched: what differs from HEAD shows as changed.
 * @returns where the old one went
 */
export async function rebuildIndex(repository: Repository, label: string): Promise<string> {
	const directory = path.join(repository.commonDirectory, "robust-sync/torn-indexes");
	fs.mkdirSync(directory, { recursive: true });
	const destination = path.join(directory, label);
	const index = path.join(repository.gitDirectory, "index");
	if (fs.existsSync(index)) fs.renameSync(index, destination);
	if ((await readHead(repository)).oid !== null) await repository.run(["read-tree", "HEAD"]);
	return destination;
}

/** Sets index entries as given (null: removed), by one process; nothing is read from the working tree. */
export async function writeIndexEntries(
	repository: Repository,
	entries: readonly { readonly path: GitPath; readonly entry: { readonly mode: string; readonly oid: Oid } | null }[],
): Promise<void> {
	const removed = entries.flatMap(({ path: name }) => [Buffer.from(`0 ${repository.zeroOid}\t`), gitPathBytes(name), Buffer.of(0)]);
	const added = entries.flatMap(({ path: name, entry }) =>
		entry ? [Buffer.from(`${entry.mode} ${entry.oid}\t`), gitPathBytes(name), Buffer.of(0)] : [],
	);
	await repository.run(["update-index", "-z", "--index-info"], { input: Buffer.concat([...removed, ...added]) });
}
