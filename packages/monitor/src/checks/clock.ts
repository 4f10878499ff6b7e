import { formatDuration, formatTime } from "@robust-sync/system/durations";
import { peerLiveness } from "@robust-sync/workspace";
import type { Finding, Problem } from "../findings.ts";
import type { Facts } from "../readings/facts.ts";
import { clockOffsetLimitMs } from "./heartbeat.ts";

/** No release of this program is older: an earlier clock lost its battery or its NTP server. */
const earliestPlausible = Date.UTC(2025, 0, 1);
/** NTP slews smaller differences; a step of this size puts file times and messages out of order. */
const stepLimitMs = 5_000;

/** This node's own clock: plausible at all, not set by a jump, and not the odd one out among the peers. */
export function checkClock(facts: Facts): Finding {
	const name = "clock";
	const problems: Problem[] = [];
	if (facts.now < earliestPlausible) {
		problems.push({
			id: name,
			severity: "critical",
			title: "the clock is wrong",
			detail: `The clock shows ${formatTime(facts.now, 0)}, which is impossible.`,
			action: "timedatectl set-ntp true",
		});
	}
	const timeoutMs = facts.config.peerTimeoutSeconds * 1000;
	const offsets = [...facts.peers.values()]
		.flatMap((read) =>
			read.kind === "ok" && peerLiveness(read.state, facts.now, timeoutMs) === "alive" ? [read.state.clock_offset_ms] : [],
		)
		.filter((offset) => offset !== null)
		.sort((a, b) => a - b);
	const median = offsets[Math.floor(offsets.length / 2)] ?? 0;
	// Two against one: with a single peer it is unknown which clock is right, and `heartbeat:<peer>` reports the difference.
	const agreeing = offsets.filter((offset) => Math.abs(offset - median) <= clockOffsetLimitMs).length;
	if (offsets.length >= 2 && agreeing > offsets.length / 2 && Math.abs(median) > clockOffsetLimitMs) {
		problems.push({
			id: name,
			severity: "warning",
			title: "this node's clock is off",
			detail: `${agreeing} peers agree that this node's clock is ${formatDuration(Math.abs(median))} ${median > 0 ? "behind" : "ahead"}.`,
			action: "timedatectl status; timedatectl set-ntp true",
			forMs: 2 * facts.config.heartbeatIntervalSeconds * 1000,
		});
	}
	if (Math.abs(facts.clockStepMs) > stepLimitMs) {
		problems.push({
			id: "clock:step",
			severity: "warning",
			title: "the clock was set",
			detail: `The clock was set ${facts.clockStepMs > 0 ? "forward" : "back"} by ${formatDuration(Math.abs(facts.clockStepMs))}.`,
			action: "timedatectl status",
			once: true,
			occurrence: String(facts.now),
		});
	}
	return { name, summary: offsets.length === 0 ? "plausible" : `${formatDuration(Math.abs(median))} from the peers`, problems };
}
