import type { Oid } from "../process/repository.ts";

/** What is to be otherwise in a whole history. */
export interface HistoryRule {
	/** Blobs, and the blobs in their places, wherever they are. */
	readonly blobs: ReadonlyMap<Oid, Oid>;
	/** Paths that are taken out of every commit. */
	readonly paths: readonly PathRule[];
	/** More blobs of these paths, of which is asked afterwards whether any new tree has them (`removedBlobs`). */
	readonly watched: ReadonlySet<Oid>;
	/** The message of a commit, or of a tag, in the new history. */
	message(oid: Oid, message: Buffer): Buffer;
}

/** A file or directory that is taken out of all commits that do not know of it yet. */
export interface PathRule {
	/** One character a byte. */
	readonly path: string;
	/** A file, one character a byte: a commit that has it knows of this rule, and loses only the listed blobs at the path. */
	readonly marker: string;
	readonly blobs: ReadonlySet<Oid>;
}
