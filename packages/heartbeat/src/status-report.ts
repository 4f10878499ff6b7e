import { existsSync } from "node:fs";
import { ExitCode } from "@robust-sync/service/exit-codes";
import { paint } from "@robust-sync/service/paint";
import { printable } from "@robust-sync/service/printable";
import { kernelProcessTable } from "@robust-sync/system/process-table";
import { peerLiveness, writerLiveness } from "@robust-sync/workspace/liveness";
import type { WorkspacePaths } from "@robust-sync/workspace/paths";
import { readState } from "@robust-sync/workspace/read-state";
import { type HeartbeatState, heartbeatStateSchema, type PeerState, peerStateSchema } from "@robust-sync/workspace/state-schemas";
import { peerTable } from "./peer-table.ts";

/** The result of `--status`. */
export interface StatusReport {
	readonly running: boolean;
	/** Why it does not run; empty when it does. */
	readonly reason: string;
	readonly state: HeartbeatState | null;
	readonly peers: readonly PeerState[];
	readonly exitCode: number;
}

/** Reads the state files; changes nothing. Exit code 0 running, 3 not running. */
export function reportStatus(paths: WorkspacePaths, peerTimeoutMs: number, now: number): StatusReport {
	const read = readState(paths.heartbeatState, heartbeatStateSchema);
	const liveness = writerLiveness(read, now, kernelProcessTable, !existsSync(paths.instanceLock("heartbeat")));
	const running = liveness.status === "up";
	const state = read.kind === "ok" ? read.state : null;
	const peers: PeerState[] = [];
	for (const name of state?.peers ?? []) {
		const peer = readState(paths.peerState(name), peerStateSchema);
		if (peer.kind === "ok") peers.push({ ...peer.state, status: peerLiveness(peer.state, now, peerTimeoutMs) });
	}
	return { running, reason: liveness.reason, state, peers, exitCode: running ? ExitCode.ok : ExitCode.notRunning };
}

/** The report as one JSON document: the state file's fields, `running`, and the peers' state files as `peers`. */
export function statusDocument({ running, reason, state, peers }: StatusReport): object {
	return { running, reason, ...(state ?? { schema: 1 }), peers };
}

/** The report for people. */
export function formatStatus({ running, reason, state, peers }: StatusReport, now: number, stream: NodeJS.WriteStream): string {
	const chalk = paint(stream);
	if (!state) return `heartbeat is ${chalk.yellow("not running")} (${printable(reason)})`;
	const { totals } = state;
	const rejected = Object.entries(totals.rejected).filter(([, count]) => count > 0);
	const lines = [
		running
			? `heartbeat is ${chalk.green("running")} (pid ${state.pid}, since ${printable(state.started_at)})`
			: `heartbeat is ${chalk.yellow("not running")} (${printable(reason)})`,
		`  node        ${printable(state.node)}, UDP port ${state.port}, ${state.authenticated ? "authenticated" : chalk.yellow("not authenticated (HEARTBEAT_KEY is not set)")}`,
		`  so far      ${totals.sent} sent, ${totals.acked} answered, ${totals.received} received, ${
			rejected.length === 0 ? "none" : rejected.map(([why, count]) => `${count} ${printable(why)}`).join(" ")
		} refused`,
	];
	if (peers.length > 0)
		lines.push(...peerTable(peers, now, chalk, (stream.isTTY && stream.columns) || undefined).map((line) => `  ${line}`));
	else lines.push("  no peers");
	return lines.join("\n");
}
