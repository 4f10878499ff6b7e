import { randomUUID } from "node:crypto";
import { formatDuration, formatTime } from "@robust-sync/system/durations";
import { timestamp } from "@robust-sync/system/timestamps";
import { severities } from "@robust-sync/workspace";
import * as z from "zod/mini";
import type { AlertEvent } from "../lifecycle/alert-record.ts";
import { oneLine } from "../plain-text.ts";

/**
 * One alert event that not every channel has delivered yet, as kept in monitor_status.json.
 * It is self-contained, so that it survives its alert, the process and the configuration.
 */
export const queuedAlertSchema = z.object({
	/** Unique key of this item. */
	key: z.string(),
	/** The alert's id. */
	id: z.string(),
	kind: z.enum(["firing", "reminder", "resolved", "test"]),
	severity: z.enum(severities),
	escalated_from: z.optional(z.enum(severities)),
	title: z.string(),
	detail: z.string(),
	cause: z.optional(z.string()),
	action: z.optional(z.string()),
	since: z.string(),
	/** When it happened. */
	at: z.string(),
	/** When it was queued. */
	noted_at: z.string(),
	expires_at: z.optional(z.string()),
	/** The channels that have not delivered it yet. */
	channels: z.array(z.string()),
	/** How many changes of the same alert were left out between the one before and this one. */
	omitted: z._default(z.number(), 0),
});
export type QueuedAlert = z.infer<typeof queuedAlertSchema>;

// Together far below the limit of one message.
const longest = { title: 200, detail: 1_500, cause: 400, action: 400 };

/** An event as an item that waits for `channels`. */
export function toQueuedAlert(event: AlertEvent, channels: readonly string[], now: number): QueuedAlert {
	return {
		key: randomUUID(),
		id: event.id,
		kind: event.kind,
		severity: event.severity,
		escalated_from: event.escalatedFrom,
		title: oneLine(event.title, longest.title),
		detail: oneLine(event.detail, longest.detail),
		cause: event.cause && oneLine(event.cause, longest.cause),
		action: event.action && oneLine(event.action, longest.action),
		since: timestamp(event.since),
		at: timestamp(event.at),
		noted_at: timestamp(now),
		expires_at: timestamp(event.once ? now + 10 * 60_000 : event.expiresAt),
		channels: [...channels],
		omitted: 0,
	};
}

/** How many items of one alert may wait for a channel; of more, those in the middle are only counted. */
const mostWaitingPerAlert = 4;

/**
 * Adds items to the queue. A reminder of an alert that was not delivered yet is left out. A channel that is down
 * for weeks does not collect every flap: the first and the latest changes of an alert are kept, the rest counted.
 */
export function enqueue(waiting: readonly QueuedAlert[], added: readonly QueuedAlert[]): QueuedAlert[] {
	let list = [...waiting];
	for (const item of added) {
		const same = list.filter((other) => other.id === item.id && other.channels.some((channel) => item.channels.includes(channel)));
		if (item.kind === "reminder" && same.some((other) => other.kind !== "resolved")) continue;
		list.push({ ...item });
		if (same.length < mostWaitingPerAlert) continue;
		const dropped = same[1];
		const after = same[2];
		if (!dropped || !after) continue;
		list = list
			.filter((other) => other !== dropped)
			.map((other) => (other === after ? { ...after, omitted: after.omitted + dropped.omitted + 1 } : other));
	}
	return list;
}

/** A notification that is sent this late includes the time of the event. */
const lateMs = 90_000;

/** One item as a block of lines for people. */
export function renderItem(item: QueuedAlert, now: number): string {
	const at = Date.parse(item.at);
	const since = Date.parse(item.since);
	const late = now - Date.parse(item.noted_at) > lateMs ? ` (happened ${formatTime(at, now)}, could not be sent until now)` : "";
	const omitted = item.omitted > 0 ? ` [${item.omitted} more changes in between]` : "";
	if (item.kind === "resolved") {
		return `✅ Over: “${item.title}”${omitted}${late}\nFrom ${formatTime(since, now)} to ${formatTime(at, now)} (${formatDuration(at - since)}).`;
	}
	const symbol = item.kind === "test" ? "🧪" : item.severity === "critical" ? "🔴" : "🟡";
	const still = item.kind === "reminder" ? `Still, for ${formatDuration(at - since)}: ` : "";
	return [
		`${symbol} ${still}${item.title}${omitted}${late}`,
		item.detail,
		item.cause && `Likely: ${item.cause}`,
		item.action && `Do: ${item.action}`,
	]
		.filter(Boolean)
		.join("\n");
}
