import { redact } from "@robust-sync/service/redact";
import type { QueuedAlert } from "../delivery/alert-queue.ts";
import { type Channel, ChannelError, type Delivery } from "../delivery/channel.ts";
import { oneLine } from "../plain-text.ts";
import { postJson } from "./http.ts";
import { reachHost } from "./reach.ts";

/** An alert in the form of Alertmanager's API v2 (postableAlert in its openapi.yaml). */
interface PostableAlert {
	readonly labels: Readonly<Record<string, string>>;
	readonly annotations: Readonly<Record<string, string>>;
	readonly startsAt: string;
	/** While the alert fires: a time in the future (no more is sent until then). When it is resolved: the time of its end. */
	readonly endsAt: string;
}

/** Names for Alertmanager's routing, one for each kind of alert id. */
function alertName(id: string): string {
	const kind = id
		.replace(/^heartbeat:[^:]+/, "heartbeat")
		.replace(/^process:.*/, "process")
		.replace(/^alerts:.*/, "alerts");
	return (
		{
			heartbeat: "RobustSyncPeerSilent",
			"heartbeat:one-way": "RobustSyncPeerDoesNotHearUs",
			"heartbeat:clock": "RobustSyncClocksDiffer",
			sync: "RobustSyncFailing",
			"sync:history": "RobustSyncHistoryRewritten",
			"sync:skipped": "RobustSyncFilesSkipped",
			"sync:secret": "RobustSyncSecretPublished",
			"sync:pending": "RobustSyncMessagesWaiting",
			conflicts: "RobustSyncConflictUnresolved",
			"conflicts:operation": "RobustSyncOperationLeftOpen",
			"conflicts:heads": "RobustSyncNodesDisagree",
			"conflicts:repository": "RobustSyncRepositoryUnreadable",
			process: "RobustSyncProcessDown",
			disk: "RobustSyncDiskFull",
			clock: "RobustSyncClockOff",
			"clock:step": "RobustSyncClockSet",
			alerts: "RobustSyncAlertsNotDelivered",
			test: "RobustSyncTest",
		}[kind] ?? "RobustSync"
	);
}

/** Milliseconds since 1970. The clock may have been ahead when the event was queued: it did not happen later than now. */
const happenedAt = ({ at }: QueuedAlert, now: number) => Math.min(Date.parse(at), now);

/**
 * An alert event in Alertmanager's form. The labels identify the alert that ends; the severity is one of
 * them, so an alert that became worse is a new one to Alertmanager, and the one with the lower severity ends.
 */
function toPostables(item: QueuedAlert, node: string, now: number): PostableAlert[] {
	const firing = toPostable(item, node, now);
	if (item.escalated_from === undefined) return [firing];
	const ended = { ...firing, labels: { ...firing.labels, severity: item.escalated_from } };
	// Alertmanager refuses an alert that ends before it began.
	const endedAt = Math.max(Date.parse(firing.startsAt), happenedAt(item, now));
	return [{ ...ended, endsAt: new Date(endedAt).toISOString() }, firing];
}

function toPostable(item: QueuedAlert, node: string, now: number): PostableAlert {
	const resolved = item.kind === "resolved";
	const startsAt = Math.min(Date.parse(item.since), now);
	const at = happenedAt(item, now);
	// As long after the event as when it was queued.
	const expires = at + Date.parse(item.expires_at ?? "") - Date.parse(item.at);
	const endsAt = resolved ? at : Number.isNaN(expires) ? now + 3_600_000 : Math.max(expires, now + 60_000);
	const iso = (at: number) => new Date(at).toISOString();
	return {
		labels: { alertname: alertName(item.id), instance: item.id, node, severity: item.severity },
		annotations: {
			summary: `${node}: ${item.title}`,
			description: item.detail,
			...(item.cause ? { cause: item.cause } : {}),
			...(item.action ? { action: item.action } : {}),
		},
		startsAt: iso(startsAt),
		// Alertmanager refuses an alert that ends before it began.
		endsAt: iso(Math.max(endsAt, startsAt)),
	};
}

/** POSTs alerts to any receiver of Alertmanager's `POST /api/v2/alerts`. */
export function webhookChannel(url: string, now: () => number = Date.now): Channel {
	// A receiver may echo the path, which can be the secret part of the address.
	const { pathname, search } = new URL(url);
	const secrets = [url, `${pathname}${search}`, pathname].filter((part) => part.length > 8);
	return {
		name: "webhook",
		async send({ items, node, signal }: Delivery) {
			const reply = await postJson(
				url,
				latestOfEach(items).flatMap((item) => toPostables(item, node, now())),
				{ signal },
			);
			if (reply.status >= 200 && reply.status < 300) return;
			const text = oneLine(redact(reply.body, secrets), 200);
			const message = `the webhook answers ${reply.status}${text === "" ? "" : `: ${text}`}`;
			if (reply.status === 429 || reply.status >= 500) throw new ChannelError(message, { retryAfterMs: reply.retryAfterMs });
			throw new ChannelError(`${message}: check ALERT_WEBHOOK_URL`, { misconfigured: true });
		},
		probe: async () => await reachHost(url),
	};
}

/** A receiver stores states, not their history: of several items about one alert the last one counts. */
function latestOfEach(items: readonly QueuedAlert[]): QueuedAlert[] {
	return [...new Map(items.map((item) => [item.id, item])).values()];
}
