import { type PeerState, peerLiveness, type ServiceName, services } from "@robust-sync/workspace";
import type { Finding, Problem } from "../findings.ts";
import type { Facts } from "../readings/facts.ts";
import { executableOf } from "./advice.ts";

/** A start on the peer takes seconds, and a heartbeat may report the middle of one: the next heartbeat has to confirm it. */
const startMs = 10_000;

/**
 * The services of a peer, as its heartbeats report them. Only its peers can report a dead monitor. Its own monitor alerts about the
 * other services, so they are reported from here only when that monitor does not run.
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
			detail: `${executableOf[service]} does not run on ${peer}, by its own heartbeat.${service === "monitor" ? ` No monitor watches ${peer}.` : ""}`,
			action: `ssh ${host} systemctl status ${peer}-${service}`,
			forMs: facts.config.heartbeatIntervalSeconds * 1000 + startMs,
			normalForAWhile: true,
			notify: service === "monitor" || !watched,
			symptomOf: [`heartbeat:${peer}`, "process:heartbeat"],
		};
		return [{ name: id, summary: "", problems: [problem] }];
	});
}
