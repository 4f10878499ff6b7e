import { displayPath, type GitError, type GitPath, isGitPath, stampOf } from "@robust-sync/git";
import { writeAtomicSync } from "@robust-sync/system/atomic-write";
import { diskFiles } from "@robust-sync/system/disk-files";
import { readState, type SkippedFile, type WorkspacePaths } from "@robust-sync/workspace";
import * as z from "zod/mini";
import type { CycleContext } from "../context/cycle-context.ts";
import { cleanRemoteMessage } from "../context/remote-message.ts";

export const refusedSchema = z.object({
	schema: z.literal(1),
	files: z.array(
		z.object({
			path: z.custom<GitPath>((value) => isGitPath(value), "not a path of the workspace"),
			/** Stamp of the file when the hub refused it (`stampOf`): after a change it is tried again. */
			stamp: z.string(),
			/** The hub's answer. */
			words: z.string(),
			/** Time of the refusal, milliseconds since 1970: after a day it is tried again, because the hub's rules may have changed. */
			at: z.number(),
			/** The number of times in a row that the hub could not store it, perhaps because of a full disk: it is tried again sooner. */
			not_stored: z.optional(z.number()),
		}),
	),
});
export type RefusedFile = z.infer<typeof refusedSchema>["files"][number];

function readAll(paths: WorkspacePaths): readonly RefusedFile[] {
	const read = readState(paths.refusedFiles, refusedSchema);
	return read.kind === "ok" ? read.state.files : [];
}

const retryMs = 24 * 3_600_000;
const firstRetryMs = 60_000;

/** How long a file is left out, milliseconds. */
function waitMs({ not_stored }: RefusedFile): number {
	return not_stored === undefined ? retryMs : Math.min(retryMs, firstRetryMs * 2 ** Math.min(Math.max(0, not_stored - 1), 16));
}

/** The refused files that have not changed since. */
export function refusedFiles({ paths, now }: Pick<CycleContext, "paths" | "now">): ReadonlyMap<GitPath, RefusedFile> {
	const files = new Map<GitPath, RefusedFile>();
	for (const file of readAll(paths)) {
		const ageMs = now() - file.at;
		if (ageMs >= 0 && ageMs < waitMs(file) && stampOf({ root: paths.root, files: diskFiles }, file.path) === file.stamp)
			files.set(file.path, file);
	}
	return files;
}

/** They are reported as long as they wait. */
export function refusedSkipped(context: CycleContext): SkippedFile[] {
	return [...refusedFiles(context).values()].map(({ path, words }) => ({
		path: displayPath(path),
		reason: "refused-by-hub",
		remedy: `change or remove the file, or allow it on the hub${words === "" ? "" : `, which says: ${words}`}`,
	}));
}

/** The hub's refusals of the last day, even of files that changed since: known to be caused by the file. */
export function refusedBefore({ paths, now }: CycleContext): ReadonlyMap<GitPath, RefusedFile> {
	const recent = readAll(paths).filter(({ at }) => Math.abs(now() - at) < 2 * retryMs);
	return new Map(recent.map((file) => [file.path, file]));
}

function writeRefused({ paths }: CycleContext, files: Iterable<RefusedFile>): void {
	writeAtomicSync(paths.refusedFiles, `${JSON.stringify({ schema: 1, files: [...files] })}\n`);
}

export function rememberRefused(context: CycleContext, refused: ReadonlyMap<GitPath, GitError>): void {
	const { paths, now } = context;
	const files = new Map(refusedBefore(context));
	for (const [path, { remoteMessage, notStored }] of refused) {
		const words = (cleanRemoteMessage(remoteMessage) ?? "").split("\n").join(" / ").slice(0, 500);
		const stamp = stampOf({ root: paths.root, files: diskFiles }, path) ?? "";
		const times = (files.get(path)?.not_stored ?? 0) + 1;
		files.set(path, { path, stamp, words, at: now(), ...(notStored ? { not_stored: times } : {}) });
	}
	writeRefused(context, files.values());
}

/** Everything committed is on the hub: only the waiting files were refused. */
export function forgetPublished(context: CycleContext): void {
	const all = readAll(context.paths);
	if (all.length === 0) return;
	const waiting = refusedFiles(context);
	if (waiting.size < all.length) writeRefused(context, waiting.values());
}
