import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import path from "node:path";
import type { GitPath } from "../paths/git-path.ts";
import { GitError } from "../process/errors.ts";
import type { Oid, Repository } from "../process/repository.ts";

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

/** A path in C-style quotes (git-fast-import(1)), with any bytes. */
function quotedPath(name: GitPath): Buffer {
	const escaped = name.replace(/["\\\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
	return Buffer.concat([Buffer.from('"'), Buffer.from(escaped, "latin1"), Buffer.from('"')]);
}

function* importStream(ref: string, commit: NewCommit): Generator<string | Uint8Array> {
	const [first, ...others] = commit.parents;
	for (const content of commit.blobs ?? []) {
		yield `blob\ndata ${content.length}\n`;
		yield content;
		yield "\n";
	}
	const when = `${commit.date} +0000`;
	const authored = `${commit.authorDate ?? commit.date} +0000`;
	yield `commit ${ref}\nmark :1\nauthor ${commit.author ?? commit.identity} ${authored}\ncommitter ${commit.identity} ${when}\ndata ${commit.message.length}\n`;
	yield commit.message;
	yield `\n${first ? `from ${first}\n` : ""}${others.map((parent) => `merge ${parent}\n`).join("")}${commit.tree ? `M 040000 ${commit.tree} ""\n` : ""}`;
	// Few and large writes: one per file costs more than the file.
	let batch: Uint8Array[] = [];
	let batchBytes = 0;
	for (const change of commit.changes) {
		const name = quotedPath(change.path);
		if ("delete" in change) batch.push(Buffer.from("D "), name, Buffer.from("\n"));
		else if ("oid" in change) batch.push(Buffer.from(`M ${change.mode} ${change.oid} `), name, Buffer.from("\n"));
		else {
			batch.push(Buffer.from(`M ${change.mode} inline `), name, Buffer.from(`\ndata ${change.content.length}\n`));
			batch.push(change.content, Buffer.from("\n"));
			batchBytes += change.content.length;
		}
		batchBytes += name.length;
		if (batchBytes > 262_144) {
			yield Buffer.concat(batch);
			batch = [];
			batchBytes = 0;
		}
	}
	batch.push(Buffer.from('\nget-mark :1\nls :1 ""\ndone\n'));
	yield Buffer.concat(batch);
}

/**
 * Writes a commit with its trees and blobs by one process (git-fast-import(1)), durably. No ref keeps it: the caller makes one.
 * @param store from openMergeStore
 * @throws GitError
 */
export async function writeCommit(store: Repository, commit: NewCommit): Promise<{ commit: Oid; tree: Oid }> {
	const ref = `refs/new/${randomUUID()}`;
	try {
		// Deltas against whatever file came before cost twice the time and save nothing.
		const { stdout } = await store.run(["fast-import", "--quiet", "--done", "--date-format=raw", "--depth=0"], {
			input: importStream(ref, commit),
		});
		const [oid = "", root = ""] = stdout.toString("latin1").split("\n");
		const tree = /^040000 tree ([0-9a-f]+)\t/.exec(root)?.[1];
		if (!/^[0-9a-f]{40,64}$/.test(oid) || tree === undefined)
			throw new GitError("INTERNAL", `git fast-import answered ${JSON.stringify(stdout.toString("latin1").slice(0, 200))}`);
		return { commit: oid, tree };
	} finally {
		// A git that was killed leaves its lock.
		for (const file of [ref, `${ref}.lock`]) rmSync(path.join(store.gitDirectory, file), { force: true });
	}
}
