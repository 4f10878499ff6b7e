import type { ServiceName } from "@robust-sync/workspace";
import type { Finding, Problem } from "../findings.ts";
import { oneLine } from "../plain-text.ts";
import type { Facts } from "../readings/facts.ts";
import { executableOf, serviceAction } from "./advice.ts";

/** A requested stop is followed by a start if it is part of a restart or an upgrade. */
const restartGraceMs = 10_000;
/** After a boot, a first installation or a stop on purpose: a service may take this long to be started. */
const startGraceMs = 60_000;
const alertDelayMs = 30_000;
/** This many restarts within ten minutes are a crash loop, even if the service is up at every check. */
const crashLoopRestarts = 3;

/** Whether one of this node's four services runs: by its state file, its pid with the kernel's start time, and systemd's own view. */
export function checkProcess(facts: Facts, service: ServiceName): Finding {
	const name = `process:${service}`;
	const liveness = facts.services[service];
	const problems: Problem[] = [];
	if (service === "monitor" && facts.isDaemon) return { name, summary: "this process", problems: crashLoop(facts, service) };
	const read = readOf(facts, service);
	if (liveness.status === "down") problems.push(downProblem(facts, service));
	else if (read.kind === "invalid") {
		problems.push({
			id: name,
			severity: "warning",
			title: `state of ${service} is not readable`,
			detail: `The state file of ${service} is not valid: ${oneLine(read.problem)}.`,
			action: `restart ${service}: it sets the file aside and writes a new one`,
			forMs: alertDelayMs,
		});
	} else if (liveness.status === "unknown") {
		const problem = neverStarted(facts, service);
		if (problem === null) return { name, summary: "not needed: no peers are configured", problems };
		problems.push(problem);
	}
	problems.push(...crashLoop(facts, service));
	const summary =
		read.kind === "ok" ? `runs, pid ${read.state.pid}${service === "heartbeat" ? authentication(facts) : ""}` : liveness.reason;
	return { name, summary, problems };
}

/** Without a key, peers are known by their addresses alone; with no peers configured, no datagram is accepted anyway. */
function authentication({ view, peers }: Facts): string {
	if (view.heartbeat.kind !== "ok" || view.heartbeat.state.authenticated || peers.size === 0) return "";
	return "; not authenticated: set the same HEARTBEAT_KEY on all nodes";
}

function readOf(facts: Facts, service: ServiceName) {
	return { sync: facts.view.sync, heartbeat: facts.view.heartbeat, "health-server": facts.view.health, monitor: facts.view.monitor }[
		service
	];
}

function downProblem(facts: Facts, service: ServiceName): Problem {
	const { reason } = facts.services[service];
	const unit = facts.units[service];
	const end = facts.ends[service];
	const hangs = end === null;
	const onPurpose = end === "stopped";
	const read = readOf(facts, service);
	const asked = read.kind === "ok" && "status" in read.state && read.state.status === "stopped";
	const systemd =
		unit === null ? "" : ` systemd: ${unit.activeState} (${unit.subState}${unit.result === "success" ? "" : `, ${unit.result}`}).`;
	return {
		id: `process:${service}`,
		severity: asked ? "warning" : "critical",
		title: hangs ? `${service} hangs` : onPurpose ? `${service} is stopped` : `${service} died`,
		detail: `${executableOf[service]} on ${facts.config.nodeName} does not run: ${oneLine(reason)}.${systemd}`,
		...(end === "killed" ? { cause: "it crashed, or was killed (out of memory?)." } : {}),
		action: serviceAction(facts, service),
		...configurationCause(facts),
		forMs: unit?.activeState === "failed" || end === "killed" || hangs ? 0 : asked || end === "before-boot" ? startGraceMs : restartGraceMs,
	};
}

/** A refused configuration is reported as the cause, whatever the other symptoms are. */
function configurationCause({ configProblem, root }: Facts): Pick<Problem, "cause" | "action"> | null {
	if (configProblem === null) return null;
	return {
		cause: `its configuration is not accepted: ${oneLine(configProblem, 400)}.`,
		action: `correct ${oneLine(root)}/.sync_env, then start it`,
	};
}

/**
 * A service that never ran here. Sync is always needed, heartbeat as soon as there are peers: always
 * a problem. The others are optional: an alert only if systemd is to start them, else a line in the table.
 */
function neverStarted(facts: Facts, service: ServiceName): Problem | null {
	const unit = facts.units[service];
	const needed = service === "sync" || (service === "heartbeat" && facts.peers.size > 0);
	if (service === "heartbeat" && !needed && !unit?.enabled) return null;
	const wanted = needed || unit?.enabled === true;
	const monitor = service === "monitor" ? " No alerts will be sent." : "";
	return {
		id: `process:${service}`,
		severity: needed ? "critical" : "warning",
		title: `${service} does not run`,
		detail: `${executableOf[service]} was never started in this workspace.${monitor}`,
		action: unit === null ? `start it: ${executableOf[service]}` : `systemctl enable --now ${unit.unit}`,
		forMs: startGraceMs,
		notify: wanted,
	};
}

function crashLoop(facts: Facts, service: ServiceName): Problem[] {
	const restarts = facts.recentRestarts[service];
	if (restarts < crashLoopRestarts) return [];
	return [
		{
			id: `process:${service}`,
			severity: "critical",
			title: `${service} crashes again and again`,
			detail: `${executableOf[service]} was restarted ${restarts} times within ten minutes.`,
			cause: "it fails soon after each start, or its memory limit is too low.",
			action: serviceAction(facts, service),
			...configurationCause(facts),
			...(facts.lockLost.has(service)
				? {
						cause: `another instance took its lock: two of them work in ${oneLine(facts.root)}, or a person removed the lock file.`,
						action: `${executableOf[service].split(" ")[0]} --status; stop one of the two`,
					}
				: {}),
		},
	];
}
