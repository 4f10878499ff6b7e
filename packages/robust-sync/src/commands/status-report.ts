import { ExitCode } from "@robust-sync/service/exit-codes";
import { printable, printableJson } from "@robust-sync/service/printable";
import { counted } from "@robust-sync/system/counted";
import { shortDuration } from "@robust-sync/system/format-duration";
import { heldLossCommands, heldLossText } from "@robust-sync/workspace/held-loss-text";
import { type ProgressState, progressText } from "@robust-sync/workspace/progress";
import type { StateRead } from "@robust-sync/workspace/read-state";
import { withRemoteMessage } from "@robust-sync/workspace/remote-message";
import { skipText } from "@robust-sync/workspace/skip-remedies";
import type { Pause, SyncState } from "@robust-sync/workspace/state-schemas";
import { writerLiveness } from "@robust-sync/workspace/writer-liveness";

/** The result of `--status`. */
export interface StatusReport {
	readonly running: boolean;
	readonly state: SyncState | null;
	readonly exitCode: number;
	/** Why there is no state, or why the process does not run. */
	readonly reason: string;
}

/**
 * Reads the writer's condition from its state file. Exit code 0 running and healthy, 1 running and failing, 3 not running.
 * @param holdsLock the kernel confirms that the holder of the instance lock lives
 */
export function reportStatus(read: StateRead<SyncState>, now: number, holdsLock = false): StatusReport {
	const liveness = writerLiveness(read, now);
	const running = liveness.status === "up" || (holdsLock && read.kind === "ok");
	const state = read.kind === "ok" ? read.state : null;
	const failing = state?.status === "failed" || state?.status === "retrying" || state?.status === "held";
	return { running, state, reason: liveness.reason, exitCode: running ? (failing ? ExitCode.failed : ExitCode.ok) : ExitCode.notRunning };
}

/** The same for a writer that is known to be dead. */
export function notRunning(report: StatusReport, reason: string): StatusReport {
	return { ...report, running: false, reason, exitCode: ExitCode.notRunning };
}

function age(at: string | null, now: number): string {
	return at === null ? "never" : `${shortDuration(now - Date.parse(at))} ago`;
}

/** The parts of the report beside the state. */
export interface StatusExtras {
	/** The reason why the next start would fail; null: none. */
	readonly configurationProblem: string | null;
	/** Long work in progress; null: none. */
	readonly progress: ProgressState | null;
	/** The pause, if no instance runs whose state would contain it; null: none. */
	readonly pause: Pause | null;
}

/** The report for programs. */
export function statusDocument({ running, state }: StatusReport, { configurationProblem, progress, pause }: StatusExtras): string {
	const problem = configurationProblem === null ? {} : { configuration_problem: configurationProblem };
	const status = running ? {} : { status: "stopped", paused: pause };
	return printableJson({ running, ...(state ?? { schema: 1 }), ...status, ...(progress === null ? {} : { progress }), ...problem }, 2);
}

/** Colours, or none. */
export interface Paint {
	yellow(text: string): string;
	green(text: string): string;
	red(text: string): string;
}

/** The report for people. */
export function formatStatus(
	{ running, state, reason }: StatusReport,
	now: number,
	paint: Paint,
	{ progress, pause }: Pick<StatusExtras, "progress" | "pause">,
): string {
	// Also beside a daemon, and before the first cycle ends.
	const paused = running ? (state?.status === "paused" ? (state.paused ?? null) : null) : pause;
	const pauseLines =
		paused === null
			? []
			: [
					`  paused      since ${printable(paused.since)}, ${printable(paused.until === null ? "until robust-sync --resume" : `until ${paused.until}`)}`,
				];
	const atWork = progress === null ? [] : [`  at work     ${printable(progressText(progress))}`];
	if (!state) return [`robust-sync is ${paint.yellow("not running")} (${printable(reason)})`, ...pauseLines, ...atWork].join("\n");
	const colour =
		!running || state.status === "paused" ? paint.yellow : state.status === "idle" || state.status === "syncing" ? paint.green : paint.red;
	const lines = [
		`robust-sync is ${colour(running ? state.status : `not running (${printable(reason)})`)}${running ? ` (pid ${state.pid}, since ${printable(state.started_at)})` : ""}`,
		...pauseLines,
		...atWork,
		`  node        ${printable(state.node)}`,
		`  last sync   ${printable(state.last_sync ?? "never")}${state.last_sync ? ` (${age(state.last_sync, now)})` : ""}`,
		`  branch      ${printable(`${state.branch ?? "-"} on ${state.remote ?? "-"}, at ${state.head?.slice(0, 12) ?? "no commit"}`)}${state.ahead || state.behind ? `, ${state.ahead} ahead, ${state.behind} behind` : ""}`,
		`  waiting     ${counted(state.messages_pending, "message")}`,
		`  so far      ${counted(state.totals.cycles, "cycle")}, ${counted(state.totals.failures, "failure")}, ${counted(state.totals.commits, "commit")}, ${state.totals.resolved} resolved, ${state.totals.rescued} rescued`,
	];
	for (const { name, head, pushed_at, error } of state.mirrors ?? [])
		lines.push(
			`  mirror      ${printable(name)}: ${head === null ? "nothing yet" : `at ${printable(head.slice(0, 12))}, ${age(pushed_at, now)}`}${error === null ? "" : `, ${paint.red(error.code)}: ${printable(error.message)}`}`,
		);
	if (state.last_error)
		lines.push(
			`  ${paint.red("last error")}  ${printable(`${state.last_error.code}: ${withRemoteMessage(state.last_error.message, state.last_error.remote_message)}`)} (${age(state.last_error.at, now)}, ${state.consecutive_failures} in a row)`,
		);
	for (const held of state.held ?? [])
		lines.push(
			`  ${paint.red("held")}        ${printable(heldLossText(held))} (${age(held.since, now)})`,
			`              ${heldLossCommands}`,
		);
	if (state.next_attempt && running) lines.push(`  next        ${printable(state.next_attempt)}`);
	for (const file of state.skipped.slice(0, 20))
		lines.push(`  ${paint.yellow("skipped")}     ${printable(file.path)} (${printable(skipText(file))})`);
	if (state.excluded)
		lines.push(
			`  excluded    ${counted(state.excluded, "file")}, by SYNC_EXCLUDE: neither sent nor checked out here, and on the other nodes`,
		);
	for (const { path, rule, line } of (state.secrets ?? []).slice(0, 20))
		lines.push(`  ${paint.red("secret")}      ${printable(path)}, line ${line} (${printable(rule)}): it is on the hub: docs/leaks.md`);
	if (state.skipped.length > 20) lines.push(`  ${paint.yellow("skipped")}     … and ${state.skipped.length - 20} more`);
	return lines.join("\n");
}
