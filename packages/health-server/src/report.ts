import { existsSync } from "node:fs";
import { printable } from "@robust-sync/service/printable";
import { kernelProcessTable } from "@robust-sync/system/process-table";
import { configurationProblem } from "@robust-sync/workspace/configuration-problem";
import { type ServiceLiveness, writerLiveness } from "@robust-sync/workspace/liveness";
import type { WorkspacePaths } from "@robust-sync/workspace/paths";
import { readState } from "@robust-sync/workspace/read-state";
import { healthStateSchema } from "@robust-sync/workspace/state-schemas";

/** The result of `--status`. */
export interface OwnStatus {
	readonly running: boolean;
	readonly status: ServiceLiveness["status"];
	readonly reason: string;
	readonly node: string | null;
	readonly pid: number | null;
	readonly port: number | null;
	readonly started_at: string | null;
	readonly updated_at: string | null;
	/** The value of the configuration that the next start would refuse, if the server does not run. */
	readonly configuration_problem?: string;
}

/** Whether the health server of a workspace runs, from its state file. Changes nothing. */
export function ownStatus(paths: WorkspacePaths, now: number): OwnStatus {
	const read = readState(paths.healthState, healthStateSchema);
	const { status, reason } = writerLiveness(read, now, kernelProcessTable, !existsSync(paths.instanceLock("health-server")));
	const state = read.kind === "ok" ? read.state : null;
	const problem = status === "up" ? null : configurationProblem(paths.root);
	return {
		running: status === "up",
		status,
		reason,
		node: state?.node ?? null,
		pid: state?.pid ?? null,
		port: state?.port ?? null,
		started_at: state?.started_at ?? null,
		updated_at: state?.updated_at ?? null,
		...(problem === null ? {} : { configuration_problem: problem }),
	};
}

/** The same as one line. */
export function ownStatusLine({ running, reason, node, pid, port, started_at, configuration_problem }: OwnStatus): string {
	if (!running) {
		const cause = configuration_problem === undefined ? "" : `; its configuration is not accepted: ${configuration_problem}`;
		return printable(`health-server is not running: ${reason}${cause}`);
	}
	return printable(`health-server of ${node} answers on port ${port} (pid ${pid}, since ${started_at})`);
}
