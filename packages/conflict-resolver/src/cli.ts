import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { CommonOptions } from "@robust-sync/service/command-line";
import { createProgram, defineVerbs, Option, runProgram } from "@robust-sync/service/command-line";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { paint } from "@robust-sync/service/paint";
import { printableJson } from "@robust-sync/service/printable";
import type { ResolverContext } from "./resolver-context.ts";

interface Options extends CommonOptions {
	json?: boolean;
	dryRun?: boolean;
	side?: "ours" | "theirs" | "base";
	restore?: string;
	mergeDriver?: string;
}

const print = (text: string) => process.stdout.write(`${text}\n`);
// Fields of documents are named as in the state files.
const printJson = ({ setAside, ...value }: { schema: 1; setAside?: string | null } & Record<string, unknown>) =>
	print(printableJson({ ...value, ...(setAside === undefined ? {} : { set_aside: setAside }) }, 2));
const chalk = paint(process.stdout);

/** Without a workspace, and without a `sync/` of ours, there is no log either. */
const keepsLog = ({ isWorkspace, paths }: ResolverContext) => isWorkspace || existsSync(paths.sync);

/** Opens the workspace, runs the work, and adds code and advice to every failure; all of it is in the log file. */
async function inWorkspace<T>(options: Options, work: (context: ResolverContext) => Promise<T>): Promise<T> {
	const { failure } = await import("./failure.ts");
	let context: ResolverContext | undefined;
	try {
		const { openWorkspace } = await import("./resolver-context.ts");
		context = await openWorkspace(options);
		return await work(context);
	} catch (error) {
		const described = failure(error);
		if (context && keepsLog(context)) context.log.toFile?.("error", described instanceof Error ? described.message : String(described));
		throw described;
	} finally {
		await context?.log.close();
	}
}

async function check(options: Options): Promise<number> {
	return await inWorkspace(options, async (context) => {
		const [{ listConflicts }, { checkText }] = await Promise.all([import("./conflicts.ts"), import("./text.ts")]);
		const found = await listConflicts(context);
		if (options.json) printJson({ schema: 1, ...found });
		else print(checkText(found, chalk));
		return found.conflicts.length > 0 ? ExitCode.failed : ExitCode.ok;
	});
}

async function resolve(options: Options): Promise<void> {
	await inWorkspace(options, async (context) => {
		const [{ resolveConflicts }, { resolveText }] = await Promise.all([import("./resolve.ts"), import("./text.ts")]);
		const dryRun = options.dryRun === true;
		const report = await resolveConflicts(context, { dryRun });
		if (!dryRun && keepsLog(context)) context.log.toFile?.("info", `resolved ${report.files.length} files`, { ...report });
		if (options.json) printJson({ schema: 1, dry_run: dryRun, ...report });
		else print(resolveText(report, dryRun, chalk, context.paths.backupsText));
	});
}

async function report(options: Options): Promise<void> {
	await inWorkspace(options, async (context) => {
		const [{ makeReport }, { reportText }] = await Promise.all([import("./report.ts"), import("./text.ts")]);
		const made = await makeReport(context);
		if (options.json) printJson({ schema: 1, ...made });
		else print(reportText(made, chalk, options.workspace === undefined ? undefined : context.paths.root));
	});
}

async function abort(options: Options): Promise<void> {
	await inWorkspace(options, async (context) => {
		const [{ abortOperation }, { abortText }] = await Promise.all([import("./abort.ts"), import("./text.ts")]);
		const made = await abortOperation(context);
		if (made.aborted && keepsLog(context)) context.log.toFile?.("info", abortText(made, context.paths.backupsText));
		if (options.json) printJson({ schema: 1, ...made });
		else print(abortText(made, context.paths.backupsText));
	});
}

async function restore(options: Options, [path]: string[]): Promise<void> {
	const { side, restore: saved = "" } = options;
	if (!side) throw new CommandError("--restore needs --side ours, theirs or base; see conflict-resolver --help", ExitCode.usage);
	await inWorkspace(options, async (context) => {
		const [{ restoreVersions }, { restoreText }] = await Promise.all([import("./restore.ts"), import("./text.ts")]);
		const made = await restoreVersions(context, saved, path, side);
		context.log.toFile?.("info", restoreText(made, context.paths.backupsText));
		if (options.json) printJson({ schema: 1, ...made });
		else print(restoreText(made, context.paths.backupsText));
	});
}

async function mergeDriver(options: Options, [ours = "", theirs = "", path = ""]: string[]): Promise<void> {
	const [{ runMergeDriver }, { failure }] = await Promise.all([import("./merge-driver.ts"), import("./failure.ts")]);
	try {
		await runMergeDriver({ base: options.mergeDriver ?? "", ours, theirs, path }, process.cwd());
	} catch (error) {
		throw failure(error);
	}
}

async function install(options: Options): Promise<void> {
	await inWorkspace(options, async ({ repository, paths }) => {
		(await import("@robust-sync/system/own-directory")).assertOurWorkspace(paths.root);
		const { installDriver } = await import("./install-driver.ts");
		// This file is bundled into dist/; the executable is beside it.
		await installDriver(repository, fileURLToPath(new URL("../bin/conflict-resolver", import.meta.url)));
		if (options.json) printJson({ schema: 1, installed: true });
		else print("git merge, rebase and cherry-pick in this repository merge by kind now; take it back with --uninstall-driver");
	});
}

async function uninstall(options: Options): Promise<void> {
	await inWorkspace(options, async ({ repository, paths }) => {
		(await import("@robust-sync/system/own-directory")).assertOurWorkspace(paths.root);
		const { uninstallDriver } = await import("./install-driver.ts");
		const removed = await uninstallDriver(repository);
		if (options.json) printJson({ schema: 1, installed: false, removed });
		else print(removed ? "the merge driver is removed from this repository" : "the merge driver was not installed here");
	});
}

const program = createProgram("conflict-resolver", "Resolves git conflicts by the kind of each file, and keeps both versions.")
	.option("--json", "print the result as one JSON document")
	.option("--dry-run", "with --resolve: print the plan, and change nothing")
	.addOption(new Option("--side <side>", "with --restore: whose version").choices(["ours", "theirs", "base"]));

const needsVerb = () => {
	throw new CommandError(
		"no mode is given: use --check, --resolve, --report, --abort or --restore; see conflict-resolver --help",
		ExitCode.usage,
	);
};

defineVerbs<Options>(
	program,
	[
		{ flags: "--check", description: "list conflicts; exit 1 if there are any", options: ["--json"], run: check },
		{
			flags: "--resolve",
			description: "resolve everything that is open and commit it; nothing is pushed",
			options: ["--json", "--dry-run"],
			run: resolve,
		},
		{ flags: "--report", description: "list unresolved paths and saved versions", options: ["--json"], run: report },
		{
			flags: "--abort",
			description: "return to the state before the merge; files changed since are backed up",
			options: ["--json"],
			run: abort,
		},
		{
			flags: "--restore <saved>",
			description: "put saved versions back as a new change; 'latest' is the newest",
			options: ["--json", "--side"],
			operands: { usage: "SAVED [PATH] --side ours|theirs|base", min: 0, max: 1 },
			run: restore,
		},
		{
			flags: "--merge-driver <base>",
			description: "merge one file for git",
			operands: { usage: "%O %A %B %P", min: 3, max: 3 },
			run: mergeDriver,
		},
		{ flags: "--install-driver", description: "let git's own merges in this repository use it", options: ["--json"], run: install },
		{ flags: "--uninstall-driver", description: "take that back", options: ["--json"], run: uninstall },
	],
	{ run: needsVerb },
);

await runProgram(program);
