import {
	displayPath,
	type GitPath,
	type Oid,
	openMergeStore,
	type Repository,
	readHead,
	walkCommits,
	workspaceRoot,
} from "@robust-sync/git";
import { cutOffCommits, type HistoryEntry, pathFields, planUndo, readHistory, type UndoPlan, undoTrailer } from "@robust-sync/history";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { printable } from "@robust-sync/service/printable";
import { counted } from "@robust-sync/system/counted";
import type { Config, WorkspacePaths } from "@robust-sync/workspace";
import { openWorkspaceRepository } from "../context/cycle-context.ts";
import { approvalFor, commitChanges } from "../cycle/task.ts";
import { excludedText } from "../snapshot/excluded.ts";
import { isKnownPath, momentAsked, nodeAsked, splitOperands } from "./history-verb.ts";
import { type Options, print, printJson } from "./options.ts";
import type { Request } from "./restore-verb.ts";

/** Refuses the oldest commits of a shallow clone: their changes are unknown, and all older files would count as added by them. @throws CommandError */
function refuseCutOff(repository: Repository, commits: readonly Named[]): void {
	const cutOff = cutOffCommits(repository);
	const found = commits.find(({ commit }) => cutOff.has(commit));
	if (found)
		throw new CommandError(
			`this clone is shallow, and ${found.commit.slice(0, 12)} is where it begins: what it changed is not known here; git fetch --unshallow brings the rest, or ask for later commits`,
			ExitCode.failed,
		);
}

/** Above this number only the newest and the oldest are named. */
const maxTrailers = 100;

const reasons = {
	"later-work": "left: undoing it would remove later work",
	part: "undone, except for later changes",
} as const;

const isRoot = (name: GitPath) => name === workspaceRoot;

type Named = Pick<HistoryEntry, "commit" | "parents">;

/** Single commits in the order of their undoing. @throws CommandError if one is a merge, or not of this history */
async function namedCommits(repository: Repository, head: Oid, commits: readonly Oid[]): Promise<Named[]> {
	const wanted = new Set(commits);
	const walked = (await walkCommits(openMergeStore(repository), null, head)).filter(({ commit }) => wanted.has(commit)).reverse();
	const missing = commits.find((commit) => !walked.some((one) => one.commit === commit));
	if (missing !== undefined) throw new CommandError(`${missing.slice(0, 12)} is not in the history of this branch`, ExitCode.failed);
	const merge = walked.find(({ parents }) => parents.length > 1);
	if (merge)
		throw new CommandError(
			`${merge.commit.slice(0, 12)} is a merge and cannot be undone: name the commits that it brought (robust-sync --history)`,
			ExitCode.usage,
		);
	return walked;
}

function report(options: Options, { changes, left, undone }: UndoPlan, isDryRun: boolean): void {
	if (options.json) {
		printJson({
			schema: 1,
			dry_run: isDryRun,
			undone,
			files: changes.map((change) => ({ ...pathFields(change.path), action: "delete" in change ? "remove" : "write" })),
			left: left.map(({ path, commit, reason }) => ({ ...pathFields(path), commit, reason })),
		});
		return;
	}
	for (const change of changes)
		print(`${isDryRun ? "would " : ""}${"delete" in change ? "remove" : "write "} ${printable(displayPath(change.path))}`);
	for (const { path, commit, reason } of left) print(`${printable(displayPath(path))} (${commit.slice(0, 12)}): ${reasons[reason]}`);
	if (changes.length === 0) print("nothing to do");
	else if (!isDryRun) print(`${counted(undone.length, "commit")} undone, ${counted(changes.length, "file")} changed`);
}

/** Checks the request. @throws CommandError, MomentError, PathError, GitError */
export async function prepareUndo(paths: WorkspacePaths, config: Config, options: Options, operands: readonly string[]): Promise<Request> {
	const now = Date.now();
	const repository = await openWorkspaceRepository(paths, config);
	const { oid: start } = await readHead(repository);
	if (start === null) throw new CommandError("there is no commit yet", ExitCode.failed);
	const named = await splitOperands(repository, operands, now);
	const node = nodeAsked(options);
	const [since, until] = [await momentAsked(repository, options.since, now), await momentAsked(repository, options.until, now)];
	const isPeriod = node !== null || since !== null || until !== null;
	if (named.commits.length > 0 && (isPeriod || options.all))
		throw new CommandError("--undo takes commits, or --by, --since and --until; not both", ExitCode.usage);
	for (const name of named.paths)
		if (!(await isKnownPath(repository, name)))
			throw new CommandError(
				`there is no commit and no file ${JSON.stringify(displayPath(name))} here: see robust-sync --history`,
				ExitCode.failed,
			);
	if (named.commits.length === 0 && !isPeriod)
		throw new CommandError("--undo takes commits, --by NODE, --since TIME or --until TIME: see robust-sync --history", ExitCode.usage);
	const isBounded = since !== null || until !== null || named.commits.length > 0 || (named.paths.length > 0 && !named.paths.some(isRoot));
	if (!isBounded && !options.all && !options.dryRun)
		throw new CommandError(
			`--undo --by ${printable(node ?? "NODE")} alone undoes all changes of the node: add --since TIME (2h, a date, a commit), or --all to confirm; --dry-run lists them`,
			ExitCode.usage,
		);
	const wholePaths = named.paths.some(isRoot) ? [] : named.paths;
	// Chosen once: commits of a concurrent cycle were not meant.
	const commits: readonly Named[] =
		named.commits.length > 0
			? await namedCommits(repository, start, named.commits)
			: (await readHistory(repository, { head: start, paths: wholePaths, since, until, node, inOrder: true, quick: true })).filter(
					({ kind }) => kind !== "merge" && kind !== "message" && kind !== "approve" && kind !== "reject",
				);
	refuseCutOff(repository, commits);
	const plan = async (head: Oid) => await planUndo(repository, { head, commits, paths: wholePaths });
	if (options.dryRun) {
		report(options, await plan(start), true);
		return { task: null, exitCode: ExitCode.ok };
	}
	let outcome: UndoPlan | null = null;
	let elsewhere: string | null = null;
	return {
		async task(context, head) {
			const result = await plan(head);
			const { changes, undone } = result;
			const shown = undone.length > maxTrailers ? [undone[0], undone.at(-1)] : undone;
			const trailers = `${approvalFor(context, head, changes)}${shown.map((commit) => `${undoTrailer}: ${commit}\n`).join("")}`;
			const subject = `${context.config.nodeName}: undo ${counted(undone.length, "commit")} (${counted(changes.length, "file")})`;
			const done = changes.length === 0 ? null : await commitChanges(context, head, `${subject}\n\n${trailers}`, changes);
			elsewhere = await excludedText(
				context,
				changes.map((change) => change.path),
			);
			outcome = result;
			return done;
		},
		isDone: () => outcome !== null,
		report() {
			if (outcome === null) return;
			report(options, outcome, false);
			if (elsewhere !== null && !options.json) print(elsewhere);
		},
	};
}
