import { blobOid, type FilteredFile, type GitPath, type Repository } from "@robust-sync/git";
import { isLostUpdate } from "@robust-sync/merge";
import type { WorkspacePaths } from "@robust-sync/workspace";
import type { MergeAnswer, MergeJob } from "../merge/merge-jobs.ts";
import { mergeThread } from "../merge/merge-thread.ts";
import { saveVersionsOf, type VersionContent } from "../saved/save-versions.ts";

const lineFeed = 0x0a;

// Merges of contents outside of commits: files that no commit can have.

/** Whether a file that appeared while the old one was missing for a moment is an addition to it, and not a whole version. */
export function isAddition(name: GitPath, before: Buffer, written: Buffer): boolean {
	return written.length < before.length / 2 || isLostUpdate(Buffer.alloc(0), before, written, Buffer.from(name, "latin1"));
}

/** Three versions of a file. */
export interface ContentMerge {
	readonly path: GitPath;
	readonly base: Buffer | null;
	/** The write of this node's program: the later side. */
	readonly written: Buffer;
	readonly incoming: Buffer;
}

function jobOf({ path, base, written, incoming }: ContentMerge): MergeJob {
	return { path, base, a: written, b: incoming, later: "a", attribute: undefined };
}

function contentOf({ content, winner }: MergeAnswer, { a, b }: MergeJob): Buffer {
	return bytesOf(content ?? (winner === "b" ? b : a));
}

const bytesOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const linesOf = (bytes: Buffer) => new Set(bytes.toString("latin1").split("\n"));

/**
 * Code that a program only appended to, if a merge would leave a part out. The appended text goes to the end of the present file, as if the program
 * had opened that. Null: any other write, or the merge keeps all.
 * @throws MergeThreadError
 */
export async function appendedCode(late: ContentMerge): Promise<Buffer | null> {
	const { base, written, incoming } = late;
	if (base === null || base.length === 0 || base.at(-1) !== lineFeed || !written.subarray(0, base.length).equals(base)) return null;
	const [{ lost, strategy }] = (await mergeThread.run([jobOf(late)])) as [MergeAnswer];
	if (!lost || strategy !== "code") return null;
	const tail = written.subarray(base.length);
	const [old, there] = [linesOf(base), linesOf(incoming)];
	const added = [...linesOf(tail)].filter((line) => !old.has(line));
	const isThere = incoming.subarray(-tail.length).equals(tail);
	return added.length === 0 || (!isThere && added.some((line) => there.has(line))) ? null : tail;
}

/** The environment of a merge of contents. */
export interface ContentMergeContext {
	readonly repository: Repository;
	readonly paths: WorkspacePaths;
	readonly now: () => number;
}

/** Merges the part that a filter keeps local in a file into its incoming content; nothing is saved. @throws MergeThreadError */
export async function mergeFiltered({ path, before, onDisk, incoming }: FilteredFile): Promise<Buffer> {
	const job = jobOf({ path, base: before, written: onDisk, incoming });
	const [answer] = (await mergeThread.run([job])) as [MergeAnswer];
	return contentOf(answer, job);
}

/** Merges whose sides are saved: without a possible commit, each cycle merges the same again. */
const savedMerges = new WeakMap<Repository, Set<string>>();
const rememberedMerges = 1_000;

function savedMergesOf(repository: Repository): Set<string> {
	const known = savedMerges.get(repository) ?? new Set<string>();
	savedMerges.set(repository, known);
	if (known.size >= rememberedMerges) known.clear();
	return known;
}

/**
 * Content that keeps both sides. If it leaves a part out, both sides are saved in `sync/conflicts/` first.
 * @throws MergeThreadError; as saveVersionsOf
 */
export async function mergeContents({ repository, paths, now }: ContentMergeContext, merge: ContentMerge): Promise<Buffer> {
	const job = jobOf(merge);
	const [answer] = (await mergeThread.run([job])) as [MergeAnswer];
	const known = savedMergesOf(repository);
	const key = `${blobOid(job.a)} ${blobOid(job.b)} ${merge.path}`;
	if (answer.lost && !known.has(key)) {
		const version = (content: Uint8Array | null): VersionContent | null => (content === null ? null : { mode: "100644", content });
		const winner = ({ merged: "merged", a: "ours", b: "theirs" } as const)[answer.winner];
		const versions = { ours: version(job.a), theirs: version(job.b), base: version(job.base) };
		const files = [{ path: merge.path, type: "content", strategy: answer.strategy, winner, save: true, versions }];
		await saveVersionsOf(repository, paths, { commit: null, ours: null, theirs: null, base: null, files }, now());
		known.add(key);
	}
	return contentOf(answer, job);
}
