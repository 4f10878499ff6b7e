import { shortDuration } from "@robust-sync/system/format-duration";
import { kernelProcessTable, type ProcessTable } from "@robust-sync/system/process-table";
import { heldLossCommands, heldLossText } from "./held-loss-text.ts";
import { type NodeView, peerLiveness, servicesLiveness } from "./liveness.ts";
import { pauseText } from "./pause.ts";
import type { PeerState, Severity, SyncState } from "./state-schemas.ts";

/** The overall state of the node in `/health`. */
export type HealthStatus = "ok" | "degraded" | "error";

/** One problem. */
export interface HealthReason {
	/** The name of its check, as in monitor_status.json. */
	readonly name: string;
	readonly severity: Severity;
	readonly message: string;
}

export interface HealthInput {
	readonly view: NodeView;
	readonly peers: readonly PeerState[];
	/** Paths with unresolved conflicts. */
	readonly conflictsUnresolved: number;
	/** Age of the oldest message in the outbox, milliseconds; null: none. */
	readonly oldestPendingMs: number | null;
	readonly syncIntervalSeconds: number;
	readonly peerTimeoutSeconds: number;
	/** The value of the configuration that a service would refuse at its start; null or left out: none, or not checked. */
	readonly configurationProblem?: string | null;
	readonly now: number;
	readonly table?: ProcessTable;
}

/** A message that waits longer than this for delivery is a problem. */
const pendingTooLongMs = 10 * 60_000;
/** Syncing does not work after this many intervals without a success, whatever its status. */
const intervalsUntilStale = 5;
const longestIntervalSeconds = 86_400;

/** How long sync may go without a success, milliseconds: by the interval that it was started with, which is more reliable than the configuration. */
export function staleAfterMsOf(state: Pick<SyncState, "interval_seconds">, configuredSeconds: number): number {
	// An upper bound of the interval: a nonsensical number in a file must not silence the check.
	return intervalsUntilStale * Math.max(configuredSeconds, Math.min(state.interval_seconds ?? 0, longestIntervalSeconds)) * 1000;
}

/** The text for a node that is paused. */
export function pausedText({ paused }: Pick<SyncState, "paused">): string {
	return `sync is paused${paused ? ` ${pauseText(paused)}` : ""}: robust-sync --resume ends it`;
}

/**
 * The state of this node, with every reason: `error` when sync does not run or has not succeeded for five intervals, a
 * conflict is unresolved or a critical alert fires; `degraded` when a peer is suspect or down, heartbeat or monitor died, sync is
 * retrying, a message waits too long or a warning fires. Its rules (`servicesLiveness`, `peerLiveness`, `staleAfterMsOf`) are those of the
 * monitor's checks.
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
	/** Alerts that the present state contradicts. */
	const alive = new Set<string>();
	for (const peer of peers) {
		const status = peerLiveness(peer, now, input.peerTimeoutSeconds * 1000);
		if (status === "alive") alive.add(`heartbeat:${peer.peer}`);
		const why = peer.reason ? `: ${peer.reason}` : "";
		if (status === "suspect" || status === "down") add(`heartbeat:${peer.peer}`, "warning", `${peer.peer} is ${status}${why}`);
		// Never heard, and for a known reason that waiting does not remove.
		else if (status === "unknown" && (peer.cause ?? null) !== null)
			add(`heartbeat:${peer.peer}`, "warning", `${peer.peer} was never heard${why}`);
	}
	// A service that was never started may be unwanted; one that died is a problem. The health server itself answers.
	if (heartbeat.status === "down") add("process:heartbeat", "warning", `heartbeat does not run: ${heartbeat.reason}`);
	if (monitor.status === "down") add("process:monitor", "warning", `monitor is not running, no alerts will be sent: ${monitor.reason}`);
	if (view.monitor.kind === "ok") {
		for (const alert of view.monitor.state.alerts) {
			if (alert.state !== "firing") continue;
			// The condition of the alert may be over: the monitor holds it for a while, or has not run a round since.
			const isOver = (alert.clear_since ?? null) !== null || alive.has(alert.id);
			if (isOver) add(`alert:${alert.id}`, "warning", `${alert.id} has recovered; the alert ends when it stays so`);
			else add(`alert:${alert.id}`, alert.severity, alert.message);
		}
	}
	const status = reasons.some((reason) => reason.severity === "critical") ? "error" : reasons.length > 0 ? "degraded" : "ok";
	return { status, reasons };
}
