import type { Oid } from "../process/repository.ts";

/** The changes to make in a whole history. */
export interface HistoryRule {
	/** Blobs and their replacements, at any path. */
	readonly blobs: ReadonlyMap<Oid, Oid>;
	/** Paths to remove from every commit. */
	readonly paths: readonly PathRule[];
	/** More blobs at these paths: `removedBlobs` returns those that no new tree has. */
	readonly watched: ReadonlySet<Oid>;
	/** The message of a commit, or of a tag, in the new history. */
	message(oid: Oid, message: Buffer): Buffer;
}

/** A file or directory to remove from all commits made before this rule was known. */
export interface PathRule {
	/** One character a byte. */
	readonly path: string;
	/** Path of a file, one character a byte. A commit with this file, or after one with it, was made with knowledge of the rule, and loses only the listed blobs at the path. */
	readonly marker: string;
	readonly blobs: ReadonlySet<Oid>;
}
