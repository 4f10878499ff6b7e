import { createHash } from "node:crypto";
import { present, withObjectReader } from "./object-reader.ts";
import type { Oid, Repository } from "./repository.ts";

/** The id that git gives a blob with this content (gitformat-pack: "blob <size>\0" and the bytes). */
export function blobOid(content: Uint8Array, format: Repository["objectFormat"] = "sha1"): Oid {
	return createHash(format).update(`blob ${content.length}\0`).update(content).digest("hex");
}

/**
 * The contents of many objects by one process, handed over one by one in the order asked for, so that never more than one is
 * in memory because of us.
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
