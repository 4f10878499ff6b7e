import { type NodeView, peerLiveness, servicesLiveness } from "./liveness.ts";
import { kernelProcessTable, type ProcessTable } from "./process-table.ts";
import type { PeerState, Severity } from "./state-schemas.ts";

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
	readonly now: number;
	readonly table?: ProcessTable;
}

/** A message that waits longer than this for delivery is worth a look. */
const pendingTooLongMs = 10 * 60_000;
/** So many intervals without a success, and syncing does not work, whatever it says. */
export const intervalsUntilStale = 5;

/**
 * How this node stands, with every reason: `error` when sync does not run or has not succeeded for five intervals, a
 * conflict is unresolved or a critical alert fires; `degraded` when a peer is suspect or down, sync is retrying, a message
 * waits too long or a warning fires. The one function for `/health`, `/status` and the monitor.
 */
export function deriveHealth(input: HealthInput): { status: HealthStatus; reasons: HealthReason[] } {
	const { view, peers, now, table = kernelProcessTable } = input;
	const reasons: HealthReason[] = [];
	const add = (name: string, severity: Severity, message: string) => reasons.push({ name, severity, message });

	const sync = servicesLiveness(view, now, table).sync;
	if (sync.status !== "up") add("sync", "critical", `robust-sync does not run: ${sync.reason}`);
	if (view.sync.kind === "ok") {
		const state = view.sync.state;
		const staleMs = intervalsUntilStale * input.syncIntervalSeconds * 1000;
		const since = Date.parse(state.last_sync ?? state.started_at);
		if (now - since > staleMs) add("sync", "critical", `no successful sync for ${Math.round((now - since) / 1000)} s`);
		if (state.status === "failed") add("sync", "critical", state.last_error?.message ?? "sync failed");
		else if (state.status === "retrying") add("sync", "warning", state.last_error?.message ?? "sync is retrying");
	}
	if (input.conflictsUnresolved > 0) add("conflicts", "critical", `${input.conflictsUnresolved} unresolved conflicts`);
	if (input.oldestPendingMs !== null && input.oldestPendingMs > pendingTooLongMs) {
		add("sync", "warning", `a message has been waiting for ${Math.round(input.oldestPendingMs / 60_000)} min`);
	}
	for (const peer of peers) {
		const status = peerLiveness(peer, now, input.peerTimeoutSeconds * 1000);
		if (status === "suspect" || status === "down") add(`heartbeat:${peer.peer}`, "warning", `${peer.peer} is ${status}`);
	}
	if (view.monitor.kind === "ok") {
		for (const alert of view.monitor.state.alerts) if (alert.state === "firing") add(`alert:${alert.id}`, alert.severity, alert.message);
	}
	const status = reasons.some((reason) => reason.severity === "critical") ? "error" : reasons.length > 0 ? "degraded" : "ok";
	return { status, reasons };
}
