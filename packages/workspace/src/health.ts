import { shortDuration } from "./format-duration.ts";
import { heldLossCommands, heldLossText } from "./held-loss-text.ts";
import { type NodeView, peerLiveness, servicesLiveness } from "./liveness.ts";
import { pauseText } from "./pause.ts";
import { kernelProcessTable, type ProcessTable } from "./process-table.ts";
import type { PeerState, Severity, SyncState } from "./state-schemas.ts";

/** `/health`'s word for how the node stands. */
export type HealthStatus = "ok" | "degraded" | "error";

/** One thing that is not as it should be. */
export interface HealthReason {
	/** The check it belongs to, by the names of monitor_status.json. */
	readonly name: string;
	readonly severity: Severity;
	readonly message: string;
}

export interface HealthInput {
	readonly view: NodeView;
	readonly peers: readonly PeerState[];
	/** Paths with conflicts that nobody resolved. */
	readonly conflictsUnresolved: number;
	/** Age of the oldest message in the outbox, milliseconds; null: none. */
	readonly oldestPendingMs: number | null;
	readonly syncIntervalSeconds: number;
	readonly peerTimeoutSeconds: number;
	/** What a service that is started now would refuse in the configuration; null or left out: nothing, or it was not looked at. */
	readonly configurationProblem?: string | null;
	readonly now: number;
	readonly table?: ProcessTable;
}

/** A message that waits longer than this for delivery is worth a look. */
const pendingTooLongMs = 10 * 60_000;
/** After this many intervals without a success, syncing does not work, whatever it says. */
const intervalsUntilStale = 5;
const longestIntervalSeconds = 86_400;

/** For so long, milliseconds, sync may go without a success: by the interval it was started with, which it knows better than the configuration. */
export function staleAfterMsOf(state: Pick<SyncState, "interval_seconds">, configuredSeconds: number): number {
	// A longest interval: a number in a file that nobody meant must not silence the check.
	return intervalsUntilStale * Math.max(configuredSeconds, Math.min(state.interval_seconds ?? 0, longestIntervalSeconds)) * 1000;
}

/** What is said of a node that is paused. */
export function pausedText({ paused }: Pick<SyncState, "paused">): string {
	return `sync is paused${paused ? ` ${pauseText(paused)}` : ""}: robust-sync --resume ends it`;
}

/**
 * How this node stands, with every reason: `error` when sync does not run or has not succeeded for five intervals, a
 * conflict is unresolved or a critical alert fires; `degraded` when a peer is suspect or down, heartbeat or monitor died, sync is
 * retrying, a message waits too long or a warning fires. What it goes by (`servicesLiveness`, `peerLiveness`, `staleAfterMsOf`) is what the
 * monitor's checks go by.
 */
export function deriveHealth(input: HealthInput): { status: HealthStatus; reasons: HealthReason[] } {
	const { view, peers, now, table = kernelProcessTable } = input;
	const reasons: HealthReason[] = [];
	const add = (name: string, severity: Severity, message: string) => reasons.push({ name, severity, message });

	const { sync, heartbeat, monitor } = servicesLiveness(view, now, table, input.configurationProblem ?? null);
	if (sync.status !== "up") add("sync", "critical", `robust-sync does not run: ${sync.reason}`);
	if (view.sync.kind === "ok") {
		const state = view.sync.state;
		const staleMs = staleAfterMsOf(state, input.syncIntervalSeconds);
		const since = Date.parse(state.last_sync ?? state.started_at);
		if (state.status === "paused") add("sync", "warning", pausedText(state));
		else if (now - since > staleMs) add("sync", "critical", `no successful sync for ${shortDuration(now - since)}`);
		if (state.status === "failed") add("sync", "critical", state.last_error?.message ?? "sync failed");
		else if (state.status === "held")
			for (const held of state.held ?? []) add("sync", "warning", `${heldLossText(held)}: ${heldLossCommands}`);
		else if (state.status === "retrying") add("sync", "warning", state.last_error?.message ?? "sync is retrying");
	}
	if (input.conflictsUnresolved > 0) add("conflicts", "critical", `${input.conflictsUnresolved} unresolved conflicts`);
	if (input.oldestPendingMs !== null && input.oldestPendingMs > pendingTooLongMs) {
		add("sync", "warning", `a message has been waiting for ${Math.round(input.oldestPendingMs / 60_000)} min`);
	}
	/** Alerts that what is known by now contradicts. */
	const alive = new Set<string>();
	for (const peer of peers) {
		const status = peerLiveness(peer, now, input.peerTimeoutSeconds * 1000);
		if (status === "alive") alive.add(`heartbeat:${peer.peer}`);
		const why = peer.reason ? `: ${peer.reason}` : "";
		if (status === "suspect" || status === "down") add(`heartbeat:${peer.peer}`, "warning", `${peer.peer} is ${status}${why}`);
		// Never heard, and it is known that waiting does not help.
		else if (status === "unknown" && (peer.cause ?? null) !== null)
			add(`heartbeat:${peer.peer}`, "warning", `${peer.peer} was never heard${why}`);
	}
	// Never started is a choice; died is not. The health server itself answers.
	if (heartbeat.status === "down") add("process:heartbeat", "warning", `heartbeat does not run: ${heartbeat.reason}`);
	if (monitor.status === "down") add("process:monitor", "warning", `monitor is not running, no alerts will be sent: ${monitor.reason}`);
	if (view.monitor.kind === "ok") {
		for (const alert of view.monitor.state.alerts) {
			if (alert.state !== "firing") continue;
			// What the alert says may not be true any more: the monitor holds it for a while, or has not looked again yet.
			const isOver = (alert.clear_since ?? null) !== null || alive.has(alert.id);
			if (isOver) add(`alert:${alert.id}`, "warning", `${alert.id} has recovered; the alert ends when it stays so`);
			else add(`alert:${alert.id}`, alert.severity, alert.message);
		}
	}
	const status = reasons.some((reason) => reason.severity === "critical") ? "error" : reasons.length > 0 ? "degraded" : "ok";
	return { status, reasons };
}
