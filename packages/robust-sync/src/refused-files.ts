import {
	diffTrees,
	displayPath,
	type FileChange,
	fileSystemPath,
	GitError,
	type GitPath,
	isAncestor,
	isGitPath,
	lstatIfThere,
	type Oid,
	openMergeStore,
	type Repository,
	readableVersions,
	readTreePaths,
	updateRef,
	walkCommits,
	writeCommit,
	writeIndexEntries,
} from "@robust-sync/git";
import { isOwnPath } from "@robust-sync/resolve";
import { compactTimestamp, faultPoint, readState, type SkippedFile, type WorkspacePaths, writeAtomicSync } from "@robust-sync/workspace";
import * as z from "zod/mini";
import type { CycleContext } from "./cycle-context.ts";
import { cleanRemoteMessage } from "./remote-message.ts";
import { syncedBranch } from "./upstream.ts";

/** Longer unpublished histories, and more files, are for a person. */
const maxCommits = 500;
const maxFiles = 5_000;
/** The most pushes made to find the files that the hub refuses. If the first `maxFruitless` are all refused, the hub refuses everything. */
const maxAttempts = 24;
const maxFruitless = 8;
/** What was replaced stays reachable under these names; they are never pushed. */
export const refusedRefs = "refs/robust-sync/refused/";

const refusedSchema = z.object({
	schema: z.literal(1),
	files: z.array(
		z.object({
			path: z.custom<GitPath>((value) => isGitPath(value), "not a path of the workspace"),
			/** How the file was when the hub refused it (`stampOf`): once it is otherwise, it is tried again. */
			stamp: z.string(),
			/** The hub's words. */
			words: z.string(),
			/** When, milliseconds since 1970: after a day it is tried again, for the hub's rules may have changed. */
			at: z.number(),
		}),
	),
});
type RefusedFile = z.infer<typeof refusedSchema>["files"][number];

function stampOf(root: string, name: GitPath): string {
	const stats = lstatIfThere(fileSystemPath(root, name));
	return stats === null ? "none" : `${stats.size} ${stats.mtimeMs} ${stats.ino} ${stats.mode}`;
}

function readAll(paths: WorkspacePaths): readonly RefusedFile[] {
	const read = readState(paths.refusedFiles, refusedSchema);
	return read.kind === "ok" ? read.state.files : [];
}

const retryMs = 24 * 3_600_000;

/** The files that the hub refuses and that are still as they were then. */
export function refusedFiles({ paths, now }: Pick<CycleContext, "paths" | "now">): ReadonlyMap<GitPath, RefusedFile> {
	const files = new Map<GitPath, RefusedFile>();
	for (const file of readAll(paths)) {
		try {
			const ageMs = now() - file.at;
			if (ageMs >= 0 && ageMs < retryMs && stampOf(paths.root, file.path) === file.stamp) files.set(file.path, file);
		} catch {
			// Something else is above it now.
		}
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

/** @param refused with the hub's words */
function remember(context: CycleContext, refused: ReadonlyMap<GitPath, string | null>): void {
	const { paths } = context;
	const at = context.now();
	const files = new Map(refusedFiles(context));
	for (const [path, said] of refused) {
		const words = (cleanRemoteMessage(said) ?? "").split("\n").join(" / ").slice(0, 500);
		files.set(path, { path, stamp: stampOf(paths.root, path), words, at });
	}
	writeAtomicSync(paths.refusedFiles, `${JSON.stringify({ schema: 1, files: [...files.values()] })}\n`);
}

/** Whether the remote refuses a push for what some file or commit is, as far as its answer tells. */
export function isDeclined(error: unknown): error is GitError {
	return error instanceof GitError && error.declined;
}

/** What is not published, commit by commit. */
interface Unpublished {
	readonly head: Oid;
	readonly commits: readonly { readonly changes: readonly FileChange[]; readonly text: Awaited<ReturnType<typeof walkCommits>>[number] }[];
	readonly files: readonly GitPath[];
}

const differences = async (repository: Repository, before: Oid, after: Oid) =>
	await diffTrees(repository, ...(await readableVersions(repository, [before, after] as const, isOwnPath)));

const changesBetween = async (repository: Repository, before: Oid, after: Oid): Promise<FileChange[]> =>
	(await differences(repository, before, after)).map(({ path, after: entry }) =>
		entry === null ? { path, delete: true } : { path, ...entry },
	);

async function readUnpublished(repository: Repository, tip: Oid, head: Oid): Promise<Unpublished | null> {
	const walked = await walkCommits(repository, tip, head);
	if (walked.length > maxCommits) return null;
	const commits: Unpublished["commits"][number][] = [];
	const files = new Set((await differences(repository, tip, head)).map(({ path }) => path));
	for (const text of walked) {
		const [parent, ...others] = text.parents;
		// A merge joins what the commits that it merges brought; what it made of them is in the last commit.
		const changes = others.length > 0 ? [] : await changesBetween(repository, parent ?? repository.emptyTree, text.commit);
		for (const { path } of changes) files.add(path);
		commits.push({ changes, text });
	}
	return files.size > maxFiles ? null : { head, commits, files: [...files] };
}

/** The unpublished commits made again on `base` with what they do to some files only. @returns `base` where they do nothing to those */
async function makeAgain(repository: Repository, { head, commits }: Unpublished, base: Oid, wanted: ReadonlySet<GitPath>): Promise<Oid> {
	const store = openMergeStore(repository);
	let at = base;
	const add = async (changes: readonly FileChange[], { author, committer, message }: Unpublished["commits"][number]["text"]) => {
		if (changes.length === 0) return;
		const [, identity = "", date = "0"] = /^(.*) (-?\d+)$/.exec(committer) ?? [];
		const [, by = identity, authored = date] = /^(.*) (-?\d+)$/.exec(author) ?? [];
		const { commit } = await writeCommit(store, {
			parents: [at],
			identity,
			author: by,
			date: Math.max(0, Number(date)),
			authorDate: Math.max(0, Number(authored)),
			message: Buffer.from(message),
			tree: null,
			changes,
		});
		at = commit;
	};
	for (const { changes, text } of commits)
		await add(
			changes.filter(({ path }) => wanted.has(path)),
			text,
		);
	const left = (await changesBetween(repository, at, head)).filter(({ path }) => wanted.has(path));
	const last = commits.at(-1);
	if (last) await add(left, last.text);
	return at;
}

/**
 * The hub refuses what this node has not published yet. Finds by pushes of parts which files it refuses, publishes the rest, and makes the
 * unpublished commits again without those files, which stay on disk and are reported. The old commits stay reachable here.
 * @param head what was refused; it contains `tip`
 * @param push brings a commit there from what it is expected to be at. @throws GitError
 * @returns where HEAD is now; null: nothing was changed, for the hub refuses everything, or nothing that can be told apart
 */
export async function publishWithoutRefused(
	context: CycleContext,
	head: Oid,
	tip: Oid,
	cause: GitError,
	push: (commit: Oid, expected: Oid) => Promise<"pushed" | "race">,
): Promise<Oid | null> {
	const { repository, memory, lock, log, now } = context;
	if (!(await isAncestor(repository, tip, head))) return null;
	const unpublished = await readUnpublished(repository, tip, head);
	if (unpublished === null) return null;
	// A run that was killed may have found these files before it could leave them out.
	const known = refusedFiles(context);
	const knownHere = unpublished.files.filter((name) => known.has(name));
	const untried = unpublished.files.filter((name) => !known.has(name));
	if (knownHere.length === 0 && untried.length < 2) return null;
	const half = (files: readonly GitPath[]) => [files.slice(0, Math.ceil(files.length / 2)), files.slice(Math.ceil(files.length / 2))];
	const groups = half(untried).filter((group) => group.length > 0);
	const refused = new Map<GitPath, string | null>();
	let at = tip;
	let accepted = 0;
	let isRace = false;
	for (let attempt = 0; groups.length > 0 && attempt < maxAttempts && !isRace; attempt++) {
		if (accepted === 0 && attempt >= maxFruitless) return null;
		const group = groups.shift() as readonly GitPath[];
		const commit = await makeAgain(repository, unpublished, at, new Set(group));
		if (commit === at) continue;
		try {
			isRace = (await push(commit, at)) === "race";
			if (isRace) groups.unshift([...group]);
			else {
				at = commit;
				accepted++;
			}
		} catch (error) {
			if (!isDeclined(error)) {
				if (accepted === 0) throw error;
				groups.unshift([...group]);
				break;
			}
			const [only] = group;
			if (group.length === 1 && only !== undefined) refused.set(only, error.remoteMessage ?? cause.remoteMessage);
			else groups.unshift(...half(group));
		}
	}
	// Without one push that it takes, nothing says that it is for a file.
	if (accepted === 0 && untried.length > 0) return null;
	// What was not tried stays to be published.
	const newHead = await makeAgain(repository, unpublished, at, new Set(groups.flat()));
	lock.assertHeld();
	await updateRef(repository, `${refusedRefs}${compactTimestamp(now())}`, head, null, "robust-sync: keep what the hub refused");
	remember(context, refused);
	faultPoint("refused-kept");
	await updateRef(repository, `refs/heads/${syncedBranch(context)}`, newHead, head, "robust-sync: leave out what the hub refuses");
	memory.known.forget();
	const names = [...refused.keys(), ...knownHere];
	const entries = await readTreePaths(repository, newHead, names);
	await writeIndexEntries(
		repository,
		names.map((name) => ({ path: name, entry: entries.get(name) ?? null })),
	);
	log.warn(
		`the hub refuses ${names.map((name) => JSON.stringify(displayPath(name))).join(", ") || "no single file"}: commits that were not published yet were made again without it (${newHead.slice(0, 12)} instead of ${head.slice(0, 12)}, which is kept for 30 days)`,
	);
	return newHead;
}

const keptMs = 30 * 24 * 3_600_000;

/** Takes names away under which what the hub refused was kept for 30 days. */
export async function pruneRefused({ repository, now }: CycleContext): Promise<void> {
	const { stdout } = await repository.run(["for-each-ref", "--format=%(refname)", refusedRefs]);
	const oldest = compactTimestamp(now() - keptMs);
	for (const ref of stdout.toString("utf8").split("\n").filter(Boolean))
		if (ref.slice(refusedRefs.length) < oldest) await repository.run(["update-ref", "-d", ref]);
}
