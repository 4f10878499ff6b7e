import { services } from "@robust-sync/workspace";
import type { Finding } from "../findings.ts";
import type { Facts } from "../readings/facts.ts";
import { checkAlerts } from "./alerts.ts";
import { checkClock } from "./clock.ts";
import { checkConflicts } from "./conflicts.ts";
import { checkDisk } from "./disk.ts";
import { checkHeartbeat } from "./heartbeat.ts";
import { checkPeerProcesses } from "./peer-process.ts";
import { checkProcess } from "./process.ts";
import { checkSync } from "./sync.ts";

/** One round: runs every check on the facts. Reads nothing and changes nothing. */
export function runChecks(facts: Facts): Finding[] {
	const peers = [...facts.peers];
	return [
		...peers.map(([peer, read]) => checkHeartbeat(facts, peer, read)),
		checkSync(facts),
		checkConflicts(facts),
		...services.map((service) => checkProcess(facts, service)),
		...peers.flatMap(([peer, read]) => (read.kind === "ok" ? checkPeerProcesses(facts, peer, read.state) : [])),
		checkDisk(facts),
		checkClock(facts),
		checkAlerts(facts),
	];
}
