import { formatTime } from "@robust-sync/system/durations";
import type { Finding, Problem } from "../findings.ts";
import { oneLine } from "../plain-text.ts";
import type { Facts } from "../readings/facts.ts";

/** A channel that fails once is retried within seconds; only a channel that keeps failing is reported. */
const failuresUntilShown = 2;

/** Whether alerts are delivered: channels that fail, channels that are refused, alerts that wait. */
export function checkAlerts(facts: Facts): Finding {
	const name = "alerts";
	const { channels, channelProblem, now } = facts;
	const problems: Problem[] = [];
	const working = channels.filter((channel) => channel.failures === 0);
	for (const channel of channels) {
		if (!channel.misconfigured && channel.failures < failuresUntilShown) continue;
		const since = channel.failingSince ?? now;
		problems.push({
			id: `alerts:${channel.name}`,
			severity: working.length === 0 ? "critical" : "warning",
			title: `alerts do not get out by ${channel.name}`,
			detail: `${channel.name} has failed ${channel.failures} times since ${formatTime(since, now)}: ${oneLine(channel.lastError ?? "no reason known", 400)}.`,
			action: channel.misconfigured ? "correct .sync_env, then: monitor --test-alert" : "monitor --test-alert",
			since,
			// An alert about a failing channel cannot be sent by that channel, and once it can the problem is over.
			notify: working.length > 0,
		});
	}
	const waiting = facts.undelivered === 0 ? "" : `; ${facts.undelivered} wait`;
	const names = channels.map((channel) => channel.name).join(", ");
	// Not an alert: there is no channel to send it by, and a node without a channel is healthy. The check, the log and the page show it.
	const incomplete = channelProblem === null ? "" : ` (${oneLine(channelProblem, 400)})`;
	const summary =
		channels.length === 0 ? `no channel is configured${incomplete}: alerts stay in logs/monitor.log` : `by ${names}${waiting}${incomplete}`;
	return { name, summary, problems };
}
