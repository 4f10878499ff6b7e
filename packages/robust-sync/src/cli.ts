import { createProgram, defineVerbs, notEmpty, runProgram } from "@robust-sync/service/command-line";
import { locateWorkspace } from "@robust-sync/workspace/locate";
import { WorkspacePaths } from "@robust-sync/workspace/paths";
import { type Options, print, printJson } from "./options.ts";
import { formatStatus, reportStatus } from "./status-report.ts";

function pathsOf(options: Options): WorkspacePaths {
	return new WorkspacePaths(locateWorkspace({ flag: options.workspace }));
}

async function status(options: Options): Promise<number> {
	const paths = pathsOf(options);
	const report = reportStatus(paths, Date.now());
	if (options.json)
		printJson({
			running: report.running,
			...(report.state ?? { schema: 1, status: "stopped" }),
			...(report.running ? {} : { status: "stopped" }),
		});
	else print(formatStatus(report, Date.now(), process.stdout));
	return report.exitCode;
}

const program = createProgram(
	"robust-sync",
	"Keeps a git working directory the same on two or more machines, unattended, and never loses a byte.",
)
	.option("--dry-run", "with --once: say what a cycle would do, and do nothing")
	.option("--interval <seconds>", "seconds between cycles when nothing happens (SYNC_INTERVAL)", notEmpty)
	.option("--json", "print the result as one JSON document");

defineVerbs<Options>(
	program,
	[
		{
			flags: "--once",
			description: "run one cycle and exit",
			options: ["--dry-run", "--json", "--interval"],
			run: async (options) => (await import("./verbs.ts")).once(options),
		},
		{
			flags: "--stop",
			description: "stop the running instance after its cycle",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).stop(options),
		},
		{ flags: "--status", description: "say how it stands", options: ["--json"], run: status },
		{
			flags: "--send <file>",
			description: "put a message into the outbox; - reads it from standard input",
			options: ["--json"],
			run: async (options) => (await import("./verbs.ts")).send(options),
		},
	],
	{ options: ["--interval"], run: async (options) => (await import("./verbs.ts")).run(options) },
);

await runProgram(program);
