import { createProgram, defineVerbs, notEmpty, runProgram } from "@robust-sync/service/command-line";
import { printable, printableJson } from "@robust-sync/service/printable";
import { locateWorkspace } from "@robust-sync/workspace/locate";
import { WorkspacePaths } from "@robust-sync/workspace/paths";
import type { Options } from "./options.ts";
import { formatStatus, reportStatus, statusDocument } from "./status-report.ts";

async function status(options: Options): Promise<number> {
	const paths = new WorkspacePaths(locateWorkspace({ flag: options.workspace }));
	const [{ parseConfig }, { configurationProblem }, { heartbeatConfig }] = await Promise.all([
		import("@robust-sync/workspace/config"),
		import("@robust-sync/workspace/configuration-problem"),
		import("./settings.ts"),
	]);
	const now = Date.now();
	// The configuration may be the reason for this call: if it is refused, the peers are judged by the default timeout.
	const problem = configurationProblem(paths.root);
	const { peerTimeoutSeconds } = problem === null ? heartbeatConfig(paths.root, {}) : parseConfig({});
	const report = reportStatus(paths, peerTimeoutSeconds * 1_000, now);
	if (options.json)
		process.stdout.write(
			`${printableJson({ ...statusDocument(report), ...(problem === null ? {} : { configuration_problem: problem }) }, 2)}\n`,
		);
	else
		process.stdout.write(
			`${formatStatus(report, now, process.stdout)}\n${problem === null ? "" : `  not accepted  ${printable(problem)}\n`}`,
		);
	return report.exitCode;
}

const settings = ["--node", "--peer-host", "--peer", "--peers", "--port", "--interval"];

const program = createProgram(
	"heartbeat",
	"Reports this node's state to the peers, detects within seconds which of them live, and announces every change at once",
)
	.option("--node <name>", "name of this node (NODE_NAME)", notEmpty)
	.option("--peer-host <host>", "the one peer's host name or address, with :port if it is not the default", notEmpty)
	.option("--peer <name>", "with --peer-host: the peer's node name (default: the host name's first label)", notEmpty)
	.option("--peers <list>", "all peers: name=host[:port],… (PEERS)", notEmpty)
	.option("--port <n>", "UDP port (HEARTBEAT_PORT)", notEmpty)
	.option("--interval <seconds>", "seconds between heartbeats (HEARTBEAT_INTERVAL)", notEmpty)
	.option("--json", "with --once and --status: one JSON document");

defineVerbs<Options>(
	program,
	[
		{
			flags: "--once",
			description: "send one heartbeat to each peer and wait up to 2 s for the answers (exit 1: one is missing)",
			options: [...settings, "--json"],
			run: async (options) => (await import("./verbs.ts")).once(options),
		},
		{
			flags: "--status",
			description: "show the current state, and change nothing (exit 3: not running)",
			options: ["--json"],
			run: status,
		},
	],
	{ options: settings, run: async (options) => (await import("./verbs.ts")).run(options) },
);

await runProgram(program);
