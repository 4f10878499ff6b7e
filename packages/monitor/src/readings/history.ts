import { createHash } from "node:crypto";
import { type NodeView, type ServiceName, type SkippedFile, services } from "@robust-sync/workspace";
import * as z from "zod/mini";
import type { UnitView } from "./facts.ts";

// Facts that a single reading cannot show: how often a service was restarted, and which files were skipped before.

const serviceHistorySchema = z.object({
	start: z.nullable(z.string()),
	unit_restarts: z.nullable(z.number()),
	restarts: z.array(z.number()),
});
export const historySchema = z.object({
	services: z.record(z.string(), serviceHistorySchema),
	/** null: nothing was read yet, so no skipped file counts as new. */
	skipped_known: z.nullable(z.array(z.string())),
	skipped_recently: z.array(z.object({ path: z.string(), reason: z.string(), seen_at: z.number() })),
});
/** Kept in monitor_status.json from round to round. Times are milliseconds since the epoch. */
export type History = z.infer<typeof historySchema>;

export const emptyHistory: History = { services: {}, skipped_known: null, skipped_recently: [] };

/** Restarts are counted over this time. */
const restartWindowMs = 10 * 60_000;
const mostRemembered = 50;
const mostPathsRemembered = 5_000;

function nameOf(path: string): string {
	return createHash("sha1").update(path).digest("base64").slice(0, 12);
}

/** The history after one more reading. `newsMs`: how long a newly skipped file counts as new. */
export function observe(
	before: History,
	view: NodeView,
	units: Readonly<Record<ServiceName, UnitView | null>>,
	now: number,
	newsMs: number,
): History {
	const reads = { sync: view.sync, heartbeat: view.heartbeat, "health-server": view.health, monitor: view.monitor };
	const after: History["services"] = {};
	for (const service of services) {
		const read = reads[service];
		const last = before.services[service] ?? { start: null, unit_restarts: null, restarts: [] };
		// One cycle by a command is no start of the service.
		const isService = read.kind === "ok" && !("once" in read.state && read.state.once === true);
		const start = isService ? `${read.state.pid} ${read.state.pid_started_at}` : last.start;
		const unitRestarts = units[service]?.restarts ?? null;
		// systemd counts only its own restarts, and none that a person requested.
		const restarted =
			unitRestarts !== null
				? last.unit_restarts === null
					? 0
					: Math.max(0, unitRestarts - last.unit_restarts)
				: start !== null && last.start !== null && start !== last.start
					? 1
					: 0;
		const restarts = [...last.restarts, ...Array<number>(Math.min(restarted, mostRemembered)).fill(now)]
			.filter((at) => now - at < restartWindowMs && at <= now)
			.slice(-mostRemembered);
		after[service] = { start, unit_restarts: unitRestarts, restarts };
	}
	return { services: after, ...observeSkipped(before, view.sync.kind === "ok" ? view.sync.state.skipped : null, now, newsMs) };
}

function observeSkipped(
	before: History,
	skipped: readonly SkippedFile[] | null,
	now: number,
	newsMs: number,
): Pick<History, "skipped_known" | "skipped_recently"> {
	const recently = before.skipped_recently.filter((item) => now - item.seen_at < newsMs && item.seen_at <= now);
	if (skipped === null) return { skipped_known: before.skipped_known, skipped_recently: recently };
	const known = before.skipped_known === null ? null : new Set(before.skipped_known);
	const current = skipped.slice(0, mostPathsRemembered);
	const news = known === null ? [] : current.filter((file) => !known.has(nameOf(file.path)));
	const still = new Set(current.map((file) => file.path));
	return {
		skipped_known: current.map((file) => nameOf(file.path)),
		skipped_recently: [
			...recently.filter((item) => still.has(item.path)),
			...news.slice(0, mostRemembered).map((file) => ({ path: file.path, reason: file.reason, seen_at: now })),
		].slice(-mostRemembered),
	};
}

/** How many times each service was restarted within the last ten minutes. */
export function recentRestarts(history: History): Record<ServiceName, number> {
	return Object.fromEntries(services.map((service) => [service, history.services[service]?.restarts.length ?? 0])) as Record<
		ServiceName,
		number
	>;
}
