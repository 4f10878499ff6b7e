import {
	diffTrees,
	displayPath,
	firstParents,
	GitError,
	type GitPath,
	type Oid,
	type Repository,
	readableVersions,
	readParents,
	withObjectReader,
} from "@robust-sync/git";
import { isOwnPath, planIntegration } from "@robust-sync/resolve";
import { printable } from "@robust-sync/service/printable";
import { formatSize } from "@robust-sync/system/format-size";
import type { CycleContext } from "../context/cycle-context.ts";

/** More attempts than this are left to the next cycle, which continues from here. */
const maxAttempts = 40;

/** Whether a push failed for its content, so that a part of it may succeed. */
export function mayFitInSteps(error: unknown): error is GitError {
	return error instanceof GitError && (error.code === "PUSH_TOO_LARGE" || error.notStored || error.cutOff);
}

/** A push in steps: it may last several cycles, if pushes keep an interval. */
export interface StepsAhead {
	/** The failure of the whole push. */
	readonly cause: GitError;
	/** Commits of the next step; null: half of all. */
	readonly size: number | null;
}

/** The result of pushing in steps: the remote's tip now, and the number of our commits there. */
export interface Steps {
	readonly tip: Oid | null;
	readonly pushed: number;
	/** Another node pushed in between. */
	readonly isRace: boolean;
	/** The rest, which waits for the next permitted push; null: nothing waits. */
	readonly ahead: StepsAhead | null;
	/** The failure that ended it, with commit and file if a single commit is refused. null: it continued, or is done. */
	readonly error: unknown;
}

/**
 * Pushes the commits that `head` has and the remote lacks in steps along first parents, half as many at once after each refusal.
 * If the remote has moved meanwhile, a step is a merge with it. Each step is a push: it keeps the push interval.
 * @param tip the remote's tip; null: it has no branch yet
 * @param push pushes a commit, if the remote is still at the expected one
 */
export async function pushInSteps(
	{ repository, log, memory: { pace } }: StepsContext,
	head: Oid,
	tip: Oid | null,
	{ cause, size: before }: StepsAhead,
	push: (commit: Oid, expected: Oid | null) => Promise<"pushed" | "race">,
): Promise<Steps> {
	const chain = await firstParents(repository, tip, head);
	let at = tip;
	let done = 0;
	let error = cause;
	let size = before ?? Math.max(1, Math.floor(chain.length / 2));
	const steps = (fields: Partial<Steps>): Steps => ({ tip: at, pushed: done, isRace: false, ahead: null, error: null, ...fields });
	// All at once was tried already.
	if (before === null && chain.length <= 1) return steps({ error: await explained(repository, head, cause) });
	for (let attempt = 0; done < chain.length; attempt++) {
		if (pace.waitToPushMs() > 0) return steps({ ahead: { cause: error, size } });
		if (attempt >= maxAttempts) return steps({ error });
		const commit = chain[Math.min(done + size, chain.length) - 1] as Oid;
		const to = at === null ? commit : (await planIntegration(repository, commit, at)).to;
		try {
			if ((await push(to, at)) === "race") return steps({ isRace: true });
			log.debug("a step of a large push is there", { commits: Math.min(size, chain.length - done) });
			at = to;
			done = Math.min(done + size, chain.length);
		} catch (failure) {
			if (!mayFitInSteps(failure)) return steps({ error: failure, ahead: { cause: error, size } });
			error = failure;
			if (size === 1) return steps({ error: await explained(repository, commit, failure) });
			size = Math.ceil(Math.min(size, chain.length - done) / 2);
		}
	}
	return steps({});
}

type StepsContext = Pick<CycleContext, "repository" | "log"> & { memory: Pick<CycleContext["memory"], "pace"> };

/** The same failure, with the refused commit and its largest file. */
async function explained(repository: Repository, commit: Oid, error: GitError): Promise<GitError> {
	const largest = await largestFile(repository, commit);
	const file = largest === null ? "" : `; the largest file in it is ${printable(displayPath(largest.path))} (${formatSize(largest.size)})`;
	const { remoteMessage, notStored, cutOff } = error;
	const how = cutOff ? "the connection ended during the push, perhaps because of its size: " : "";
	return new GitError(
		error.code,
		`${error.message}; ${how}commit ${commit.slice(0, 12)} does not get through even alone${file}`,
		error.detail,
		error.exitCode,
		{ remoteMessage, notStored, cutOff },
	);
}

/** The largest file that differs between a commit and its first parent; null: the commit only deletes. */
async function largestFile(repository: Repository, commit: Oid): Promise<{ path: GitPath; size: number } | null> {
	const [parent] = await readParents(repository, commit);
	const versions = await readableVersions(repository, [parent ?? repository.emptyTree, commit] as const, isOwnPath);
	const files = (await diffTrees(repository, ...versions)).flatMap(({ path, after }) =>
		after === null || after.mode === "160000" ? [] : [{ path, oid: after.oid }],
	);
	const infos = await withObjectReader(repository, (reader) => reader.infos(files.map(({ oid }) => oid)));
	let largest: { path: GitPath; size: number } | null = null;
	for (const [index, { path }] of files.entries()) {
		const size = infos[index]?.size ?? 0;
		if (largest === null || size > largest.size) largest = { path, size };
	}
	return largest;
}
