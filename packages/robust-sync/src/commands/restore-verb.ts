import fs from "node:fs";
import path from "node:path";
import {
	directoriesAbove,
	displayPath,
	fileSystemPath,
	type GitPath,
	type Oid,
	type Repository,
	readHead,
	readObjects,
	readStatus,
} from "@robust-sync/git";
import {
	commitAt,
	pathFields,
	planRestore,
	type RestoredPath,
	realPath,
	resolveMoment,
	restoreChanges,
	restoreTrailer,
	selectedPath,
} from "@robust-sync/history";
import { currentDirectory } from "@robust-sync/service/exact-operands";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { printable, shellPath } from "@robust-sync/service/printable";
import { counted } from "@robust-sync/system/counted";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { type Config, neverCommitted, readState, syncStateSchema, type WorkspacePaths } from "@robust-sync/workspace";
import { openWorkspaceRepository } from "../context/cycle-context.ts";
import { approvalFor, commitChanges, type Task } from "../cycle/task.ts";
import { excludedText } from "../snapshot/excluded.ts";
import { type Options, print, printJson } from "./options.ts";

/** A task for a cycle; or the result if it is done already. */
export type Request = { readonly task: null; readonly exitCode: number } | { readonly task: Task; isDone(): boolean; report(): void };

/** `heldBack`: files that were not restored, because the version on disk is in no commit (it holds a secret, is too large, …). */
type Outcome = Awaited<ReturnType<typeof planRestore>> & { readonly heldBack: readonly GitPath[] };

const actions = { restore: "restore", replace: "replace", remove: "remove" } as const satisfies Record<RestoredPath["action"], string>;

function report(paths: WorkspacePaths, options: Options, from: Oid, outcome: Outcome, isDryRun: boolean): void {
	const { changes, blocked, heldBack } = outcome;
	const left = blocked.length + heldBack.length;
	if (options.json) {
		printJson({
			schema: 1,
			dry_run: isDryRun,
			from,
			files: changes.map(({ path: name, action }) => ({ ...pathFields(name), action })),
			blocked: [...blocked, ...heldBack].map(displayPath),
		});
		refuseNothing(changes.length, left);
		return;
	}
	for (const { path: name, action } of changes)
		print(`${isDryRun ? "would " : ""}${actions[action].padEnd(8)} ${printable(displayPath(name))}`);
	for (const name of blocked) print(`left     ${printable(displayPath(name))}: another file or directory is in its place: name that, too`);
	for (const name of heldBack)
		print(`left     ${printable(displayPath(name))}: the present version is in no commit (see robust-sync --status): move it away first`);
	refuseNothing(changes.length, left);
	if (changes.length === 0) print(`nothing to do: as at ${from.slice(0, 12)}`);
	else if (!isDryRun)
		print(
			`as at ${from.slice(0, 12)}: ${counted(changes.length, "file")}; the replaced versions are in history and in ${paths.backupsText}/`,
		);
}

/** A command that restores none of the requested files must fail. @throws CommandError */
function refuseNothing(changed: number, blocked: number): void {
	if (changed === 0 && blocked > 0)
		throw new CommandError("nothing is restored: move away what is in place of the files, or name it, too", ExitCode.failed);
}

function refuseUnknown(unknown: readonly GitPath[], at: string): void {
	if (unknown.length === 0) return;
	const names = unknown.slice(0, 5).map((name) => JSON.stringify(displayPath(name)));
	throw new CommandError(
		`${names.join(", ")}${unknown.length > names.length ? ", …" : ""}: not found at ${at}, nor now: see robust-sync --history PATH`,
		ExitCode.failed,
	);
}

/** Checks the request. @throws CommandError, MomentError, PathError, GitError */
export async function prepareRestore(
	paths: WorkspacePaths,
	config: Config,
	options: Options,
	operands: readonly string[],
): Promise<Request> {
	const at = options.at;
	if (at === undefined) throw new CommandError("--restore takes --at TIME: a duration (2h), a date, or a commit", ExitCode.usage);
	const repository = await openWorkspaceRepository(paths, config);
	const names = operands.map((operand) => selectedPath(repository.root, currentDirectory(), operand));
	const from = await commitAt(repository, await resolveMoment(repository, at, Date.now()));
	if (from === null)
		throw new CommandError(
			repository.isShallow
				? `this clone is shallow and has no commit from ${printable(at)} or before: git fetch --unshallow brings them`
				: `there was no commit yet at ${printable(at)}: the oldest is shown by robust-sync --history --limit 1000000`,
			ExitCode.failed,
		);
	const question = { from, paths: names, deletedOnly: options.deletedOnly === true };
	if (options.to !== undefined) return { task: null, exitCode: await restoreTo(repository, options, question) };
	if (options.dryRun) {
		const { oid: head } = await readHead(repository);
		const outcome = await planRestore(repository, { ...question, head: head ?? repository.emptyTree });
		refuseUnknown(outcome.unknown, at);
		report(paths, options, from, await withUncommitted(repository, question, outcome, leftOut(paths)), true);
		return { task: null, exitCode: ExitCode.ok };
	}
	let outcome: Outcome | null = null;
	let elsewhere: string | null = null;
	return {
		async task(context, head) {
			const plan = await planRestore(context.repository, { ...question, head });
			refuseUnknown(plan.unknown, at);
			const heldBack = await heldBackOf(context.repository, question);
			const changes = restoreChanges(plan.changes);
			const about = `${counted(plan.changes.length, "file")} as at ${from.slice(0, 12)}`;
			const trailers = `${approvalFor(context, head, changes)}${restoreTrailer}: ${from}\n`;
			const done =
				changes.length === 0
					? null
					: await commitChanges(context, head, `${context.config.nodeName}: restore ${about}\n\n${trailers}`, changes);
			elsewhere = await excludedText(
				context,
				plan.changes.map((change) => change.path),
			);
			outcome = { ...plan, heldBack };
			return done;
		},
		isDone: () => outcome !== null,
		report() {
			if (outcome === null) return;
			report(paths, options, from, outcome, false);
			if (elsewhere !== null && !options.json) print(elsewhere);
		},
	};
}

interface Question {
	readonly from: Oid;
	readonly paths: readonly GitPath[];
	readonly deletedOnly: boolean;
}

/** The paths that the last cycle left out of its commit. */
function leftOut(paths: WorkspacePaths): ReadonlySet<string> {
	const read = readState(paths.syncState, syncStateSchema);
	return new Set(read.kind === "ok" ? read.state.skipped.map((file) => file.path) : []);
}

/** The files to be restored that still have a change which the last snapshot did not commit. @throws GitError */
async function heldBackOf(repository: Repository, question: Question): Promise<GitPath[]> {
	if (question.deletedOnly) return [];
	const { entries } = await readStatus(repository);
	const changed = entries.filter(({ worktree }) => worktree === "M" || worktree === "T").map((entry) => entry.path);
	if (changed.length === 0) return [];
	const { changes } = await planRestore(repository, { ...question, head: repository.emptyTree });
	const wanted = new Set(changes.map((change) => change.path));
	return changed.filter((name) => wanted.has(name));
}

/** An uncommitted change differs from the version to restore, unless that is known to be equal without a read. */
async function withUncommitted(
	repository: Repository,
	question: Question,
	outcome: Omit<Outcome, "heldBack">,
	left: ReadonlySet<string>,
): Promise<Outcome> {
	const { entries } = await readStatus(repository);
	const whole = await planRestore(repository, { ...question, deletedOnly: false, head: repository.emptyTree });
	const known = new Map(outcome.changes.map((change) => [change.path, change]));
	const wanted = new Map(whole.changes.map((change) => [change.path, change]));
	const heldBack: GitPath[] = [];
	for (const { path: name, worktree, kind } of entries) {
		const change = wanted.get(name);
		const isGone = worktree === "D";
		if (left.has(displayPath(name)) && !isGone) {
			if (change && !question.deletedOnly) heldBack.push(name);
		} else if (change && (isGone || !question.deletedOnly)) known.set(name, { ...change, action: isGone ? "restore" : "replace" });
		else if (
			kind === "untracked" &&
			!change &&
			!question.deletedOnly &&
			question.paths.some((one) => one === "" || name === one || name.startsWith(`${one}/`))
		)
			known.set(name, { path: name, action: "remove", entry: null });
	}
	return { ...outcome, changes: [...known.values()].sort((a, b) => (a.path < b.path ? -1 : 1)), heldBack };
}

/** Writes the files into another directory; existing files stay. */
async function restoreTo(
	repository: Repository,
	options: Options,
	{ from, paths: names }: { readonly from: Oid; readonly paths: readonly GitPath[] },
): Promise<number> {
	const { changes, unknown } = await planRestore(repository, { from, paths: names, head: repository.emptyTree });
	refuseUnknown(unknown, from.slice(0, 12));
	const directory = path.resolve(currentDirectory(), options.to ?? "");
	if (/\p{Cs}/u.test(directory))
		throw new CommandError(`--to ${shellPath(directory)}: its name is not UTF-8: name another directory`, ExitCode.usage);
	refuseOwnPlace(repository, directory);
	const files = changes.flatMap(({ path: name, entry }) => (entry !== null && entry.mode !== "160000" ? [{ name, ...entry }] : []));
	refuseTaken(directory, files);
	if (!options.dryRun) {
		let index = 0;
		try {
			await readObjects(
				repository,
				files.map(({ oid }) => oid),
				(_oid, content) => {
					const { name, mode } = files[index++] as (typeof files)[number];
					writeNew(directory, name, mode, content);
				},
			);
		} catch (error) {
			throw notWritten(directory, error);
		}
	}
	if (options.json)
		printJson({
			schema: 1,
			dry_run: options.dryRun === true,
			from,
			to: directory,
			files: files.map(({ name }) => ({ ...pathFields(name), action: "restore" })),
			blocked: [],
		});
	else {
		for (const { name } of files) print(`${options.dryRun ? "would " : ""}restore  ${printable(path.join(directory, displayPath(name)))}`);
	}
	return ExitCode.ok;
}

/** Refuses to overwrite existing files, and a `--to` that cannot be a directory, before anything is written. @throws CommandError */
function refuseTaken(directory: string, files: readonly { readonly name: GitPath }[]): void {
	for (let at = directory; at !== path.dirname(at); at = path.dirname(at)) {
		const isLink = lstatIfThere(at)?.isSymbolicLink() ?? false;
		const found = fs.existsSync(at) ? fs.statSync(at) : null;
		if (found?.isDirectory()) break;
		if (found !== null || isLink)
			throw new CommandError(
				`--to ${shellPath(directory)}: ${printable(at)} is ${found === null ? "a link to nothing" : "no directory"}: nothing was written; name another directory`,
				ExitCode.failed,
			);
	}
	const taken = files.find(({ name }) => {
		const places = [name, ...directoriesAbove(name)].map((one) => lstatIfThere(fileSystemPath(directory, one)));
		return places.some((stats, index) => stats !== null && (index === 0 || !stats.isDirectory()));
	});
	if (taken)
		throw new CommandError(
			`${printable(displayPath(taken.name))} is in ${printable(directory)} already, or something has its place: nothing was written; name another directory`,
			ExitCode.failed,
		);
}

/** A system error, with the remedy. */
function notWritten(directory: string, error: unknown): unknown {
	const { code, message, syscall } = error as NodeJS.ErrnoException;
	if (code === undefined || syscall === undefined || code === "ENOSPC" || code === "EDQUOT" || code === "EROFS") return error;
	return new CommandError(
		`--to ${shellPath(directory)}: cannot write there (${printable(message)}); what is there already is whole: name another directory`,
		ExitCode.failed,
		{ cause: error },
	);
}

/** git's own directory and ours contain no user files. @throws CommandError */
function refuseOwnPlace(repository: Repository, directory: string): void {
	const real = realPath(directory);
	const isIn = (place: string) => `${real}/`.startsWith(`${realPath(place)}/`);
	if ([repository.gitDirectory, repository.commonDirectory].some(isIn))
		throw new CommandError("--to takes a directory outside of git's own", ExitCode.usage);
	const own = neverCommitted.find((name) => isIn(path.join(repository.root, name)));
	if (own !== undefined)
		throw new CommandError(`--to ${shellPath(directory)} is robust-sync's own place: name a directory outside of ${own}`, ExitCode.usage);
}

/** Node's own recursive mkdir never ends if a parent exists in which no directory can be made (below /proc). @throws the system's error */
function makeDirectories(directory: Buffer): void {
	try {
		fs.mkdirSync(directory);
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "EEXIST" && fs.statSync(directory).isDirectory()) return;
		const parent = directory.subarray(0, Math.max(1, directory.lastIndexOf(0x2f)));
		if (code !== "ENOENT" || fs.existsSync(parent)) throw error;
		makeDirectories(parent);
		fs.mkdirSync(directory);
	}
}

/** Creates a file; never writes to an existing one, nor follows a link at the path. */
function writeNew(directory: string, name: GitPath, mode: string, content: Buffer): void {
	const file = fileSystemPath(directory, name);
	makeDirectories(file.subarray(0, file.lastIndexOf(0x2f)));
	if (mode === "120000") fs.symlinkSync(content, file);
	else fs.writeFileSync(file, content, { flag: "wx", mode: mode === "100755" ? 0o777 : 0o666 });
}
