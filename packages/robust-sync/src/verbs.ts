// Above 400 lines: one function a command, each of a few lines, in one part of the bundle that loads when a command needs it.

import { CommandError, ExitCode } from "@robust-sync/service/exit-codes";
import { runService } from "@robust-sync/service/lifecycle";
import { createLogger } from "@robust-sync/service/log";
import { paint } from "@robust-sync/service/paint";
import { printable, shellPath } from "@robust-sync/service/printable";
import { loadOrLog } from "@robust-sync/service/start-failure";
import { warnAtStart } from "@robust-sync/service/start-warning";
import { supervise } from "@robust-sync/service/supervisor";
import { version } from "@robust-sync/service/version";
import { needsSupervisor } from "@robust-sync/service/worker";
import { counted } from "@robust-sync/system/counted";
import { parseDuration } from "@robust-sync/system/durations";
import { acquireLock, isHolderAlive, LockedError, readLockHolder } from "@robust-sync/system/lock";
import { makeOwnDirectory } from "@robust-sync/system/own-directory";
import {
	annotationOf,
	ensureExcluded,
	exposedSecrets,
	findWorkspace,
	type HeldLoss,
	heldLossCommands,
	heldLossText,
	loadConfig,
	locateWorkspace,
	pauseText,
	skipText,
	WorkspacePaths,
	withRemoteMessage,
	writeAnnotation,
} from "@robust-sync/workspace";
import { allowSecret } from "./commands/allow-secret.ts";
import { type Decided, type Decision, decide } from "./commands/decide.ts";
import { admitForeignWorkspace } from "./commands/foreign-workspace.ts";
import { forgetMount } from "./commands/forget-mount.ts";
import { forget as forgetEverywhere } from "./commands/forget-verb.ts";
import { showHistory } from "./commands/history-verb.ts";
import { initWorkspace } from "./commands/init.ts";
import { dryRun, syncOnce } from "./commands/once.ts";
import { type Options, print, printJson } from "./commands/options.ts";
import { pauseSync, resumeSync } from "./commands/pause.ts";
import { promoteMirror } from "./commands/promote.ts";
import { prepareRestore } from "./commands/restore-verb.ts";
import { sendMessage } from "./commands/send.ts";
import { stopInstance } from "./commands/stop.ts";
import { prepareUndo } from "./commands/undo-verb.ts";
import { isDone, waitForSync } from "./commands/wait.ts";
import { countsText, savedText } from "./context/cycle-text.ts";
import { toSyncError } from "./context/sync-error.ts";
import type { Task } from "./cycle/task.ts";
import { Daemon } from "./daemon/daemon.ts";
import { examine } from "./doctor/doctor.ts";
import type { Finding } from "./doctor/finding.ts";
import { secretInTexts } from "./secrets/texts.ts";

// Everything but `--status`: loaded on demand, so that `--status` is quick (bin/build/build.mjs).

const pathsOf = (options: Options, needsConsent = true) => new WorkspacePaths(locateWorkspace({ flag: options.workspace, needsConsent }));

/** Configuration and a logger, for every command that changes something. Loaded when needed. */
async function prepare(options: Options) {
	const paths = pathsOf(options, !options.dryRun);
	const flags = { SYNC_INTERVAL: options.interval, SYNC_SECRETS: options.secrets, SYNC_EXCLUDE: options.exclude };
	const load = () => loadConfig({ workspace: paths.root, flags });
	const config = options.dryRun ? load() : loadOrLog("sync", paths.logFile("sync"), load);
	const logger = createLogger({
		name: "sync",
		level: options.verbose ? "debug" : config.logLevel,
		format: config.logFormat,
		...(options.dryRun ? {} : { file: paths.logFile("sync") }),
		stderr: "tty-short",
		secrets: [...config.secrets],
	});
	return { paths, config, load, logger };
}

/** Runs continuously, in the foreground. @returns the exit code */
export async function run(options: Options): Promise<number> {
	const { paths, config, load, logger } = await prepare(options);
	try {
		await admitForeignWorkspace(paths, config);
	} catch (error) {
		const { code, message } = toSyncError(error);
		throw new CommandError(`${code}: ${message}`, ExitCode.usage, { cause: error });
	}
	if (needsSupervisor()) {
		const file = paths.instanceLock("sync");
		const running = readLockHolder(file);
		if (running && (await isHolderAlive(file, running))) throw new LockedError(file, running);
		const lock = await acquireLock(paths.supervisorLock("sync"), { purpose: "robust-sync" });
		try {
			return await supervise({ logger, argv: process.argv.slice(1) });
		} finally {
			await lock.release();
			await logger.close();
		}
	}
	warnAtStart(exposedSecrets(paths.envFile, shellPath(paths.envFile)), logger);
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
		await logger.close();
	}
}

/** Whether the holder of the instance lock lives, also in another pid namespace. Never throws. */
export async function isInstanceAlive(paths: WorkspacePaths): Promise<boolean> {
	const file = paths.instanceLock("sync");
	const holder = readLockHolder(file);
	return holder !== null && (await isHolderAlive(file, holder));
}

/** One cycle, or its plan. @returns the exit code */
export async function once(options: Options): Promise<number> {
	const { paths, config, logger } = await prepare(options);
	if (options.dryRun) {
		const plan = await dryRun({ paths, config, logger });
		if (options.json) printJson(plan);
		else {
			for (const file of plan.would_commit) print(`would commit   ${printable(file)}`);
			if (plan.would_deliver > 0) print(`would deliver  ${plan.would_deliver} messages`);
			for (const file of plan.skipped) print(`would skip     ${printable(file.path)} (${printable(skipText(file))})`);
			if (plan.would_fetch) print(`would fetch    ${plan.remote_head?.slice(0, 12)} and bring it in`);
			if (plan.would_push) print(`would push     ${printable(plan.branch ?? "HEAD")} to ${printable(config.syncRemote)}`);
			for (const loss of plan.held) print(`would hold     ${printable(heldLossText(loss))}; ${heldLossCommands}`);
			if (plan.blocked_by) print(`blocked        ${printable(plan.blocked_by)}`);
			else if (plan.would_commit.length + plan.would_deliver === 0 && !plan.would_fetch && !plan.would_push) print("nothing to do");
		}
		return ExitCode.ok;
	}
	warnAtStart(exposedSecrets(paths.envFile, shellPath(paths.envFile)), logger);
	const outcome = await syncOnce({ paths, config, logger });
	await logger.flush();
	if (options.json) printJson(outcome.ok ? outcome.state : { ...outcome.state, status: "failed" });
	if (!outcome.ok) {
		const { code, message, remoteMessage } = outcome.error;
		const failure = `${code}: ${withRemoteMessage(message, remoteMessage)}`;
		logger.toFile?.("error", failure);
		throw new CommandError(failure, ExitCode.failed, { cause: outcome.error.cause });
	}
	const { delivered, saved, skipped, head, held } = outcome.result;
	logger.toFile?.("info", `synced once: ${countsText(outcome.result)}`);
	if (!options.json) {
		print(`in sync at ${head?.slice(0, 12) ?? "no commit yet"}: ${countsText(outcome.result)}, ${counted(delivered, "message")} delivered`);
		for (const name of saved) print(savedText(paths, name));
		for (const file of skipped) print(`skipped ${printable(file.path)} (${printable(skipText(file))})`);
		for (const loss of held) print(`held: ${printable(heldLossText(loss))}; ${heldLossCommands}`);
	}
	return ExitCode.ok;
}

/**
 * One cycle with a person's task. If only the rest of the cycle failed, that is reported, but is no failure: the task is done
 * here, and published later.
 * @param report prints the result @param isDone whether the task was carried out @returns the exit code
 */
async function byTask(
	options: Options,
	task: Task,
	isDone: () => boolean,
	report: (held: readonly HeldLoss[], head: string | null) => void,
): Promise<number> {
	const { paths, config, logger } = await prepare(options);
	let refused: CommandError | null = null;
	// A task that is impossible is no failure of the cycle.
	const orRefused: Task = async (context, head) => {
		try {
			return await task(context, head);
		} catch (error) {
			if (!(error instanceof CommandError)) throw error;
			refused = error;
			return null;
		}
	};
	const outcome = await syncOnce({ paths, config, logger, task: orRefused });
	await logger.flush();
	if (refused !== null) throw refused;
	if (outcome.ok) {
		report(outcome.result.held, outcome.result.head);
		return ExitCode.ok;
	}
	const { code, message, remoteMessage } = outcome.error;
	const failure = `${code}: ${withRemoteMessage(message, remoteMessage)}`;
	if (!isDone()) throw new CommandError(failure, ExitCode.failed, { cause: outcome.error.cause });
	// The state has the earlier held losses: this cycle failed before its own check.
	report([], outcome.state.head);
	process.stderr.write(`robust-sync: done here, not published yet: ${printable(failure)}\n`);
	return ExitCode.ok;
}

/** Carries out a person's decision on held losses, by a cycle. @returns the exit code */
export async function decideHeld(options: Options, decision: Decision): Promise<number> {
	let decided: Decided | null = null;
	const task: Task = async (context, head) => {
		const done = await decide(context, head, decision);
		decided = done?.decided ?? null;
		return done;
	};
	return await byTask(
		options,
		task,
		() => decided !== null,
		(held, head) => {
			if (options.json) printJson({ decision: decided?.decision ?? null, files: decided?.files ?? 0, head, held });
			else if (decided === null) print("nothing is held");
			else {
				const files = counted(decided.files, "file");
				print(decision === "approve" ? `approved: the loss of ${files} goes to all nodes` : `rejected: ${files} restored on all nodes`);
			}
			for (const loss of held) if (!options.json) print(`still held: ${printable(heldLossText(loss))}`);
		},
	);
}

/** Prints the history. @returns the exit code */
export async function history(options: Options, operands: readonly string[]): Promise<number> {
	const paths = pathsOf(options, false);
	return await showHistory(paths, loadConfig({ workspace: paths.root }), options, operands);
}

/** Restores files. @returns the exit code */
export async function restore(options: Options, operands: readonly string[]): Promise<number> {
	return await byRequest(prepareRestore, options, operands);
}

/** Undoes changes. @returns the exit code */
export async function undo(options: Options, operands: readonly string[]): Promise<number> {
	return await byRequest(prepareUndo, options, operands);
}

async function byRequest(prepare: typeof prepareUndo, options: Options, operands: readonly string[]): Promise<number> {
	const paths = pathsOf(options, !options.dryRun);
	const request = await prepare(paths, loadConfig({ workspace: paths.root }), options, operands);
	if (request.task === null) return request.exitCode;
	return await byTask(options, request.task, request.isDone, request.report);
}

/** Annotates the next commit of this node. @returns the exit code */
export async function annotate(options: Options): Promise<number> {
	const paths = pathsOf(options);
	makeOwnDirectory(paths.sync);
	ensureExcluded(paths.root);
	const config = loadConfig({ workspace: paths.root });
	const note = annotationOf({ text: options.annotate ?? "", agent: options.agent, run: options.run }, Date.now());
	const secret = config.syncSecrets === "hold" ? await secretInTexts(paths, config, [note.text, note.agent, note.run]) : null;
	if (secret !== null)
		throw new CommandError(`the annotation holds a secret (${secret.rule}) and would be published: write it without`, ExitCode.failed);
	writeAnnotation(paths, note);
	if (options.json) printJson(note);
	else print("noted: the next commit of this node carries it");
	return ExitCode.ok;
}

/** Stops the running instance. @returns the exit code */
export async function stop(options: Options): Promise<number> {
	const paths = pathsOf(options, false);
	const stopped = await stopInstance(paths);
	if (options.json) printJson({ stopped: stopped !== null, pid: stopped?.pid ?? null, unit: stopped?.unit ?? null });
	else print(stopped === null ? "robust-sync was not running" : `stopped robust-sync (pid ${stopped.pid})`);
	// The service manager sees an end that it did not request.
	if (stopped?.unit && !options.json) print(`${stopped.unit} starts it again; to stop it for good: systemctl stop ${stopped.unit}`);
	return ExitCode.ok;
}

const longestPauseMs = 10 * 365 * 86_400_000;

/** Pauses cycles. @returns the exit code */
export async function pause(options: Options): Promise<number> {
	const { pause: given } = options;
	const durationMs = typeof given === "string" ? parseDuration(given) : null;
	if (typeof given === "string" && (durationMs === null || durationMs > longestPauseMs))
		throw new CommandError(`--pause takes a duration such as 30m, 2h or 1d, not '${printable(given)}'`, ExitCode.usage);
	const held = await pauseSync(pathsOf(options), Date.now(), durationMs);
	if (options.json) printJson({ paused: held });
	else print(`sync is paused ${pauseText(held)}; robust-sync --resume ends it`);
	return ExitCode.ok;
}

/** Resumes cycles. @returns the exit code */
export async function resume(options: Options): Promise<number> {
	const held = await resumeSync(pathsOf(options), Date.now());
	if (options.json) printJson({ paused: null, was_paused: held });
	else print(held === null ? "sync was not paused" : "sync continues");
	return ExitCode.ok;
}

const marks = { ok: "ok     ", warning: "warning", failed: "failed " } as const;

/** Runs all checks of `--doctor`. @returns the exit code */
export async function doctor(options: Options): Promise<number> {
	const paths = new WorkspacePaths(findWorkspace({ flag: options.workspace }));
	const colours = paint(process.stdout);
	const colourOf = { ok: colours.green, warning: colours.yellow, failed: colours.red };
	const findings = await examine(paths, { version, isNamed: options.workspace !== undefined }, ({ check, status, message, fix }) => {
		if (options.json) return;
		print(`${colourOf[status].call(colours, marks[status])}  ${check.padEnd(21)}  ${printable(message)}`);
		if (fix !== null) print(`${" ".repeat(32)}→ ${fix}`);
	});
	const count = (status: Finding["status"]) => findings.filter((finding) => finding.status === status).length;
	const [bad, worth] = [count("failed"), count("warning")];
	if (options.json) printJson({ schema: 1, failed: bad, warnings: worth, findings });
	else print(bad + worth === 0 ? "all is well" : `${counted(bad, "failure")}, ${counted(worth, "warning")}`);
	return bad > 0 ? ExitCode.failed : ExitCode.ok;
}

const longestWaitSeconds = 7 * 86_400;
const defaultWaitSeconds = 60;

/** Waits until earlier writes are published. @returns the exit code */
export async function wait(options: Options): Promise<number> {
	const seconds = options.timeout === undefined ? defaultWaitSeconds : Number(options.timeout);
	if (!(seconds >= 0 && seconds <= longestWaitSeconds))
		throw new CommandError(
			`--timeout takes seconds, 0 to ${longestWaitSeconds}, not '${printable(options.timeout ?? "")}'`,
			ExitCode.usage,
		);
	const { paths, config, logger } = await prepare(options);
	const known = config.peers.map(({ name }) => name);
	const peers = options.peers === undefined ? [] : options.peers === true ? known : options.peers.split(",").map((name) => name.trim());
	const unknownPeer = peers.find((name) => !known.includes(name));
	if (unknownPeer !== undefined)
		throw new CommandError(
			`'${printable(unknownPeer)}' is no peer of this node: ${known.length > 0 ? `its peers are ${known.join(", ")}` : "PEERS names none"}`,
			ExitCode.usage,
		);
	const started = performance.now();
	const waited = await waitForSync({ paths, config, logger, peers, timeoutMs: seconds * 1000 });
	await logger.flush();
	const done = isDone(waited);
	if (options.json) {
		const { head, isPublished, missing, skipped, problem } = waited;
		printJson({
			done,
			head,
			on_hub: isPublished,
			peers: waited.peers,
			missing,
			skipped,
			problem,
			waited_ms: Math.round(performance.now() - started),
		});
	}
	const behind = Object.entries(waited.peers).flatMap(([name, has]) => (has ? [] : [name]));
	if (!done) {
		const shown = waited.missing.slice(0, 3).map(printable).join(", ");
		const more = waited.missing.length > 3 ? ` and ${waited.missing.length - 3} more` : "";
		const what =
			waited.missing.length > 0
				? `not committed yet: ${shown}${more}`
				: waited.isPublished
					? `not on ${behind.join(", ")} yet, by their heartbeats`
					: "not on the hub yet";
		throw new CommandError(`${what}${waited.problem ? `; ${printable(waited.problem)}` : ""}`, ExitCode.failed);
	}
	if (!options.json) {
		print(`on the hub${peers.length > 0 ? ` and on ${peers.join(", ")}` : ""}: ${waited.head?.slice(0, 12)}`);
		if (waited.skipped > 0)
			print(`${counted(waited.skipped, "file")} left out: robust-sync --status names ${waited.skipped === 1 ? "it" : "them"}`);
	}
	return ExitCode.ok;
}

/** Makes a repository a workspace. @returns the exit code */
export async function init(options: Options): Promise<number> {
	return await initWorkspace(pathsOf(options, false), options);
}

/** Allows the secrets of a file. @returns the exit code */
export async function allow(options: Options): Promise<number> {
	const paths = pathsOf(options);
	const { path, findings } = await allowSecret(paths, loadConfig({ workspace: paths.root }), options.allowSecret ?? "");
	if (options.json) printJson({ path, allowed: findings });
	else if (findings.length === 0) print(`nothing in ${printable(path)} looks secret`);
	else print(`allowed in .secretsallow, for ${printable(path)}: ${findings.map(({ rule, line }) => `line ${line} (${rule})`).join(", ")}`);
	return ExitCode.ok;
}

/** Makes a mirror the hub. @returns the exit code */
export async function promote(options: Options): Promise<number> {
	const { paths, config, logger } = await prepare(options);
	const promotion = await promoteMirror(paths, config, options.promote ?? "");
	logger.toFile?.("info", `the hub is ${promotion.hub}, mirrors: ${promotion.mirrors.join(", ")}`);
	await logger.flush();
	if (options.json) printJson(promotion);
	else {
		print(`the hub is '${promotion.hub}', mirrors: ${promotion.mirrors.join(", ") || "none"}`);
		if (!promotion.reloaded) print("it takes effect at the next start, 'kill -HUP' or --once of robust-sync");
		print("do the same on the other nodes");
	}
	return ExitCode.ok;
}

/** Puts a message into the outbox. @returns the exit code */
export async function send(options: Options): Promise<number> {
	const paths = pathsOf(options);
	const name = await sendMessage(paths, options.send ?? "");
	if (options.json) printJson({ pending: name });
	else print(`in the outbox as ${printable(name)}: it is delivered with the next cycle`);
	return ExitCode.ok;
}

/** Takes a value or files out of the history, on all nodes. @returns the exit code */
export async function forget(options: Options, operands: readonly string[]): Promise<number> {
	const { paths, config, logger } = await prepare(options);
	try {
		return await forgetEverywhere({ paths, config, logger, options }, operands);
	} finally {
		await logger.flush();
	}
}

/** Accepts that a mount is missing for good. @returns the exit code */
export async function forgetMountPoint(options: Options): Promise<number> {
	const name = await forgetMount(pathsOf(options), options.forgetMount ?? "");
	if (options.json) printJson({ forgotten: name });
	else
		print(
			`${name} is an ordinary directory now: its missing files are removed on all nodes with the next full scan (at once: robust-sync --once)`,
		);
	return ExitCode.ok;
}
