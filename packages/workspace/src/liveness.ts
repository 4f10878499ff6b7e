import { type ServiceName, services, type WorkspacePaths } from "./paths.ts";
import { isSameProcess, kernelProcessTable, type ProcessTable } from "./process-table.ts";
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
	type UpDown,
} from "./state-schemas.ts";

/** The fields by which any state file tells who wrote it. */
export interface WriterFields {
	pid: number;
	pid_started_at: string;
	updated_at: string;
	status?: string;
}

/** A service rewrites its file every 30 s while alive; three missed are no accident. */
export const staleAfterMs = 90_000;

/** What is known of one service of this node. `up`: its process runs and writes. */
export interface ServiceLiveness {
	readonly status: UpDown;
	/** In words, for people: why it is down or unknown; empty when up. */
	readonly reason: string;
}

/** Whether the writer of a state file is alive: same pid, same start by the kernel, and not silent for long. */
export function writerLiveness(read: StateRead<WriterFields>, now: number, table: ProcessTable = kernelProcessTable): ServiceLiveness {
	if (read.kind === "missing") return { status: "unknown", reason: "never started here" };
	if (read.kind === "invalid") return { status: "unknown", reason: `its state file is not valid (${read.problem})` };
	const { pid, pid_started_at, updated_at, status } = read.state;
	if (status === "stopped") return { status: "down", reason: "stopped" };
	if (!isSameProcess(pid, pid_started_at, table)) return { status: "down", reason: `its process ${pid} is gone` };
	const silentMs = now - Date.parse(updated_at);
	if (silentMs > staleAfterMs) {
		return { status: "down", reason: `its process ${pid} has not written its state for ${Math.round(silentMs / 1000)} s` };
	}
	return { status: "up", reason: "" };
}

/** Everything that the four services of this node wrote, read afresh. */
export interface NodeView {
	readonly sync: StateRead<SyncState>;
	readonly heartbeat: StateRead<HeartbeatState>;
	readonly health: StateRead<HealthState>;
	readonly monitor: StateRead<MonitorStatus>;
}

/** Reads the four state files of this node. */
export function readNodeView(paths: WorkspacePaths): NodeView {
	return {
		sync: readState(paths.syncState, syncStateSchema),
		heartbeat: readState(paths.heartbeatState, heartbeatStateSchema),
		health: readState(paths.healthState, healthStateSchema),
		monitor: readState(paths.monitorStatus, monitorStatusSchema),
	};
}

/** Which of the four services are up; the one function for monitor, heartbeat and health server. */
export function servicesLiveness(
	view: NodeView,
	now: number,
	table: ProcessTable = kernelProcessTable,
): Record<ServiceName, ServiceLiveness> {
	const reads: Record<ServiceName, StateRead<WriterFields>> = {
		sync: view.sync,
		heartbeat: view.heartbeat,
		"health-server": view.health,
		monitor: view.monitor,
	};
	return Object.fromEntries(services.map((service) => [service, writerLiveness(reads[service], now, table)])) as Record<
		ServiceName,
		ServiceLiveness
	>;
}

/**
 * The status of a peer as a reader sees it. The heartbeat that wrote the file may itself be dead: then nothing newer than
 * `received_at` is known, and a peer not heard for `peerTimeoutMs` is down, whatever the file says.
 */
export function peerLiveness(state: PeerState, now: number, peerTimeoutMs: number): PeerStatus {
	if (state.status === "down" || state.received_at === null) return state.status;
	return now - Date.parse(state.received_at) > peerTimeoutMs + 5_000 ? "down" : state.status;
}
