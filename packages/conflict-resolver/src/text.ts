import { operationText } from "@robust-sync/git";
import { printable, shellPath, shellWord } from "@robust-sync/service/printable";
import { formatSize } from "@robust-sync/system/format-size";
import { sideText as nameOfSide, winnerText } from "@robust-sync/workspace";
import type { ChalkInstance } from "chalk";
import type { AbortReport } from "./abort.ts";
import type { Conflict, ConflictSide, UnresolvedConflicts } from "./conflicts.ts";
import type { Report, SavedResolution } from "./report.ts";
import type { ResolveReport } from "./resolve-report.ts";
import type { RestoreReport } from "./restore.ts";

const count = (n: number, one: string) => `${n} ${one}${n === 1 ? "" : "s"}`;
/** More directories than this are counted, not listed. */
const maxListedResolutions = 20;

/** `2026-02-18 02:00:00 UTC` */
const timeText = (at: string) => `${at.slice(0, 10)} ${at.slice(11, 19)} UTC`;

function sideText(name: string, side: ConflictSide | null): string {
	if (!side) return `${name}: deleted`;
	return `${name}: ${formatSize(side.size)}, ${side.at ? timeText(side.at) : "not committed"}`;
}

/** The planned strategy for a path, in words. */
const kindText: Readonly<Record<string, string>> = {
	json: "merged as JSON",
	records: "merged record by record",
	append: "both tails kept",
	prose: "merged as text, both versions of a paragraph kept",
	code: "merged line by line, the later side's where both changed",
	later: "the later file whole",
	"kept-modified": "the changed version kept",
	"both-names": "both kept, under two names",
	"by-hand": "resolved by hand",
	driver: "merged by the merge driver",
};

function conflictLine({ path, type, kind, ours, theirs }: Conflict, paint: ChalkInstance): string {
	return `  ${paint.bold(printable(path))}  ${type}\n    ${sideText("ours", ours)}; ${sideText("theirs", theirs)}\n    will be ${kindText[kind] ?? printable(kind)}`;
}

const openText = (operation: UnresolvedConflicts["operation"]) =>
	operation === null ? "" : `${operationText(operation)} is in progress: `;

/** `--check` */
export function checkText({ operation, conflicts }: UnresolvedConflicts, paint: ChalkInstance): string {
	if (conflicts.length === 0) return `${openText(operation)}no conflicts`;
	return [
		`${openText(operation)}${count(conflicts.length, "conflict")}`,
		...conflicts.map((conflict) => conflictLine(conflict, paint)),
		"resolve with: conflict-resolver --resolve",
	].join("\n");
}

function resolutionText({ name, resolved_at, merge_commit, files }: SavedResolution, paint: ChalkInstance): string[] {
	const head = `  ${timeText(resolved_at)}  ${paint.bold(name)}${merge_commit ? `  commit ${merge_commit.slice(0, 12)}` : ""}`;
	if (files === null) return [head, "    the manifest is missing"];
	return [
		head,
		...files
			.filter(({ saved }) => saved.length > 0)
			.map((file) => {
				const { path, type, strategy, saved } = file;
				const sides = (["ours", "theirs", "base"] as const).filter((side) => saved.some((name) => name.endsWith(`.${side}`)));
				const listed = sides.map((side) => printable(nameOfSide(file, side))).join(", ");
				return `    ${printable(path)}  ${type}: ${printable(winnerText(file))} (${kindText[strategy] ?? printable(strategy)}); saved: ${listed}`;
			}),
	];
}

/** A command to paste into a shell, for any file name. */
function restoreCommand(saved: string, path: string, side: string, workspace: string | undefined): string {
	const word = shellPath(path);
	const where = workspace === undefined ? "" : ` --workspace ${shellWord(workspace)}`;
	// Quotes around every name, as an example for names that need them.
	const quoted = word === path ? `'${path}'` : word;
	if (path.startsWith("-")) return `conflict-resolver --side ${side}${where} --restore ${saved} -- ${quoted}`;
	return `conflict-resolver --restore ${saved} ${quoted} --side ${side}${where}`;
}

/** `--report` @param workspace as it was named on the command line, so that the printed command works in any directory */
export function reportText({ unresolved, saved }: Report, paint: ChalkInstance, workspace?: string): string {
	const lines = [
		paint.bold("Unresolved"),
		checkText(unresolved, paint).replace(/^(?! )/gm, "  "),
		"",
		paint.bold("Resolved, with versions saved in sync/conflicts/"),
	];
	if (saved.length === 0) lines.push("  none");
	for (const resolution of saved.slice(0, maxListedResolutions)) lines.push(...resolutionText(resolution, paint));
	if (saved.length > maxListedResolutions) lines.push(`  and ${saved.length - maxListedResolutions} older`);
	const example = saved.find(({ files }) => files?.some((file) => file.saved.length > 0));
	const file = example?.files?.find((candidate) => candidate.saved.length > 0);
	if (example && file) {
		lines.push(
			"",
			"To get a version back:",
			`  ${restoreCommand(example.name, file.path, file.winner === "ours" ? "theirs" : "ours", workspace)}`,
		);
	}
	return lines.join("\n");
}

/** `--resolve`, and with `dryRun` its plan. @param backups the directory of backups, relative to the workspace; so below */
export function resolveText(
	{ operation, commit, files, saved, setAside, next }: ResolveReport,
	dryRun: boolean,
	paint: ChalkInstance,
	backups = "sync/backups",
): string {
	const lines = files.map(
		({ path, type, strategy, winner }) =>
			`${dryRun ? "would resolve" : "resolved"}  ${paint.bold(printable(path))}  ${type}: ${winnerText({ winner, strategy })} (${kindText[strategy] ?? printable(strategy)})`,
	);
	for (const name of saved) lines.push(`the versions are in sync/conflicts/${name}`);
	if (setAside) lines.push(`the replaced files are in ${backups}/${setAside}`);
	if (commit) lines.push(`committed as ${commit.slice(0, 12)}${operation === "merge" ? ": the merge is complete" : ""}`);
	if (next && !dryRun)
		lines.push(`${files.length > 0 ? "everything is resolved and staged" : "nothing is unresolved"}; go on with: ${next}`);
	return lines.length > 0 ? lines.join("\n") : "nothing to resolve";
}

/** `--abort` */
export function abortText({ operation, aborted, setAside }: AbortReport, backups = "sync/backups"): string {
	if (!aborted) return "nothing to abort: no merge is in progress";
	const outcome = operation === null ? "the unmerged paths are as before" : `the ${operation} is aborted`;
	return setAside ? `${outcome}; the previous files are in ${backups}/${setAside}` : outcome;
}

/** `--restore` */
export function restoreText({ from, side, restored, removed, setAside }: RestoreReport, backups = "sync/backups"): string {
	return [
		...restored.map((path) => `restored ${printable(path)} (${side}, ${printable(from)})`),
		...removed.map((path) => `removed ${printable(path)}: ${side} did not have it`),
		...(setAside ? [`the replaced files are in ${backups}/${setAside}`] : []),
		"the next sync commits it",
	].join("\n");
}
