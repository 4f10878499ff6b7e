import { isSameProcess, kernelProcessTable, type ProcessTable, sharesPidNamespace } from "@robust-sync/system/process-table";
import type { StateRead } from "./read-state.ts";
import type { UpDown } from "./state-schemas.ts";

/** The fields of any state file that identify its writer. */
export interface WriterFields {
	pid: number;
	pid_started_at: string;
	pid_namespace?: string | undefined;
	updated_at: string;
	status?: string;
}

/** A live service rewrites its file every 30 s: silent for three intervals, it is not alive. */
export const staleAfterMs = 90_000;

/** The liveness of one service of this node. `up`: its process runs and writes. */
export interface ServiceLiveness {
	readonly status: UpDown;
	/** For people: why it is down or unknown; empty when up. */
	readonly reason: string;
}

/**
 * Whether the writer of a state file is alive: same pid, same start by the kernel, and not silent for long. Of a writer in another pid
 * namespace (a container that shares the workspace) only the silence counts.
 * @param isUnlocked its instance lock does not exist: if its process is gone, it ended in an orderly way
 */
export function writerLiveness(
	read: StateRead<WriterFields>,
	now: number,
	table: ProcessTable = kernelProcessTable,
	isUnlocked = false,
): ServiceLiveness {
	if (read.kind === "missing") return { status: "unknown", reason: "never started here" };
	if (read.kind === "invalid") return { status: "unknown", reason: `its state file is not valid (${read.problem})` };
	const { pid, pid_started_at, pid_namespace, updated_at, status } = read.state;
	if (status === "stopped") return { status: "down", reason: "stopped" };
	if (sharesPidNamespace(pid_namespace, table) && !isSameProcess(pid, pid_started_at, table))
		return { status: "down", reason: isUnlocked ? "stopped" : `its process ${pid} is gone` };
	const silentMs = now - Date.parse(updated_at);
	if (silentMs > staleAfterMs) {
		return { status: "down", reason: `its process ${pid} has not written its state for ${Math.round(silentMs / 1000)} s` };
	}
	return { status: "up", reason: "" };
}
