import type { GitPath } from "../paths/git-path.ts";
import type { Oid } from "../process/repository.ts";

/** One path of a tree that is to be written. */
export type FileChange =
	| { readonly path: GitPath; readonly delete: true }
	| { readonly path: GitPath; readonly mode: string; readonly oid: Oid }
	| { readonly path: GitPath; readonly mode: string; readonly content: Uint8Array };

export interface NewCommit {
	readonly parents: readonly Oid[];
	/** `Name <address>` of the committer, and of the author unless `author` is given. */
	readonly identity: string;
	readonly author?: string;
	/** Seconds since the epoch; the time zone is +0000. */
	readonly date: number;
	/** Of the author, where it is another one. */
	readonly authorDate?: number;
	readonly message: Uint8Array;
	/** What the changes are applied to, in order; null: the first parent's. */
	readonly tree: Oid | null;
	readonly changes: Iterable<FileChange>;
	/** More contents to store; no tree has them yet. */
	readonly blobs?: readonly Uint8Array[];
}
