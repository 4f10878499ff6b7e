import {
	diffTrees,
	displayPath,
	type FileChange,
	formerTips,
	GitError,
	type GitPath,
	type Oid,
	openMergeStore,
	type Repository,
	readableVersions,
	trackingRef,
	walkCommits,
	writeCommit,
} from "@robust-sync/git";
import { isOwnPath, markedAsMade, nodesIn, planIntegration, withNodeTrailer } from "@robust-sync/resolve";
import { faultPoint } from "@robust-sync/system/fault-points";
import type { CycleContext } from "../context/cycle-context.ts";
import { type RefusedFile, refusedBefore, refusedFiles, rememberRefused } from "./refused-list.ts";
import { RewrittenHead } from "./rewritten-head.ts";
import { syncedBranch } from "./upstream.ts";

/** Longer unpublished histories, and more files, are left to a person. */
const maxCommits = 500;
const maxFiles = 5_000;
/** The most pushes of a search for the files that the hub refuses. */
const maxAttempts = 24;
/** If the first parts are all refused, a commit without any of the files shows whether a file is the cause at all. */
const partsUntilProbe = 2;

/** Whether the remote refuses a push for some file or commit, as far as its answer shows. */
export function isDeclined(error: unknown): error is GitError {
	return error instanceof GitError && error.declined;
}

/** Whether the remote could not, or would not, store a push. */
export function isNotStored(error: unknown): error is GitError {
	return error instanceof GitError && error.notStored;
}

/** Whether a part of a refused push may be accepted. */
function mayBeForAFile(error: unknown): error is GitError {
	return error instanceof GitError && (error.declined || error.notStored || error.code === "PUSH_TOO_LARGE");
}

/** A search for the files that the hub refuses, by pushes of parts. It may last several cycles, if pushes keep an interval. */
export interface RefusalSearch {
	/** The refusal that started it. */
	readonly cause: GitError;
	/** Files that are pushed together, one group after another; null: not begun. */
	groups: GitPath[][] | null;
	/** Pushes so far, and the accepted ones. */
	attempts: number;
	accepted: number;
	/** Files are known to be the cause. */
	isProven: boolean;
	/** Found so far, with the refusal. */
	readonly refused: Map<GitPath, GitError>;
}

/** A new search. @param cause the hub's answer to a push of everything */
export function newSearch(cause: GitError): RefusalSearch {
	return { cause, groups: null, attempts: 0, accepted: 0, isProven: false, refused: new Map() };
}

/** The unpublished changes, commit by commit. */
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

async function readUnpublished(repository: Repository, tip: Oid | null, head: Oid): Promise<Unpublished | null> {
	const walked = await walkCommits(repository, tip, head);
	if (walked.length > maxCommits) return null;
	const commits: Unpublished["commits"][number][] = [];
	const files = new Set((await differences(repository, tip ?? repository.emptyTree, head)).map(({ path }) => path));
	for (const text of walked) {
		const [parent, ...others] = text.parents;
		// A merge joins the changes of its parents; its own result is in the last commit.
		const changes = others.length > 0 ? [] : await changesBetween(repository, parent ?? repository.emptyTree, text.commit);
		for (const { path } of changes) files.add(path);
		commits.push({ changes, text });
	}
	return files.size > maxFiles ? null : { head, commits, files: [...files] };
}

/**
 * Rewrites the unpublished commits on `base` with their changes of some files only.
 * @param base null: the remote has no branch yet
 * @returns `base` if they do not change those
 */
async function makeAgain(
	repository: Repository,
	{ head, commits }: Unpublished,
	base: Oid | null,
	wanted: ReadonlySet<GitPath>,
	node: string,
): Promise<Oid | null> {
	const store = openMergeStore(repository);
	let at = base;
	const add = async (changes: readonly FileChange[], text: CommitText) => {
		if (changes.length > 0) at = await commitLike(store, text, at, markedAsMade(text.message, node), changes);
	};
	for (const { changes, text } of commits)
		await add(
			changes.filter(({ path }) => wanted.has(path)),
			text,
		);
	const left = (await changesBetween(repository, at ?? repository.emptyTree, head)).filter(({ path }) => wanted.has(path));
	const last = commits.at(-1);
	if (last) await add(left, last.text);
	return at;
}

/** The last unpublished commit without any of its files. */
async function makeWithoutFiles(repository: Repository, { commits }: Unpublished, base: Oid | null, node: string): Promise<Oid> {
	const text = commits.at(-1)?.text ?? { author: "", committer: "", message: "" };
	const isOurs = nodesIn(text.message).length > 0;
	const message = isOurs ? `${withNodeTrailer(`${node}: leave out what the hub refuses`, node)}\n` : markedAsMade(text.message, node);
	return await commitLike(openMergeStore(repository), text, base, message, []);
}

type CommitText = Pick<Unpublished["commits"][number]["text"], "author" | "committer" | "message">;

/** Writes a commit with the people and dates of another one. */
async function commitLike(
	store: Repository,
	{ author, committer }: CommitText,
	parent: Oid | null,
	message: string,
	changes: readonly FileChange[],
): Promise<Oid> {
	const [, identity = "", date = "0"] = /^(.*) (-?\d+)$/.exec(committer) ?? [];
	const [, by = identity, authored = date] = /^(.*) (-?\d+)$/.exec(author) ?? [];
	const { commit } = await writeCommit(store, {
		parents: parent === null ? [] : [parent],
		identity,
		author: by,
		date: Math.max(0, Number(date)),
		authorDate: Math.max(0, Number(authored)),
		message: Buffer.from(message),
		tree: null,
		changes,
	});
	return commit;
}

/**
 * The merge of the remote's tip with unpublished commits that the remote once had: a person forced a push. Other nodes may have them, so they
 * are not rewritten. null: there are none.
 */
async function formerWith(context: CycleContext, { commits }: Unpublished, tip: Oid): Promise<Oid | null> {
	const { repository, config } = context;
	const isHere = new Set(commits.map(({ text }) => text.commit));
	const former = formerTips(repository, trackingRef(config.syncRemote, syncedBranch(context))).find((oid) => isHere.has(oid));
	return former === undefined ? null : (await planIntegration(repository, former, tip)).to;
}

/** The result of a round of the search. */
export interface LeftOut {
	/** The new HEAD; null: nothing was changed. */
	readonly head: Oid | null;
	/** The last known tip of the remote; null: it has no branch yet. */
	readonly tip: Oid | null;
	/** Another node pushed in between. */
	readonly isRace: boolean;
	/** It continues: at the next permitted push, or when HEAD contains the new tip. */
	readonly isWaiting: boolean;
	/** The failure that ended it: the hub refuses everything, or another one. null: none. */
	readonly error: unknown;
}

const halves = (files: readonly GitPath[]): GitPath[][] => {
	const middle = Math.ceil(files.length / 2);
	return [files.slice(0, middle), files.slice(middle)].filter((group) => group.length > 0);
};

/** The groups of a search for the files to try. */
function groupsOf(search: RefusalSearch, untried: readonly GitPath[], before: ReadonlyMap<GitPath, RefusedFile>): GitPath[][] {
	if (search.groups !== null) {
		// HEAD may have moved since the last cycle.
		const wanted = new Set(untried);
		const groups = search.groups.map((group) => group.filter((name) => wanted.has(name))).filter((group) => group.length > 0);
		const grouped = new Set(groups.flat());
		const others = untried.filter((name) => !grouped.has(name) && !search.refused.has(name));
		return others.length > 0 ? [...groups, others] : groups;
	}
	const [only] = untried;
	if (untried.length === 1 && only !== undefined) {
		// A push of this file alone was refused.
		search.refused.set(only, search.cause);
		search.isProven = before.has(only);
		return [];
	}
	const fresh = untried.filter((name) => !before.has(name));
	const again = untried.filter((name) => before.has(name));
	return fresh.length === 0 || again.length === 0 ? halves(untried) : [fresh, again];
}

/**
 * Finds by pushes of parts which unpublished files the hub refuses, publishes the rest, and rewrites the unpublished commits without those
 * files, which stay on disk and are reported. The old commits stay reachable here. Each part is a push: it keeps the push interval, and the
 * search continues in the next cycle. Commits that the remote once had stay as they are. HEAD contains a part before it is pushed: a kill
 * after the push leaves no second form of published commits here.
 * @param head the refused commit; it contains `tip`
 * @param tip the remote's tip; null: it has no branch yet
 * @param push pushes a commit, if the remote is still at the expected one. @throws GitError
 */
export async function publishWithoutRefused(
	context: CycleContext,
	search: RefusalSearch,
	head: Oid,
	tip: Oid | null,
	push: (commit: Oid, expected: Oid | null) => Promise<"pushed" | "race">,
): Promise<LeftOut> {
	const { repository, memory, config } = context;
	const rewritten = new RewrittenHead(context, head, "what the hub refuses");
	const outcome = (fields: Partial<LeftOut>): LeftOut => ({
		head: rewritten.at === head ? null : rewritten.at,
		tip,
		isRace: false,
		isWaiting: false,
		error: null,
		...fields,
	});
	const unpublished = await readUnpublished(repository, tip, head);
	if (unpublished === null) return outcome({ error: search.cause });
	const former = tip === null ? null : await formerWith(context, unpublished, tip);
	if (former !== null && memory.pace.waitToPushMs() === 0) {
		try {
			const isPushed = (await push(former, tip)) === "pushed";
			return outcome({ tip: isPushed ? former : tip, isRace: !isPushed, isWaiting: isPushed });
		} catch (failure) {
			if (!mayBeForAFile(failure)) return outcome({ error: failure });
		}
	}
	// A killed process may have found these files before it could leave them out.
	const known = refusedFiles(context);
	const knownHere = unpublished.files.filter((name) => known.has(name));
	const untried = unpublished.files.filter((name) => !known.has(name));
	if (knownHere.length + untried.length === 0) return outcome({ error: search.cause });
	search.groups = groupsOf(search, untried, refusedBefore(context));
	const { groups, refused } = search;
	/** Files that are not on the remote yet. */
	const rest = new Set(unpublished.files);
	let at: Oid | null = tip;
	let [isRace, isWaiting] = [false, false];
	let error: unknown = null;
	while (search.attempts < maxAttempts && !isRace && error === null) {
		const isOpen = !search.isProven && search.accepted === 0 && untried.length > 0;
		const isProbe = isOpen && (groups.length === 0 || search.attempts >= partsUntilProbe);
		if (groups.length === 0 && !isProbe) break;
		isWaiting = memory.pace.waitToPushMs() > 0;
		if (isWaiting) break;
		const group = isProbe ? [] : (groups.shift() ?? []);
		const commit = isProbe
			? await makeWithoutFiles(repository, unpublished, at, config.nodeName)
			: await makeAgain(repository, unpublished, at, new Set(group), config.nodeName);
		if (commit === null || commit === at) continue;
		search.attempts++;
		const others = new Set([...rest].filter((name) => !group.includes(name)));
		await rewritten.moveTo((await makeAgain(repository, unpublished, commit, others, config.nodeName)) ?? commit);
		faultPoint("refused-part");
		try {
			isRace = (await push(commit, at)) === "race";
			if (!isRace) {
				at = commit;
				search.accepted++;
				for (const name of group) rest.delete(name);
				faultPoint("refused-part-pushed");
			} else if (isProbe) error = search.cause;
			else groups.unshift(group);
		} catch (failure) {
			const [only] = group;
			if (!mayBeForAFile(failure)) {
				if (!isProbe) groups.unshift(group);
				error = failure;
			}
			// The hub refuses a commit without them, too: nothing shows that a file is the cause.
			else if (isProbe) error = search.cause;
			else if (group.length === 1 && only !== undefined) refused.set(only, failure);
			// Until the hub accepts a part, the large ones first.
			else if (search.accepted === 0) groups.push(...halves(group));
			else groups.unshift(...halves(group));
		}
	}
	// After another failure than a refusal the last part may be on the remote: HEAD keeps it.
	if (error !== null && error !== search.cause) return outcome({ tip: at, isWaiting, error });
	const isForFiles = search.accepted > 0 || search.isProven || untried.length === 0;
	const isLeftOut = isForFiles && (at !== tip || refused.size + knownHere.length > 0);
	if (!isLeftOut || !(await leaveOut(context, unpublished, rewritten, at, { refused, knownHere, groups }))) {
		await rewritten.restore();
		return outcome({ isRace: isRace && (isForFiles || error === null), isWaiting, error: isLeftOut ? search.cause : error });
	}
	refused.clear();
	return outcome({ tip: at, isRace, isWaiting, error });
}

/**
 * Moves HEAD and index to the commits rewritten on `at`; untried changes stay unpublished.
 * @returns false: nothing is left, and the remote has no branch for HEAD to return to
 */
async function leaveOut(
	context: CycleContext,
	unpublished: Unpublished,
	rewritten: RewrittenHead,
	at: Oid | null,
	found: {
		readonly refused: ReadonlyMap<GitPath, GitError>;
		readonly knownHere: readonly GitPath[];
		readonly groups: readonly GitPath[][];
	},
): Promise<boolean> {
	const { repository, config, log } = context;
	const { head } = unpublished;
	const newHead = await makeAgain(repository, unpublished, at, new Set(found.groups.flat()), config.nodeName);
	if (newHead === null) return false;
	const names = [...found.refused.keys(), ...found.knownHere];
	await rewritten.moveTo(newHead, names, () => {
		rememberRefused(context, found.refused);
		faultPoint("refused-kept");
	});
	const shown = names.slice(0, 5).map((name) => JSON.stringify(displayPath(name)));
	const commits = `${newHead.slice(0, 12)} instead of ${head.slice(0, 12)}, which is kept for 30 days`;
	if (shown.length === 0) log.info(`unpublished commits were rewritten in parts, because the hub refused the whole (${commits})`);
	else
		log.warn(
			`the hub refuses ${shown.join(", ")}${names.length > shown.length ? ", …" : ""}: unpublished commits were rewritten without ${names.length === 1 ? "it" : "them"} (${commits})`,
		);
	return true;
}
