import { printable } from "@robust-sync/service/printable";
import { type ServiceLiveness, writerLiveness } from "@robust-sync/workspace/liveness";
import type { WorkspacePaths } from "@robust-sync/workspace/paths";
import { readState } from "@robust-sync/workspace/read-state";
import { healthStateSchema } from "@robust-sync/workspace/state-schemas";

/** What `--status` says. */
export interface OwnStatus {
	readonly running: boolean;
	readonly status: ServiceLiveness["status"];
	readonly reason: string;
	readonly node: string | null;
	readonly pid: number | null;
	readonly port: number | null;
	readonly started_at: string | null;
	readonly updated_at: string | null;
}

/** Whether the health server of a workspace runs, from its state file. Changes nothing. */
export function ownStatus(paths: WorkspacePaths, now: number): OwnStatus {
	const read = readState(paths.healthState, healthStateSchema);
	const { status, reason } = writerLiveness(read, now);
	const state = read.kind === "ok" ? read.state : null;
	return {
		running: status === "up",
		status,
		reason,
		node: state?.node ?? null,
		pid: state?.pid ?? null,
		port: state?.port ?? null,
		started_at: state?.started_at ?? null,
		updated_at: state?.updated_at ?? null,
	};
}

/** The same as one line. */
export function ownStatusLine({ running, reason, node, pid, port, started_at }: OwnStatus): string {
	if (!running) return `health-server is not running: ${printable(reason)}`;
	return printable(`health-server of ${node} answers on port ${port} (pid ${pid}, since ${started_at})`);
}
