import { createProgram, defineVerbs, notEmpty, runProgram } from "@robust-sync/service/command-line";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { needsSupervisor } from "@robust-sync/service/worker";
import { locateWorkspace } from "@robust-sync/workspace/locate";
import { WorkspacePaths } from "@robust-sync/workspace/paths";

interface Options {
	workspace?: string;
	verbose?: boolean;
	json?: boolean;
	dryRun?: boolean;
	interval?: string;
	send?: string;
}

const print = (text: string) => process.stdout.write(`${text}\n`);
const printJson = (value: unknown) => print(JSON.stringify(value, null, 2));

function pathsOf(options: Options): WorkspacePaths {
	return new WorkspacePaths(locateWorkspace({ flag: options.workspace }));
}

/** Configuration and a logger: what every verb needs that does something. Loaded when needed, so that `--status` is quick. */
async function prepare(options: Options) {
	const paths = pathsOf(options);
	const { loadConfig } = await import("@robust-sync/workspace/config");
	const load = () => loadConfig({ workspace: paths.root, flags: { SYNC_INTERVAL: options.interval } });
	const config = load();
	const { createLogger } = await import("@robust-sync/service/log");
	const logger = createLogger({
		name: "sync",
		level: options.verbose ? "debug" : config.logLevel,
		format: config.logFormat,
		file: paths.logFile("sync"),
		stderr: "tty-short",
		secrets: [...config.secrets],
	});
	return { paths, config, load, logger };
}

async function run(options: Options): Promise<number> {
	const { paths, config, load, logger } = await prepare(options);
	const { acquireLock, readLockHolder, isHolderAlive, LockedError } = await import("@robust-sync/workspace/lock");
	if (needsSupervisor()) {
		const running = readLockHolder(paths.instanceLock("sync"));
		if (running && isHolderAlive(running)) throw new LockedError(paths.instanceLock("sync"), running);
		const lock = await acquireLock(paths.supervisorLock("sync"), { purpose: "robust-sync" });
		const { supervise } = await import("@robust-sync/service/supervisor");
		try {
			return await supervise({ logger, argv: process.argv.slice(1) });
		} finally {
			await lock.release();
			await logger.close();
		}
	}
	const [{ Daemon }, { runService }] = await Promise.all([import("./daemon.ts"), import("@robust-sync/service/lifecycle")]);
	const daemon = new Daemon({ paths, config, reloadConfig: load, logger });
	try {
		return await runService({
			name: "robust-sync",
			logger,
			start: (control) => daemon.start(control),
			stop: () => daemon.stop(),
			reload: () => daemon.reload(),
			wake: () => daemon.wake(),
			progress: () => daemon.progress,
			memoryLimitBytes: () => daemon.memoryLimitBytes,
			drain: () => daemon.finish(),
		});
	} finally {
		const { killRunningGit } = await import("@robust-sync/git");
		killRunningGit();
		await logger.close();
	}
}

async function once(options: Options): Promise<number> {
	const { paths, config, logger } = await prepare(options);
	const { dryRun, syncOnce } = await import("./once.ts");
	if (options.dryRun) {
		const plan = await dryRun({ paths, config, logger });
		if (options.json) printJson(plan);
		else {
			for (const file of plan.would_commit) print(`would commit   ${file}`);
			if (plan.would_deliver > 0) print(`would deliver  ${plan.would_deliver} messages`);
			for (const { path, reason } of plan.skipped) print(`would skip     ${path} (${reason})`);
			if (plan.would_fetch) print(`would fetch    ${plan.remote_head?.slice(0, 12)} and bring it in`);
			if (plan.would_push) print(`would push     ${plan.branch ?? "HEAD"} to ${config.syncRemote}`);
			if (plan.blocked_by) print(`blocked        ${plan.blocked_by}`);
			else if (plan.would_commit.length + plan.would_deliver === 0 && !plan.would_fetch && !plan.would_push) print("nothing to do");
		}
		return ExitCode.ok;
	}
	const outcome = await syncOnce({ paths, config, logger });
	await logger.flush();
	if (options.json) printJson(outcome.ok ? outcome.state : { ...outcome.state, status: "failed" });
	if (!outcome.ok) {
		logger.toFile?.("error", `${outcome.error.code}: ${outcome.error.message}`);
		throw new CommandError(`${outcome.error.code}: ${outcome.error.message}`, ExitCode.failed, { cause: outcome.error.cause });
	}
	const { committed, pulled, pushed, resolved, delivered, saved, skipped, head } = outcome.result;
	logger.toFile?.(
		"info",
		`synced once: ${committed} files committed, ${pulled} commits pulled, ${pushed} pushed, ${resolved} files resolved`,
	);
	if (!options.json) {
		print(
			`in sync at ${head?.slice(0, 12) ?? "no commit yet"}: ${committed} files committed, ${pulled} commits pulled, ${pushed} pushed, ${resolved} files resolved, ${delivered} messages delivered`,
		);
		for (const name of saved) print(`what the merge left out is in sync/conflicts/${name}`);
		for (const { path, reason } of skipped) print(`skipped ${path} (${reason})`);
	}
	return ExitCode.ok;
}

async function status(options: Options): Promise<number> {
	const paths = pathsOf(options);
	const { formatStatus, reportStatus } = await import("./status-report.ts");
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

async function stop(options: Options): Promise<number> {
	const paths = pathsOf(options);
	const { stopInstance } = await import("./stop.ts");
	const stopped = await stopInstance(paths);
	if (options.json) printJson({ stopped: stopped !== null, pid: stopped });
	else print(stopped === null ? "robust-sync was not running" : `stopped robust-sync (pid ${stopped})`);
	return ExitCode.ok;
}

async function send(options: Options): Promise<number> {
	const paths = pathsOf(options);
	const { sendMessage } = await import("./send.ts");
	const name = await sendMessage(paths, options.send ?? "");
	if (options.json) printJson({ pending: name });
	else print(`in the outbox as ${name}: it is delivered with the next cycle`);
	return ExitCode.ok;
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
		{ flags: "--once", description: "run one cycle and exit", options: ["--dry-run", "--json", "--interval"], run: once },
		{ flags: "--stop", description: "stop the running instance after its cycle", options: ["--json"], run: stop },
		{ flags: "--status", description: "say how it stands", options: ["--json"], run: status },
		{
			flags: "--send <file>",
			description: "put a message into the outbox; - reads it from standard input",
			options: ["--json"],
			run: send,
		},
	],
	{ options: ["--interval"], run },
);

await runProgram(program);
