import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import path from "node:path";
import { PassThrough, Readable } from "node:stream";
import type { GitPath } from "../paths/git-path.ts";
import { GitError } from "../process/errors.ts";
import type { Oid, Repository } from "../process/repository.ts";
import type { NewCommit } from "./new-commit.ts";
import { blobOid } from "./objects.ts";

/** A path in C-style quotes (git-fast-import(1)), with any bytes. */
function quotedPath(name: GitPath): Buffer {
	const escaped = name.replace(/["\\\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
	return Buffer.concat([Buffer.from('"'), Buffer.from(escaped, "latin1"), Buffer.from('"')]);
}

/** A blob as fast-import reads it. */
function blobCommand(content: Uint8Array): Uint8Array[] {
	return [Buffer.from(`blob\ndata ${content.length}\n`), content, Buffer.from("\n")];
}

/** Chunks of this size: a write for each file costs more than the file. */
const chunkBytes = 262_144;

function* commitStream(ref: string, commit: NewCommit): Generator<Uint8Array> {
	const [first, ...others] = commit.parents;
	let chunk: Uint8Array[] = [];
	let bytes = 0;
	const append = (...parts: Uint8Array[]) => {
		chunk.push(...parts);
		for (const part of parts) bytes += part.length;
	};
	for (const content of commit.blobs ?? []) append(...blobCommand(content));
	const when = `${commit.date} +0000`;
	const authored = `${commit.authorDate ?? commit.date} +0000`;
	append(
		Buffer.from(
			`commit ${ref}\nmark :1\nauthor ${commit.author ?? commit.identity} ${authored}\ncommitter ${commit.identity} ${when}\ndata ${commit.message.length}\n`,
		),
		commit.message,
		Buffer.from(
			`\n${first ? `from ${first}\n` : ""}${others.map((parent) => `merge ${parent}\n`).join("")}${commit.tree ? `M 040000 ${commit.tree} ""\n` : ""}`,
		),
	);
	for (const change of commit.changes) {
		const name = quotedPath(change.path);
		if ("delete" in change) append(Buffer.from("D "), name, Buffer.from("\n"));
		else if ("oid" in change) append(Buffer.from(`M ${change.mode} ${change.oid} `), name, Buffer.from("\n"));
		else
			append(
				Buffer.from(`M ${change.mode} inline `),
				name,
				Buffer.from(`\ndata ${change.content.length}\n`),
				change.content,
				Buffer.from("\n"),
			);
		if (bytes > chunkBytes) {
			yield Buffer.concat(chunk);
			chunk = [];
			bytes = 0;
		}
	}
	append(Buffer.from('\nget-mark :1\nls :1 ""\ndone\n'));
	yield Buffer.concat(chunk);
}

/**
 * Writes one commit with its trees and blobs by one process (git-fast-import(1)), durably. Blobs can be passed on before the commit is known:
 * git stores them while the caller computes the others. No ref keeps the commit: the caller makes one.
 */
export class CommitWriter {
	readonly #store: Repository;
	readonly #ref = `refs/new/${randomUUID()}`;
	readonly #input = new PassThrough();
	readonly #abort = new AbortController();
	#running: Promise<Buffer> | null = null;
	#chunk: Uint8Array[] = [];
	#bytes = 0;

	/** @param store from openMergeStore. The process starts with the first chunk of blobs. */
	constructor(store: Repository) {
		this.#store = store;
	}

	#start(): Promise<Buffer> {
		// Deltas against the preceding file cost twice the time and save nothing.
		this.#running ??= this.#store
			.run(["fast-import", "--quiet", "--done", "--date-format=raw", "--depth=0"], { input: this.#input, signal: this.#abort.signal })
			.then(({ stdout }) => stdout);
		// A failure is reported by `write`.
		this.#running.catch(() => undefined);
		return this.#running;
	}

	/** Whether blobs were passed on: then `write` must write the commit. */
	get isUsed(): boolean {
		return this.#running !== null || this.#chunk.length > 0;
	}

	/** Stores a blob. @returns its id, for `changes` of the commit; until then no other process can read it */
	add(content: Uint8Array): Oid {
		this.#chunk.push(...blobCommand(content));
		this.#bytes += content.length;
		if (this.#bytes > chunkBytes) this.#flush();
		return blobOid(content, this.#store.objectFormat);
	}

	#flush(): void {
		void this.#start();
		this.#input.write(Buffer.concat(this.#chunk));
		this.#chunk = [];
		this.#bytes = 0;
	}

	/** Writes the commit, and ends. @throws GitError */
	async write(commit: NewCommit): Promise<{ commit: Oid; tree: Oid }> {
		try {
			const running = this.#start();
			this.#flush();
			let failure: Error | null = null;
			const rest = Readable.from(commitStream(this.#ref, commit)).on("error", (error) => {
				failure = error;
				this.#abort.abort();
			});
			rest.pipe(this.#input);
			const output = (await running).toString("latin1");
			if (failure !== null) throw failure;
			const [oid = "", root = ""] = output.split("\n");
			const tree = /^040000 tree ([0-9a-f]+)\t/.exec(root)?.[1];
			if (!/^[0-9a-f]{40,64}$/.test(oid) || tree === undefined)
				throw new GitError("INTERNAL", `git fast-import answered ${JSON.stringify(output.slice(0, 200))}`);
			return { commit: oid, tree };
		} finally {
			// A git that was killed leaves its lock.
			for (const file of [this.#ref, `${this.#ref}.lock`]) rmSync(path.join(this.#store.gitDirectory, file), { force: true });
		}
	}

	/** Ends without a commit. Does nothing after `write`. */
	async close(): Promise<void> {
		this.#abort.abort();
		await this.#running?.catch(() => undefined);
	}
}

/** Writes a commit of any size with its trees and blobs by one process, durably. No ref keeps it. @param store from openMergeStore @throws GitError */
export async function importCommit(store: Repository, commit: NewCommit): Promise<{ commit: Oid; tree: Oid }> {
	return await new CommitWriter(store).write(commit);
}
