import fs from "node:fs";
import path from "node:path";
import type { Oid, Repository } from "../process/repository.ts";
import { objectOid } from "./object-id.ts";
import { present, withObjectReader } from "./object-reader.ts";

/** The id that git gives a blob with this content (gitformat-pack: "blob <size>\0" and the bytes). */
export function blobOid(content: Uint8Array, format: Repository["objectFormat"] = "sha1"): Oid {
	return objectOid({ type: "blob", content: Buffer.from(content.buffer, content.byteOffset, content.byteLength) }, format);
}

/**
 * Reads many objects with one process, and passes on their contents one by one in the order of the ids, so that at most one is
 * in memory.
 * @throws GitError CORRUPT_REPOSITORY when one is missing; what the receiver throws
 */
export async function readObjects(
	repository: Repository,
	oids: readonly Oid[],
	receive: (oid: Oid, content: Buffer) => void,
): Promise<void> {
	if (oids.length === 0) return;
	await withObjectReader(repository, (reader) =>
		reader.each(oids, (_info, content, index) => {
			const oid = oids[index] as Oid;
			receive(oid, present(content, oid));
		}),
	);
}

/** The same, all kept: for few or small objects. */
export async function readObjectsWhole(repository: Repository, oids: readonly Oid[]): Promise<Map<Oid, Buffer>> {
	const contents = new Map<Oid, Buffer>();
	await readObjects(repository, [...new Set(oids)], (oid, content) => contents.set(oid, Buffer.from(content)));
	return contents;
}

/** Stores contents as blobs, byte for byte, by one process. @param staging a directory of our own for the moment @returns their ids, in order */
export async function storeBlobs(repository: Repository, staging: string, contents: readonly Buffer[]): Promise<Oid[]> {
	if (contents.length === 0) return [];
	const directory = path.join(staging, `blobs-${process.pid}`);
	fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
	try {
		const files = contents.map((content, index) => {
			const file = path.join(directory, String(index));
			fs.writeFileSync(file, content);
			return file;
		});
		const { stdout } = await repository.run(["hash-object", "-w", "--no-filters", "--stdin-paths"], { input: `${files.join("\n")}\n` });
		return stdout.toString("latin1").trim().split("\n");
	} finally {
		fs.rmSync(directory, { recursive: true, force: true });
	}
}
