import { blobOid, type LateWrite, type Repository } from "@robust-sync/git";
import { baseAmong, containsNothingOf } from "@robust-sync/merge";
import type { WorkspacePaths } from "@robust-sync/workspace";
import { type MergeAnswer, type MergeJob, runJob } from "../merge/merge-jobs.ts";
import { mergeThread } from "../merge/merge-thread.ts";
import { saveVersionsOf, type VersionContent } from "../saved/save-versions.ts";

const lineFeed = 0x0a;

// A late write is merged where it was found, before any commit has it: history cannot give back what such a merge leaves out.

/** Whether a file that appeared where the old one was missing for a moment is an addition to it, and not all that should be left. */
export function isAddition({ path: name, before, written, appeared }: LateWrite): boolean {
	if (!appeared || before === null) return false;
	return written.length < before.length / 2 || containsNothingOf(Buffer.alloc(0), before, written, Buffer.from(name, "latin1"));
}

function lateWriteJob(late: LateWrite, incoming: Buffer): MergeJob {
	const { path: name, before, written, exposed } = late;
	const base = isAddition(late) || before === null ? null : baseAmong([before, ...exposed], incoming, written, Buffer.from(name, "latin1"));
	return { path: name, base, a: written, b: incoming, later: "a", attribute: undefined };
}

function contentOf({ content, winner }: MergeAnswer, { a, b }: MergeJob): Buffer {
	return bytesOf(content ?? (winner === "b" ? b : a));
}

const bytesOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const linesOf = (bytes: Buffer) => new Set(bytes.toString("latin1").split("\n"));

/**
 * What was only appended, through a descriptor from before the checkout, is at the end of what is there by now, as it would be had its
 * writer opened the file again. For code alone, and where its merge leaves something out: every other kind keeps the additions of both.
 */
function appendedTo({ base, a: written, b: incoming }: MergeJob, { lost, strategy }: MergeAnswer): Buffer | null {
	if (!lost || strategy !== "code" || base === null || base.length === 0) return null;
	const [before, after, live] = [base, written, incoming].map(bytesOf) as [Buffer, Buffer, Buffer];
	if (!after.subarray(0, before.length).equals(before) || before.at(-1) !== lineFeed) return null;
	const tail = after.subarray(before.length);
	const [old, there] = [linesOf(before), linesOf(live)];
	const added = [...linesOf(tail)].filter((line) => !old.has(line));
	// A process that was killed has put it there already.
	if (added.length === 0 || added.some((line) => there.has(line))) return null;
	const ends = live.length === 0 || live.at(-1) === lineFeed;
	return Buffer.concat([live, ends ? Buffer.alloc(0) : Buffer.of(lineFeed), tail]);
}

/**
 * Whether a late write only appends to code, and a merge of it would leave something out. Then the caller appends it to the present file.
 * @throws MergeThreadError
 */
export async function isAppendedToCode(late: LateWrite): Promise<boolean> {
	const { before, written, incoming } = late;
	if (before === null || incoming === null || before.length === 0 || !written.subarray(0, before.length).equals(before)) return false;
	const job = lateWriteJob(late, incoming);
	const [answer] = (await mergeThread.run([job])) as [MergeAnswer];
	return appendedTo(job, answer) !== null;
}

/** Content that keeps both a late write and what came in; the late write is the later side. */
export function mergeLateWrite(late: LateWrite): Buffer {
	if (late.incoming === null) return late.written;
	const job = lateWriteJob(late, late.incoming);
	const answer = runJob(job);
	return appendedTo(job, answer) ?? contentOf(answer, job);
}

/** What keeping both sides of such a merge needs. */
export interface LateMergeContext {
	readonly repository: Repository;
	readonly paths: WorkspacePaths;
	readonly now: () => number;
	/** Called with the name of each directory of saved versions. */
	readonly onSaved?: (name: string) => void;
}

/** Merges whose sides are saved: where no commit can be made, each cycle merges the same again. */
const savedMerges = new WeakMap<Repository, Set<string>>();
const rememberedMerges = 1_000;

function savedMergesOf(repository: Repository): Set<string> {
	const known = savedMerges.get(repository) ?? new Set<string>();
	savedMerges.set(repository, known);
	if (known.size >= rememberedMerges) known.clear();
	return known;
}

/**
 * The same, in the thread for merges where it may take a while. Where the result leaves something out, both sides are saved in
 * `sync/conflicts/` first.
 * @throws MergeThreadError; as saveVersionsOf
 */
export async function mergeLateWriteAside({ repository, paths, now, onSaved }: LateMergeContext, late: LateWrite): Promise<Buffer> {
	if (late.incoming === null) return late.written;
	const job = lateWriteJob(late, late.incoming);
	const [answer] = (await mergeThread.run([job])) as [MergeAnswer];
	const appended = appendedTo(job, answer);
	if (appended) return appended;
	const known = savedMergesOf(repository);
	const key = `${blobOid(job.a)} ${blobOid(job.b)} ${late.path}`;
	if (answer.lost && late.isUnchanged !== true && !known.has(key)) {
		const version = (content: Uint8Array | null): VersionContent | null => (content === null ? null : { mode: "100644", content });
		const winner = ({ merged: "merged", a: "ours", b: "theirs" } as const)[answer.winner];
		const versions = { ours: version(job.a), theirs: version(job.b), base: version(job.base) };
		const files = [{ path: late.path, type: "content", strategy: answer.strategy, winner, save: true, versions }];
		const name = await saveVersionsOf(repository, paths, { commit: null, ours: null, theirs: null, base: null, files }, now());
		known.add(key);
		if (name !== null) onSaved?.(name);
	}
	return contentOf(answer, job);
}
