import { createHash } from "node:crypto";
import { GitError } from "./errors.ts";
import type { Oid, Repository } from "./repository.ts";

/** The id that git gives a blob with this content (gitformat-pack: "blob <size>\0" and the bytes). */
export function blobOid(content: Uint8Array, format: Repository["objectFormat"] = "sha1"): Oid {
	return createHash(format).update(`blob ${content.length}\0`).update(content).digest("hex");
}

/**
 * The contents of many objects by one process (`git cat-file --batch`), handed over one by one in the order asked for, so
 * that never more than one is in memory because of us.
 * @throws GitError CORRUPT_REPOSITORY when one is missing; what the receiver throws
 */
export async function readObjects(
	repository: Repository,
	oids: readonly Oid[],
	receive: (oid: Oid, content: Buffer) => void,
): Promise<void> {
	if (oids.length === 0) return;
	let pending: Buffer[] = [];
	let pendingBytes = 0;
	let next = 0;
	// What the header announced, newline at its end included; null: a header comes next.
	let wanted: number | null = null;
	let failure: unknown = null;

	const drain = () => {
		while (next < oids.length) {
			if (wanted === null) {
				if (pendingBytes === 0) return;
				let buffer = pending.length === 1 ? (pending[0] as Buffer) : Buffer.concat(pending);
				pending = [buffer];
				const end = buffer.indexOf(10);
				if (end < 0) return;
				const header = buffer.toString("latin1", 0, end).split(" ");
				buffer = buffer.subarray(end + 1);
				pending = [buffer];
				pendingBytes = buffer.length;
				if (header.length !== 3)
					throw new GitError("CORRUPT_REPOSITORY", `object ${oids[next]} is missing: run git fsck --full, then fetch it from another node`);
				wanted = Number(header[2]) + 1;
			}
			if (pendingBytes < wanted) return;
			const buffer = pending.length === 1 ? (pending[0] as Buffer) : Buffer.concat(pending);
			const oid = oids[next] as Oid;
			next++;
			receive(oid, buffer.subarray(0, wanted - 1));
			const rest = buffer.subarray(wanted);
			pending = [rest];
			pendingBytes = rest.length;
			wanted = null;
		}
	};
	await repository.run(["cat-file", "--batch", "--buffer"], {
		input: `${oids.join("\n")}\n`,
		onOutput: (chunk) => {
			if (failure) return;
			pending.push(chunk);
			pendingBytes += chunk.length;
			try {
				drain();
			} catch (error) {
				failure = error;
			}
		},
	});
	if (failure) throw failure;
	if (next < oids.length) throw new GitError("CORRUPT_REPOSITORY", `object ${oids[next]} could not be read: run git fsck --full`);
}

/** The same, all kept: for few or small objects. */
export async function readObjectsWhole(repository: Repository, oids: readonly Oid[]): Promise<Map<Oid, Buffer>> {
	const contents = new Map<Oid, Buffer>();
	await readObjects(repository, [...new Set(oids)], (oid, content) => contents.set(oid, Buffer.from(content)));
	return contents;
}
