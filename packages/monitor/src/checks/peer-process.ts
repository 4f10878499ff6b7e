import { type PeerState, peerLiveness, type ServiceName, services } from "@robust-sync/workspace";
import type { Finding, Problem } from "../findings.ts";
import type { Facts } from "../readings/facts.ts";
import { executableOf } from "./advice.ts";

/** A start over there takes seconds; what a heartbeat said may be from the middle of one. The next one has to say it again. */
const startMs = 10_000;

/**
 * The services of a peer, as its heartbeats tell them. A dead monitor is told by nobody but its peers; about the other
 * services its own monitor alerts, so they are told from here only when that one does not run.
 */
export function checkPeerProcesses(facts: Facts, peer: string, state: PeerState): Finding[] {
	if (peerLiveness(state, facts.now, facts.config.peerTimeoutSeconds * 1000) !== "alive") return [];
	const host = facts.config.peers.find((candidate) => candidate.name === peer)?.host ?? peer;
	const watched = state.services.monitor === "up";
	return services.flatMap((service: ServiceName) => {
		if (state.services[service] !== "down") return [];
		const id = `process:${service}@${peer}`;
		const problem: Problem = {
			id,
			severity: service === "monitor" || service === "sync" ? "critical" : "warning",
			title: `${service} of ${peer} is down`,
			detail: `${executableOf[service]} does not run on ${peer}, by its own heartbeat.${service === "monitor" ? ` Nobody on ${peer} is watching.` : ""}`,
			action: `ssh ${host} systemctl status ${peer}-${service}`,
			forMs: facts.config.heartbeatIntervalSeconds * 1000 + startMs,
			normalForAWhile: true,
			notify: service === "monitor" || !watched,
			symptomOf: [`heartbeat:${peer}`, "process:heartbeat"],
		};
		return [{ name: id, summary: "", problems: [problem] }];
	});
}
