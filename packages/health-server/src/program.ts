import { type CommonOptions, createProgram, defineVerbs, notEmpty, type Program } from "@robust-sync/service/command-line";
import { ExitCode } from "@robust-sync/service/exit-codes";
import { printableJson } from "@robust-sync/service/printable";
import { locateWorkspace } from "@robust-sync/workspace/locate";
import { WorkspacePaths } from "@robust-sync/workspace/paths";
import { ownStatus, ownStatusLine } from "./report.ts";

interface Options extends CommonOptions {
	port?: string;
	host?: string;
	json?: boolean;
}

/** The command `health-server`: its flags and their actions. */
export function healthServerProgram(): Program {
	const program = createProgram(
		"health-server",
		"Shows the state of this node: a page, JSON and Prometheus metrics over HTTP, for this machine only",
	)
		.option("--port <n>", "port to answer on (default: HEALTH_PORT, else 8080)", notEmpty)
		.option("--host <address>", "loopback address to answer on (default: HEALTH_HOST, else 127.0.0.1)", notEmpty)
		.option("--json", "with --status: one JSON document");

	defineVerbs<Options & Record<string, unknown>>(
		program,
		[
			{
				flags: "--status",
				description: "show whether it runs, and change nothing (exit 3: not running)",
				options: ["--json"],
				run(options) {
					const status = ownStatus(new WorkspacePaths(locateWorkspace({ flag: options.workspace })), Date.now());
					process.stdout.write(`${options.json ? printableJson(status, 2) : ownStatusLine(status)}\n`);
					return status.status === "up" ? ExitCode.ok : ExitCode.notRunning;
				},
			},
		],
		{
			run: async (options) =>
				(await import("./run.ts")).runHealthServer({
					workspace: locateWorkspace({ flag: options.workspace, needsConsent: true }),
					flags: { HEALTH_PORT: options.port, HEALTH_HOST: options.host },
					verbose: options.verbose === true,
					onListening: (line) => process.stdout.write(`${line}\n`),
				}),
		},
	);
	return program;
}
