import { createProgram, defineVerbs, notEmpty, type Program, type Verb } from "@robust-sync/service/command-line";
import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { paint } from "@robust-sync/service/paint";
import { printable, printableJson, shellPath } from "@robust-sync/service/printable";
import { warnAtStart } from "@robust-sync/service/start-warning";
import { formatDuration, formatTime, parseDuration } from "@robust-sync/system/durations";
import { timestamp } from "@robust-sync/system/timestamps";
import {
	type Config,
	exposedSecrets,
	loadConfig,
	locateWorkspace,
	monitorStatusSchema,
	readState,
	WorkspacePaths,
} from "@robust-sync/workspace";
import { changeSilences, matches } from "./lifecycle/silences.ts";

interface Options {
	workspace?: string;
	verbose?: boolean;
	json?: boolean;
	dryRun?: boolean;
	silence?: string;
	unsilence?: string;
}

const longestSilenceMs = 366 * 86_400_000;

/** The command line of `monitor`: its options and its output. */
export function monitorProgram(): Program {
	const program = createProgram("monitor", "Checks that syncing works here and on the peers, and alerts when it does not.");
	program
		.option("--json", "print the result as one JSON document")
		.option("--dry-run", "with --test-alert: send nothing, and show whether each channel would accept an alert");
	const check: Verb<Options> = {
		flags: "--check",
		description: "run all checks once and print them (the default); exit 1 if any is not ok",
		options: ["--json"],
		run: runCheck,
	};
	defineVerbs<Options>(
		program,
		[
			{ flags: "--daemon", description: "check every MONITOR_INTERVAL seconds and send alerts, until stopped", run: runAsDaemon },
			check,
			{
				flags: "--test-alert",
				description: "send one message marked as a test and show the result of each channel",
				options: ["--dry-run", "--json"],
				run: runTestAlert,
			},
			{
				flags: "--silence <id>",
				description: "send nothing about an alert for a while: 30m, 2h, 1d; 'heartbeat:*' means all with that prefix",
				options: ["--json"],
				operands: { usage: "DURATION", min: 1, max: 1 },
				run: runSilence,
			},
			{ flags: "--unsilence <id>", description: "end a silence before its time", options: ["--json"], run: runUnsilence },
		],
		check,
	);
	return program;
}

function open(options: Options): { paths: WorkspacePaths; load: () => Config } {
	const workspace = locateWorkspace({ flag: options.workspace, needsConsent: true });
	const flags = options.verbose ? { LOG_LEVEL: "debug" } : {};
	return { paths: new WorkspacePaths(workspace), load: () => loadConfig({ workspace, flags }) };
}

function print(value: unknown, text: string, options: Options): void {
	process.stdout.write(options.json ? `${printableJson(value, 2)}\n` : text);
}

async function runCheck(options: Options): Promise<number> {
	const { paths, load } = open(options);
	const [{ checkOnce }, { renderTable }] = await Promise.all([import("./check-once.ts"), import("./check-table.ts")]);
	const config = load();
	warnAtStart(exposedSecrets(paths.envFile, shellPath(paths.envFile)), "monitor");
	const report = await checkOnce(paths, config);
	print(report, renderTable(report, paint(process.stdout)), options);
	return report.status === "ok" ? ExitCode.ok : ExitCode.failed;
}

async function runAsDaemon(options: Options): Promise<number> {
	const { paths, load } = open(options);
	const [{ createLogger }, { loadOrLog }, { needsSupervisor }] = await Promise.all([
		import("@robust-sync/service/log"),
		import("@robust-sync/service/start-failure"),
		import("@robust-sync/service/worker"),
	]);
	const config = loadOrLog("monitor", paths.logFile("monitor"), load);
	const logger = createLogger({
		level: config.logLevel,
		format: config.logFormat,
		file: paths.logFile("monitor"),
		stderr: "tty-short",
		secrets: [...config.secrets],
		name: "monitor",
	});
	if (needsSupervisor()) {
		const { supervise } = await import("@robust-sync/service/supervisor");
		return supervise({ logger, argv: process.argv.slice(1) });
	}
	warnAtStart(exposedSecrets(paths.envFile, shellPath(paths.envFile)), logger);
	const { runDaemon } = await import("./daemon.ts");
	return runDaemon({ paths, logger, loadConfig: load });
}

async function runTestAlert(options: Options): Promise<number> {
	const { paths, load } = open(options);
	const config = load();
	warnAtStart(exposedSecrets(paths.envFile, shellPath(paths.envFile)), "monitor");
	const { probeChannels, sendTestAlert } = await import("./test-alert.ts");
	const isDryRun = options.dryRun === true;
	const report = isDryRun ? await probeChannels(config) : await sendTestAlert(config);
	const color = paint(process.stdout);
	const lines = report.channels.map((channel) => {
		const text = "message" in channel ? channel.message : (channel.error ?? "sent");
		return `${channel.ok ? color.green("✓") : color.red("✗")} ${channel.name}: ${printable(text)}`;
	});
	if (report.problem !== null) lines.push(`${color.yellow("!")} ${printable(report.problem)}`);
	if (report.channels.length === 0) {
		lines.push(
			"no channel is configured: set CALEB_TELEGRAM_ID and TELEGRAM_BOT_TOKEN, ALERT_APPRISE_URLS or ALERT_WEBHOOK_URL, in .sync_env",
		);
	}
	print(report, `${lines.join("\n")}\n`, options);
	return report.channels.length > 0 && report.channels.every((channel) => channel.ok) ? ExitCode.ok : ExitCode.failed;
}

function alertId(id: string): string {
	if (!/^[a-z0-9@:-]{0,200}\*?$/.test(notEmpty(id))) {
		throw new CommandError(
			`${JSON.stringify(id)} is not the name of an alert: give one that monitor --check prints, such as heartbeat:chad, or heartbeat:*`,
			ExitCode.usage,
		);
	}
	return id;
}

async function runSilence(options: Options, [duration = ""]: string[]): Promise<void> {
	const id = alertId(options.silence ?? "");
	const length = parseDuration(duration);
	if (length === null || length > longestSilenceMs || /^\d+$/.test(duration.trim())) {
		throw new CommandError(
			`${JSON.stringify(duration)} is not a duration: give a number with its unit, for example 30m, 2h or 1d (at most a year)`,
			ExitCode.usage,
		);
	}
	const { paths } = open(options);
	const now = Date.now();
	const until = timestamp(now + length);
	const silences = await changeSilences(paths, now, (before) => [...before.filter((silence) => silence.id !== id), { id, until }]);
	const isKnown = knownAlerts(paths).some((alert) => matches({ id, until }, alert));
	const note = isKnown ? "" : `no alert or check has that name now; monitor --check prints those there are\n`;
	print(
		{ silences },
		`nothing is sent about ${id} for ${formatDuration(length)}, until ${formatTime(Date.parse(until), now)}\n${note}`,
		options,
	);
}

/** The names that the monitor's checks and alerts have now. */
function knownAlerts(paths: WorkspacePaths): string[] {
	const read = readState(paths.monitorStatus, monitorStatusSchema);
	return read.kind === "ok" ? [...read.state.checks.map(({ name }) => name), ...read.state.alerts.map((alert) => alert.id)] : [];
}

async function runUnsilence(options: Options): Promise<number> {
	const id = alertId(options.unsilence ?? "");
	const { paths } = open(options);
	let found = false;
	const silences = await changeSilences(paths, Date.now(), (before) => {
		found = before.some((silence) => silence.id === id);
		return before.filter((silence) => silence.id !== id);
	});
	const others = silences.map((silence) => silence.id).join(", ");
	print(
		{ silences },
		found ? `alerts about ${id} are sent again\n` : `${id} was not silenced${others === "" ? "" : `; these are: ${printable(others)}`}\n`,
		options,
	);
	return found ? ExitCode.ok : ExitCode.failed;
}
