import { existsSync } from "node:fs";
import { createProgram, defineVerbs, notEmpty, runProgram, wholeNumber } from "@robust-sync/service/command-line";
import { paint } from "@robust-sync/service/paint";
import { printable } from "@robust-sync/service/printable";
import { sharesPidNamespace } from "@robust-sync/system/process-table";
import { locateWorkspace } from "@robust-sync/workspace/locate";
import { WorkspacePaths } from "@robust-sync/workspace/paths";
import { readProgress } from "@robust-sync/workspace/progress";
import { readState } from "@robust-sync/workspace/read-state";
import { syncStateSchema } from "@robust-sync/workspace/state-schemas";
import { type Options, print } from "./commands/options.ts";
import { formatStatus, notRunning, reportStatus, statusDocument } from "./commands/status-report.ts";

async function status(options: Options): Promise<number> {
	const paths = new WorkspacePaths(locateWorkspace({ flag: options.workspace }));
	const read = readState(paths.syncState, syncStateSchema);
	let report = reportStatus(read, Date.now());
	// If the process is in another pid namespace, only its lock decides, in both directions: the state file looks alive for a while after its death.
	if (read.kind === "ok" && (!report.running || !sharesPidNamespace(read.state.pid_namespace))) {
		if (await (await import("./verbs.ts")).isInstanceAlive(paths)) report = reportStatus(read, Date.now(), true);
		// A process that ends in an orderly way removes its lock file: a lock file without a holder means a crash.
		else if (!existsSync(paths.instanceLock("sync"))) report = notRunning(report, "stopped");
		else if (report.running) report = notRunning(report, `its process ${read.state.pid} is gone`);
	}
	// The reason why it cannot start belongs here.
	const problem = report.running ? null : (await import("@robust-sync/workspace/configuration-problem")).configurationProblem(paths.root);
	const pause = report.running ? null : (await import("@robust-sync/workspace/pause")).readPause(paths, Date.now());
	const extras = { configurationProblem: problem, progress: readProgress(paths, Date.now()), pause };
	if (options.json) print(statusDocument(report, extras));
	else print(formatStatus(report, Date.now(), paint(process.stdout), extras));
	if (problem !== null && !options.json) print(`  not accepted  ${printable(problem)}`);
	return report.exitCode;
}

/** Limited by the length of a command line. */
const maxOperands = 100_000;

const program = createProgram(
	"robust-sync",
	"Keeps a git working directory the same on two or more machines, unattended, and never loses a byte.",
)
	.option("--dry-run", "with --once, --restore, --undo, --forget, --forget-value: print the plan, and change nothing")
	.option("--check", "with --forget-value: search hub and node for the value, and print where it is")
	.option("--interval <seconds>", "seconds between cycles when nothing happens (SYNC_INTERVAL)", notEmpty)
	.option("--secrets <what>", "files that hold a secret: hold, warn or off (SYNC_SECRETS)", notEmpty)
	.option("--exclude <patterns>", "paths that this node neither sends nor checks out, as in .gitignore (SYNC_EXCLUDE)", notEmpty)
	.option("--yes", "with --init: ask nothing, take the defaults; with --forget: publish a PATH that holds a secret itself")
	.option("--node <name>", "with --init: this node's name (NODE_NAME)", notEmpty)
	.option(
		"--peers [list]",
		"with --init: the peers, name=host[:port], comma separated (PEERS); with --wait: until these have it too; no list: all",
	)
	.option("--timeout <seconds>", "with --wait: give up after this time (60)", notEmpty)
	.option("--since <time>", "from this time on: a duration (2h), a date, or a commit", notEmpty)
	.option("--until <time>", "up to this time: the same forms", notEmpty)
	.option("--by <node>", "only changes that this node made", notEmpty)
	.option("--all", "with --undo --by: all changes of the node, without --since or --until")
	.option("--agent <name>", "the program that works; with --history: only its changes", notEmpty)
	.option("--run <id>", "which run of the program; with --history: only changes of that run", notEmpty)
	.option("--limit <n>", "with --history: show at most this many entries (50)", wholeNumber(1, 1_000_000_000))
	.option("--diff", "with --history: show what changed")
	.option("--at <time>", "with --restore: the time of the version: a duration (2h), a date, or a commit", notEmpty)
	.option("--to <dir>", "with --restore: write the files into this directory, and change nothing else", notEmpty)
	.option("--deleted-only", "with --restore: only deleted files, not changed ones")
	.option("--json", "print the result as one JSON document");

defineVerbs<Options>(
	program,
	[
		{
			flags: "--init",
			description: "make this git repository a workspace; show first what would be published",
			options: ["--yes", "--node", "--peers"],
			run: async (options) => (await import("./verbs.ts")).init(options),
		},
		{
			flags: "--once",
			description: "run one cycle and exit",
			options: ["--dry-run", "--json", "--interval", "--secrets", "--exclude"],
			run: async (options) => (await import("./verbs.ts")).once(options),
		},
		{
			flags: "--stop",
			description: "stop the running instance after its cycle",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).stop(options),
		},
		{
			flags: "--pause [duration]",
			description: "pause for this time (30m, 2h, 1d), or until --resume; waits for the cycle in progress",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).pause(options),
		},
		{
			flags: "--resume",
			description: "end a pause",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).resume(options),
		},
		{
			flags: "--wait",
			description: "return when everything written before is on the hub, and with --peers on these peers",
			options: ["--peers", "--timeout", "--json"],
			run: async (options) => (await import("./verbs.ts")).wait(options),
		},
		{
			flags: "--doctor",
			description: "check everything that can be wrong, and print the remedies",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).doctor(options),
		},
		{
			flags: "--history",
			description: "who changed what, newest first",
			operands: { usage: "PATH…", min: 0, max: maxOperands },
			options: ["--since", "--until", "--by", "--agent", "--run", "--limit", "--diff", "--json"],
			run: async (options, operands) => (await import("./verbs.ts")).history(options, operands),
		},
		{
			flags: "--restore",
			description: "restore an earlier version of files or directories, as a new change",
			operands: { usage: "PATH…", min: 1, max: maxOperands },
			options: ["--at", "--to", "--deleted-only", "--dry-run", "--json"],
			run: async (options, operands) => (await import("./verbs.ts")).restore(options, operands),
		},
		{
			flags: "--undo",
			description: "undo changes, and keep later ones",
			operands: { usage: "COMMIT|PATH…", min: 0, max: maxOperands },
			options: ["--since", "--until", "--by", "--all", "--dry-run", "--json"],
			run: async (options, operands) => (await import("./verbs.ts")).undo(options, operands),
		},
		{
			flags: "--annotate <text>",
			description: "describe the next commit of this node",
			options: ["--agent", "--run", "--json"],
			run: async (options) => (await import("./verbs.ts")).annotate(options),
		},
		{
			flags: "--approve",
			description: "publish a commit that is held because it removes many files",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).decideHeld(options, "approve"),
		},
		{
			flags: "--reject",
			description: "restore, on all nodes, the files that a held commit removes",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).decideHeld(options, "reject"),
		},
		{
			flags: "--mcp",
			description: "serve the Model Context Protocol on standard input and output, for agents",
			run: async (options) => (await import("./mcp.ts")).mcp(options),
		},
		{
			flags: "--status",
			description: "show the current state, and change nothing (exit 3: not running)",
			options: ["--json"],
			run: status,
		},
		{
			flags: "--send <file>",
			description: "put a message into the outbox; - reads it from standard input",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).send(options),
		},
		{
			flags: "--forget-mount <directory>",
			description: "declare the file system that was mounted there gone for good: its files are deleted on all nodes",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).forgetMountPoint(options),
		},
		{
			flags: "--allow-secret <path>",
			description: "allow the values in this file that look secret to be published: adds them to .secretsallow, as salted hashes",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).allow(options),
		},
		{
			flags: "--forget",
			description: "remove files from the whole history, on all nodes; without a PATH: remove forgotten content that came back to the hub",
			operands: { usage: "PATH…", min: 0, max: maxOperands },
			options: ["--dry-run", "--json", "--yes"],
			run: async (options, operands) => (await import("./verbs.ts")).forget(options, operands),
		},
		{
			flags: "--forget-value <file>",
			description: "remove the value in this file (-: standard input) from the whole history, on all nodes",
			options: ["--dry-run", "--check", "--json"],
			run: async (options) => (await import("./verbs.ts")).forget(options, []),
		},
		{
			flags: "--promote <name>",
			description: "make a mirror (SYNC_MIRRORS) the hub, and the hub a mirror",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).promote(options),
		},
	],
	{ options: ["--interval", "--secrets", "--exclude"], run: async (options) => (await import("./verbs.ts")).run(options) },
);

await runProgram(program);
