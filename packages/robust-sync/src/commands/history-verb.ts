import { displayPath, fileSystemPath, type GitPath, type Oid, type Repository, readHead, workspaceRoot } from "@robust-sync/git";
import {
	commitAt,
	type HistoryEntry,
	historyDocument,
	type Moment,
	patchOf,
	readHistory,
	resolveMoment,
	selectedPath,
	totalsOf,
} from "@robust-sync/history";
import { currentDirectory } from "@robust-sync/service/exact-operands";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { printable } from "@robust-sync/service/printable";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { type Config, isNodeName, readState, syncStateSchema, type WorkspacePaths } from "@robust-sync/workspace";
import { openWorkspaceRepository } from "../context/cycle-context.ts";
import { type Options, print, printJson } from "./options.ts";

const defaultLimit = 50;
/** Lines in one write. */
const printedAtOnce = 1_000;
/** An entry names this many files; the others are counted. */
const namedFiles = 3;

/** @throws CommandError (2) if `--by` is not the name of a node */
export function nodeAsked({ by }: Options): string | null {
	if (by !== undefined && !isNodeName(by) && by.length > 100) throw new CommandError(`--by takes the name of a node`, ExitCode.usage);
	return by ?? null;
}

/** The moment in a flag; null: the flag is absent. @throws MomentError, GitError */
export async function momentAsked(repository: Repository, text: string | undefined, now: number): Promise<Moment | null> {
	return text === undefined ? null : await resolveMoment(repository, text, now);
}

/** Whether a file or directory exists, or ever existed, at a path. @throws GitError */
export async function isKnownPath(repository: Repository, name: GitPath): Promise<boolean> {
	if (name === workspaceRoot || lstatIfThere(fileSystemPath(repository.root, name)) !== null) return true;
	const { oid: head } = await readHead(repository);
	return head !== null && (await readHistory(repository, { head, paths: [name], limit: 1, quick: true })).length > 0;
}

/** Whether a text looks like a commit: an id or HEAD, or an ancestor of one (`~2`, `^`). */
const isRevision = (text: string) => /^(HEAD|[0-9a-f]{7,64})([~^]\d*)*$/.test(text);

/** Separates paths and commits among the operands; a commit wins over a path. @throws PathError, CommandError if an operand looks like a commit and is neither */
export async function splitOperands(
	repository: Repository,
	operands: readonly string[],
	now: number,
): Promise<{ commits: Oid[]; paths: GitPath[] }> {
	const commits: Oid[] = [];
	const paths: GitPath[] = [];
	for (const operand of operands) {
		const moment = isRevision(operand) ? await resolveMoment(repository, operand, now).catch(() => null) : null;
		if (moment?.kind === "commit") {
			commits.push((await commitAt(repository, moment)) ?? "");
			continue;
		}
		const name = selectedPath(repository.root, currentDirectory(), operand);
		const [first = "", last = ""] = operand.split(/\.{2,3}/);
		const isRange = isRevision(first) && isRevision(last);
		if (isRange && !(await isKnownPath(repository, name)))
			throw new CommandError(`${operand} is a range: give --since ${first} --until ${last} instead`, ExitCode.usage);
		if (isRevision(operand) && (operand.startsWith("HEAD") || !(await isKnownPath(repository, name))))
			throw new CommandError(`there is no commit ${operand} here, and no file of that name: see robust-sync --history`, ExitCode.failed);
		paths.push(name);
	}
	return { commits, paths };
}

/** In UTC, with the zone: --at and --since accept it in this form. */
const when = (at: number) => `${new Date(at).toISOString().slice(0, 19).replace("T", " ")}Z`;

function filesText(entry: HistoryEntry): string {
	const { files } = entry;
	if (files.length === 0) return "";
	const totals = totalsOf(files);
	const counts = (["added", "changed", "renamed", "deleted"] as const).flatMap((change) =>
		totals[change] > 0 ? [`${totals[change]} ${change}`] : [],
	);
	const shown = files.slice(0, namedFiles).map(({ path, from }) => {
		const name = printable(displayPath(path));
		return from === null ? name : `${printable(displayPath(from))} → ${name}`;
	});
	const names = files.length > shown.length ? [...shown, "…"] : shown;
	return `${counts.join(", ")} (+${totals.lines_added} −${totals.lines_deleted}): ${names.join(", ")}`;
}

/** One entry for people: a line, and its note below. */
function formatEntry(entry: HistoryEntry, kind: string): string {
	const { at, node, commit, subject, text, agent, run } = entry;
	const what = filesText(entry) || printable(subject);
	const lines = [`${when(at)}  ${printable(node).padEnd(10)}  ${kind.padEnd(7)}  ${commit.slice(0, 12)}  ${what}`];
	const who = [agent === null ? "" : `agent ${agent}`, run === null ? "" : `run ${run}`].filter((part) => part !== "").join(", ");
	if (who !== "") lines.push(`    ${printable(who)}`);
	if (text !== "") for (const line of text.split("\n")) lines.push(line.trim() === "" ? "" : `    ${printable(line)}`);
	return lines.join("\n");
}

/** Prints the history. @returns the exit code @throws MomentError, PathError, GitError */
export async function showHistory(paths: WorkspacePaths, config: Config, options: Options, operands: readonly string[]): Promise<number> {
	const now = Date.now();
	const repository = await openWorkspaceRepository(paths, config);
	const { oid: head } = await readHead(repository);
	const names = operands
		.map((operand) => selectedPath(repository.root, currentDirectory(), operand))
		.filter((name) => name !== workspaceRoot);
	const entries =
		head === null
			? []
			: await readHistory(repository, {
					head,
					paths: names,
					since: await momentAsked(repository, options.since, now),
					until: await momentAsked(repository, options.until, now),
					node: nodeAsked(options),
					agent: options.agent ?? null,
					run: options.run ?? null,
					limit: options.limit ?? defaultLimit,
					quick: true,
				});
	const state = readState(paths.syncState, syncStateSchema);
	const held = new Set((state.kind === "ok" ? (state.state.held ?? []) : []).map(({ commit }) => commit));
	const kindOf = ({ commit, kind }: HistoryEntry) => (held.has(commit) ? "held" : kind);
	const documents: unknown[] = [];
	const lines: string[] = [];
	for (const entry of entries) {
		const patch = options.diff ? await patchOf(repository, entry, names) : null;
		if (options.json) documents.push({ ...historyDocument(entry), kind: kindOf(entry), ...(patch === null ? {} : { diff: patch }) });
		else {
			lines.push(formatEntry(entry, kindOf(entry)));
			for (const line of patch?.split("\n") ?? []) lines.push(line.split("\t").map(printable).join("\t"));
			if (lines.length >= printedAtOnce) print(lines.splice(0).join("\n"));
		}
	}
	if (lines.length > 0) print(lines.join("\n"));
	if (options.json) printJson({ schema: 1, entries: documents });
	else if (entries.length === 0) print("nothing");
	return ExitCode.ok;
}
