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
	// Of a process in another pid namespace only its lock tells, in both directions: the state file looks alive for a while after its death.
	if (read.kind === "ok" && (!report.running || !sharesPidNamespace(read.state.pid_namespace))) {
		if (await (await import("./verbs.ts")).isInstanceAlive(paths)) report = reportStatus(read, Date.now(), true);
		// Whoever ends in an orderly way lets go of its lock: only without that was it a crash.
		else if (!existsSync(paths.instanceLock("sync"))) report = notRunning(report, "stopped");
		else if (report.running) report = notRunning(report, `its process ${read.state.pid} is gone`);
	}
	// Why it cannot be started is what people look for here.
	const problem = report.running ? null : (await import("@robust-sync/workspace/configuration-problem")).configurationProblem(paths.root);
	const pause = report.running ? null : (await import("@robust-sync/workspace/pause")).readPause(paths, Date.now());
	const extras = { configurationProblem: problem, progress: readProgress(paths, Date.now()), pause };
	if (options.json) print(statusDocument(report, extras));
	else print(formatStatus(report, Date.now(), paint(process.stdout), extras));
	if (problem !== null && !options.json) print(`  not accepted  ${printable(problem)}`);
	return report.exitCode;
}

/** As many as a command line takes. */
const maxOperands = 100_000;

const program = createProgram(
	"robust-sync",
	"Keeps a git working directory the same on two or more machines, unattended, and never loses a byte.",
)
	.option("--dry-run", "with --once, --restore, --undo, --forget, --forget-value: say what it would do, and do nothing")
	.option("--check", "with --forget-value: search hub and node for the value, and say where it is")
	.option("--interval <seconds>", "seconds between cycles when nothing happens (SYNC_INTERVAL)", notEmpty)
	.option("--secrets <what>", "files that hold a secret: hold, warn or off (SYNC_SECRETS)", notEmpty)
	.option("--exclude <patterns>", "paths that this node neither sends nor checks out, as in .gitignore (SYNC_EXCLUDE)", notEmpty)
	.option("--yes", "with --init: ask nothing, take the defaults")
	.option("--node <name>", "with --init: this node's name (NODE_NAME)", notEmpty)
	.option(
		"--peers [list]",
		"with --init: the peers, name=host[:port], comma separated (PEERS); with --wait: until these have it too; no list: all",
	)
	.option("--timeout <seconds>", "with --wait: give up after so long (60)", notEmpty)
	.option("--since <time>", "from then on: a duration (2h), a date, or a commit", notEmpty)
	.option("--until <time>", "up to then: the same", notEmpty)
	.option("--by <node>", "only what this node did", notEmpty)
	.option("--all", "with --undo --by: all that the node ever did, without --since or --until")
	.option("--agent <name>", "the program that works; with --history: only what it did", notEmpty)
	.option("--run <id>", "which run of it; with --history: only that", notEmpty)
	.option("--limit <n>", "with --history: the most entries to show (50)", wholeNumber(1, 1_000_000_000))
	.option("--diff", "with --history: show what changed")
	.option("--at <time>", "with --restore: as it was then: a duration (2h), a date, or a commit", notEmpty)
	.option("--to <dir>", "with --restore: put it into this directory, and change nothing else", notEmpty)
	.option("--deleted-only", "with --restore: only what is gone, and not what has changed")
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
			description: "begin no cycle for so long (30m, 2h, 1d), or until --resume; waits for the one in progress",
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
			description: "return when all that was written before is on the hub, and with --peers on these peers",
			options: ["--peers", "--timeout", "--json"],
			run: async (options) => (await import("./verbs.ts")).wait(options),
		},
		{
			flags: "--doctor",
			description: "look at everything that can be wrong, and say what fixes it",
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
			description: "put files or directories back as they were, as a new change",
			operands: { usage: "PATH…", min: 1, max: maxOperands },
			options: ["--at", "--to", "--deleted-only", "--dry-run", "--json"],
			run: async (options, operands) => (await import("./verbs.ts")).restore(options, operands),
		},
		{
			flags: "--undo",
			description: "take changes back, and keep what was done later",
			operands: { usage: "COMMIT|PATH…", min: 0, max: maxOperands },
			options: ["--since", "--until", "--by", "--all", "--dry-run", "--json"],
			run: async (options, operands) => (await import("./verbs.ts")).undo(options, operands),
		},
		{
			flags: "--annotate <text>",
			description: "say what the next commit of this node is for",
			options: ["--agent", "--run", "--json"],
			run: async (options) => (await import("./verbs.ts")).annotate(options),
		},
		{
			flags: "--approve",
			description: "let pass what is held because it takes away many files",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).decideHeld(options, "approve"),
		},
		{
			flags: "--reject",
			description: "put back, on all nodes, the files that what is held takes away",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).decideHeld(options, "reject"),
		},
		{
			flags: "--mcp",
			description: "serve the Model Context Protocol on standard input and output, for agents",
			run: async (options) => (await import("./mcp.ts")).mcp(options),
		},
		{ flags: "--status", description: "say how it stands", options: ["--json"], run: status },
		{
			flags: "--send <file>",
			description: "put a message into the outbox; - reads it from standard input",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).send(options),
		},
		{
			flags: "--forget-mount <directory>",
			description: "a file system that was mounted there is gone for good: what is missing there is deleted on all nodes",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).forgetMountPoint(options),
		},
		{
			flags: "--allow-secret <path>",
			description: "what looks secret in this file may be published: note it in .secretsallow, by salted hashes",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).allow(options),
		},
		{
			flags: "--forget",
			description: "take files out of the whole history, on all nodes; without a PATH: again what came back to the hub",
			operands: { usage: "PATH…", min: 0, max: maxOperands },
			options: ["--dry-run", "--json"],
			run: async (options, operands) => (await import("./verbs.ts")).forget(options, operands),
		},
		{
			flags: "--forget-value <file>",
			description: "take the value in this file (-: standard input) out of the whole history, on all nodes",
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
