import { formatDuration, formatTime } from "@robust-sync/system/durations";
import { type PeerState, peerLiveness, type StateRead } from "@robust-sync/workspace";
import type { Finding, Problem } from "../findings.ts";
import { oneLine } from "../plain-text.ts";
import type { Facts } from "../readings/facts.ts";

/** Clocks further apart than this put messages and saved versions visibly out of order. */
export const clockOffsetLimitMs = 5_000;
const alertDelayMs = 30_000;

/** Whether one peer is heard, hears us, and has the same time. */
export function checkHeartbeat(facts: Facts, peer: string, read: StateRead<PeerState>): Finding {
	const name = `heartbeat:${peer}`;
	const { now, config, view } = facts;
	const timeoutMs = config.peerTimeoutSeconds * 1000;
	const address = config.peers.find((candidate) => candidate.name === peer);
	const remote = `ssh ${address?.host ?? peer} systemctl status ${peer}-heartbeat`;
	const silent = (problem: Partial<Problem> & { detail: string }): Problem => ({
		id: name,
		severity: "critical",
		title: `${peer} is silent`,
		cause: `${peer} is off, its network is down, or its heartbeat does not run.`,
		action: remote,
		// A peer that our own heartbeat saw go silent is not a symptom of that heartbeat's later death.
		symptomOf: view.heartbeat.kind === "ok" && !(read.kind === "ok" && read.state.status === "down") ? ["process:heartbeat"] : [],
		network: true,
		...problem,
	});

	if (read.kind === "invalid") {
		const detail = `The state file of ${peer} is not valid: ${oneLine(read.problem)}.`;
		const action = "restart heartbeat: it sets the file aside and writes a new one";
		return {
			name,
			summary: detail,
			problems: [{ id: name, severity: "warning", title: `state of ${peer} is not readable`, detail, action, forMs: alertDelayMs }],
		};
	}
	const known = read.kind === "ok" ? knownCause(read.state, address?.host ?? peer) : null;
	if (read.kind === "missing" || read.state.received_at === null) {
		const startedAt = view.heartbeat.kind === "ok" ? Date.parse(view.heartbeat.state.started_at) : null;
		if (startedAt === null) {
			const detail = `Nothing is known of ${peer}: heartbeat has never run here.`;
			return { name, summary: detail, problems: [silent({ severity: "warning", detail, action: "start it: heartbeat", notify: false })] };
		}
		const waited = now - startedAt;
		const detail = `${peer} has not been heard once since heartbeat started ${formatTime(startedAt, now)}.`;
		const isWaiting = waited <= timeoutMs;
		// A known cause is shown at once, and alerted if it did not pass.
		if (isWaiting && known === null) return { name, summary: `waiting for the first heartbeat of ${peer}`, problems: [] };
		const title = `${peer} was never heard`;
		const problem = silent({ detail, title, since: startedAt, ...known, ...(isWaiting ? { severity: "warning", notify: false } : {}) });
		return { name, summary: problem.detail, problems: [problem] };
	}

	const { state } = read;
	const receivedAt = Math.min(Date.parse(read.state.received_at), now);
	const ago = now - receivedAt;
	const status = peerLiveness(state, now, timeoutMs);
	const summary = `heard ${formatDuration(ago)} ago${state.rtt_ms === null ? "" : `, round trip ${state.rtt_ms.toFixed(state.rtt_ms < 10 ? 1 : 0)} ms`}`;
	const heard = () => `last heard ${formatTime(receivedAt, now)}`;
	if (status === "down") {
		return {
			name,
			summary,
			problems: [
				silent({
					detail: `No heartbeat from ${peer} for ${formatDuration(ago)} (${heard()}).`,
					since: receivedAt,
					...known,
					...(state.cause === "stopped" && ago <= timeoutMs ? { notify: false } : {}),
				}),
			],
		};
	}
	if (status === "suspect") {
		const detail = `${peer} is late: ${heard()}, ${state.missed} missed.`;
		return {
			name,
			summary,
			problems: [silent({ severity: "warning", title: `${peer} is late`, detail, since: receivedAt, notify: false })],
		};
	}
	const problems: Problem[] = [];
	if (state.hears_us === false) {
		problems.push({
			id: `${name}:one-way`,
			severity: "warning",
			title: `${peer} does not hear us`,
			detail: `We hear ${peer}, but ${peer} does not hear us.`,
			cause: `a firewall drops UDP to port ${address?.port ?? config.heartbeatPort} of ${peer}, or its keys differ.`,
			action: "heartbeat --status",
			forMs: timeoutMs,
			symptomOf: ["process:heartbeat", name],
		});
	}
	if (state.clock_offset_ms !== null && Math.abs(state.clock_offset_ms) > clockOffsetLimitMs) {
		problems.push({
			id: `${name}:clock`,
			severity: "warning",
			title: `the clocks of this node and ${peer} differ`,
			detail: `The clock of ${peer} is ${formatDuration(Math.abs(state.clock_offset_ms))} ${state.clock_offset_ms > 0 ? "ahead of" : "behind"} ours.`,
			cause: "one of the two does not get its time by NTP.",
			action: "timedatectl status, on both",
			forMs: 2 * config.heartbeatIntervalSeconds * 1000,
			symptomOf: ["clock", name],
		});
	}
	return { name, summary, problems };
}

/** The reason by which the heartbeat explains that a peer is not heard; null: none beyond the silence. */
function knownCause(state: PeerState, host: string): (Partial<Problem> & { detail?: string }) | null {
	const { peer } = state;
	const why = oneLine(state.reason ?? "", 400);
	switch (state.cause) {
		case "stopped":
			return {
				severity: "warning",
				title: `${peer} was stopped`,
				detail: `The heartbeat of ${peer} was stopped on purpose (${why}).`,
				cause: "a person stopped it, or the machine was shut down.",
				action: `when it is to run again: ssh ${host} systemctl start ${peer}-robust-sync.target`,
			};
		case "key":
			return {
				title: `${peer} has another HEARTBEAT_KEY`,
				detail: `The datagrams of ${peer} are refused: it does not have the HEARTBEAT_KEY of this node.`,
				cause: "the key was changed on one of the two only.",
				action: "put the same HEARTBEAT_KEY into .sync_env on both, then restart heartbeat there",
			};
		case "address":
			return {
				title: `${peer} is not where its name leads`,
				detail: `The datagrams of ${peer} are refused: ${why}.`,
				cause: `${host} resolves to another address, or another machine claims to be ${peer}.`,
				action: "correct PEERS in .sync_env, or set HEARTBEAT_KEY on all nodes",
			};
		case "misdirected":
			return {
				title: `${peer} takes this node for another one`,
				detail: `The datagrams of ${peer} are refused: ${why}.`,
				cause: "its PEERS, or NODE_NAME here, has the wrong name.",
				action: "correct PEERS there or NODE_NAME here",
			};
		case "unresolved":
			return {
				title: `the name of ${peer} does not resolve`,
				detail: `${host}, the host of ${peer}, does not resolve: ${why}.`,
				cause: "a wrong name in PEERS, or a name server that does not answer.",
				action: `getent hosts ${host}; correct PEERS in .sync_env`,
			};
		case "link":
			return {
				title: `the link to ${peer} is broken`,
				cause: `the network between this node and ${peer}: another peer hears it.`,
				action: `traceroute ${host}; look for a firewall that drops UDP`,
			};
		default:
			return null;
	}
}
