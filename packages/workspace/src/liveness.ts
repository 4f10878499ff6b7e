import { existsSync } from "node:fs";
import { kernelProcessTable, type ProcessTable } from "@robust-sync/system/process-table";
import { type ServiceName, services, type WorkspacePaths } from "./paths.ts";
import { readState, type StateRead } from "./read-state.ts";
import {
	type HealthState,
	type HeartbeatState,
	healthStateSchema,
	heartbeatStateSchema,
	type MonitorStatus,
	monitorStatusSchema,
	type PeerState,
	type PeerStatus,
	type SyncState,
	syncStateSchema,
} from "./state-schemas.ts";
import { type ServiceLiveness, type WriterFields, writerLiveness } from "./writer-liveness.ts";

export { type ServiceLiveness, staleAfterMs, type WriterFields, writerLiveness } from "./writer-liveness.ts";

/** The state files of the four services of this node. */
export interface NodeView {
	readonly sync: StateRead<SyncState>;
	readonly heartbeat: StateRead<HeartbeatState>;
	readonly health: StateRead<HealthState>;
	readonly monitor: StateRead<MonitorStatus>;
	/** Services without an instance lock: if their process is gone, it released the lock, and did not crash. Left out: not checked. */
	readonly unlocked?: ReadonlySet<ServiceName>;
}

/** The services whose instance lock does not exist. */
export function unlockedServices(paths: WorkspacePaths): ReadonlySet<ServiceName> {
	return new Set(services.filter((service) => !existsSync(paths.instanceLock(service))));
}

/** Reads the four state files of this node. */
export function readNodeView(paths: WorkspacePaths): NodeView {
	return {
		sync: readState(paths.syncState, syncStateSchema),
		heartbeat: readState(paths.heartbeatState, heartbeatStateSchema),
		health: readState(paths.healthState, healthStateSchema),
		monitor: readState(paths.monitorStatus, monitorStatusSchema),
		unlocked: unlockedServices(paths),
	};
}

/**
 * Which of the four services are up; the one function for monitor, heartbeat and health server.
 * @param configurationProblem the value that a service would refuse at its start: added to the reason of each that is not up; null: none
 */
export function servicesLiveness(
	view: NodeView,
	now: number,
	table: ProcessTable = kernelProcessTable,
	configurationProblem: string | null = null,
): Record<ServiceName, ServiceLiveness> {
	const reads: Record<ServiceName, StateRead<WriterFields>> = {
		sync: view.sync,
		heartbeat: view.heartbeat,
		"health-server": view.health,
		monitor: view.monitor,
	};
	const livenessOf = (service: ServiceName): ServiceLiveness => {
		const { status, reason } = writerLiveness(reads[service], now, table, view.unlocked?.has(service));
		if (status === "up" || configurationProblem === null) return { status, reason };
		return { status, reason: `${reason}; its configuration is not accepted: ${configurationProblem}` };
	};
	return Object.fromEntries(services.map((service) => [service, livenessOf(service)])) as Record<ServiceName, ServiceLiveness>;
}

/**
 * The status of a peer as a reader sees it. The heartbeat that wrote the file may itself be dead: then there is no news since
 * `received_at`, and a peer not heard for `peerTimeoutMs` is down, independent of the file.
 */
export function peerLiveness(state: PeerState, now: number, peerTimeoutMs: number): PeerStatus {
	if (state.status === "down" || state.received_at === null) return state.status;
	return now - Date.parse(state.received_at) > peerTimeoutMs + 5_000 ? "down" : state.status;
}
