import { pidNamespaceField, processStartedAt } from "@robust-sync/system/process-table";
import { timestamp } from "@robust-sync/system/timestamps";
import { type MonitorStatus, monitorStatusSchema, readOwnState, readState, type WorkspacePaths, writeState } from "@robust-sync/workspace";
import * as z from "zod/mini";
import { type QueuedAlert, queuedAlertSchema } from "./delivery/alert-queue.ts";
import { type AlertRecord, alertRecordSchema } from "./lifecycle/alert-record.ts";
import type { Silence } from "./lifecycle/silences.ts";
import type { ChannelHealth } from "./readings/facts.ts";
import { emptyHistory, type History, historySchema } from "./readings/history.ts";

// monitor_status.json: the contract's fields for readers, and beside them the state that the monitor needs after a restart.

const channelHealthSchema = z.object({
	name: z.string(),
	failures: z.number(),
	failingSince: z.nullable(z.number()),
	lastError: z.nullable(z.string()),
	misconfigured: z.boolean(),
});

const fileSchema = z.extend(monitorStatusSchema, {
	alerts: z.array(z.unknown()),
	undelivered: z.array(z.unknown()),
	channels: z.optional(z.unknown()),
	history: z.optional(z.unknown()),
});

/** One line of the table of checks. */
export type CheckRow = MonitorStatus["checks"][number];

/** The persistent state of the monitor. */
export interface Memory {
	readonly checks: readonly CheckRow[];
	readonly alerts: readonly AlertRecord[];
	readonly undelivered: readonly QueuedAlert[];
	readonly channels: readonly ChannelHealth[];
	readonly history: History;
	/** When it was last written, milliseconds since the epoch; null: never. */
	readonly writtenAt: number | null;
}

const emptyMemory: Memory = { checks: [], alerts: [], undelivered: [], channels: [], history: emptyHistory, writtenAt: null };

/** The valid items of a list. The others are left out: one damaged alert must not cost the rest. */
function valid<S extends z.ZodMiniType>(items: readonly unknown[], schema: S): z.infer<S>[] {
	return items.flatMap((item) => {
		const result = schema.safeParse(item);
		return result.success ? [result.data as z.infer<S>] : [];
	});
}

function toMemory(file: z.infer<typeof fileSchema>): Memory {
	const history = historySchema.safeParse(file.history);
	const channels = z.array(channelHealthSchema).safeParse(file.channels);
	return {
		checks: file.checks,
		alerts: valid(file.alerts, alertRecordSchema),
		undelivered: valid(file.undelivered, queuedAlertSchema),
		channels: channels.success ? channels.data : [],
		history: history.success ? history.data : emptyHistory,
		writtenAt: Date.parse(file.updated_at),
	};
}

/** For the daemon: the state that it last wrote. A file that does not parse is moved aside and reported to `onCorrupt`. */
export function loadMemory(paths: WorkspacePaths, now: () => number, onCorrupt: (movedTo: string, problem: string) => void): Memory {
	const file = readOwnState(paths.monitorStatus, fileSchema, { now, onCorrupt });
	return file === null ? emptyMemory : toMemory(file);
}

/** For commands beside the daemon: the same, changing nothing. */
export function peekMemory(paths: WorkspacePaths): Memory {
	const read = readState(paths.monitorStatus, fileSchema);
	return read.kind === "ok" ? toMemory(read.state) : emptyMemory;
}

/** `critical` and `warning` checks make the node `critical` and `degraded`. */
export function overallStatus(checks: readonly CheckRow[]): MonitorStatus["status"] {
	if (checks.some((check) => check.status === "critical")) return "critical";
	return checks.some((check) => check.status === "warning") ? "degraded" : "ok";
}

const startedAt = processStartedAt(process.pid) ?? timestamp(Date.now());

/** Writes monitor_status.json whole. @throws the file system's error */
export async function writeMemory(
	paths: WorkspacePaths,
	memory: Omit<Memory, "writtenAt">,
	{ node, now, silences }: { node: string; now: number; silences: readonly Silence[] },
): Promise<void> {
	const { checks, alerts, undelivered, channels, history } = memory;
	await writeState(paths.monitorStatus, {
		schema: 1,
		node,
		pid: process.pid,
		pid_started_at: startedAt,
		...pidNamespaceField(),
		updated_at: timestamp(now),
		status: overallStatus(checks),
		checks,
		alerts,
		undelivered,
		silences,
		channels,
		history,
	});
}
