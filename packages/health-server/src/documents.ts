import path from "node:path";
import { timestamp } from "@robust-sync/system/timestamps";
import type { SavedDirectory, StateRead } from "@robust-sync/workspace";
import { joinSlots } from "./cycle-slots.ts";
import type { NodeSnapshot, PeerView } from "./snapshot.ts";

/** The last 24 hours are reported in slots of five minutes: 288 at most. */
const historySlotMs = 5 * 60_000;
/** A resolution of thousands of files is listed in full by its manifest and by `conflict-resolver --report`. */
const listedFiles = 100;

/** `/health`, field by field as the contract defines it. */
export function healthDocument(snapshot: NodeSnapshot) {
	const { view, health, now } = snapshot;
	return {
		status: health.status,
		node: snapshot.node,
		last_sync: view.sync.kind === "ok" ? view.sync.state.last_sync : null,
		messages_pending: snapshot.outbox.count,
		uptime: snapshot.uptimeSeconds,
		timestamp: timestamp(now),
	};
}

/** Whole seconds since the time, never negative. */
function ageSeconds(time: string | number | null, now: number): number | null {
	if (time === null) return null;
	const since = typeof time === "number" ? time : Date.parse(time);
	return Math.max(0, Math.round((now - since) / 1000));
}

/** The state file's own fields, with the liveness of its writer and their age; null without the file. */
function written<T extends { updated_at: string }>(read: StateRead<T>, running: boolean, now: number) {
	if (read.kind === "missing") return null;
	if (read.kind === "invalid") return { running, problem: read.problem };
	return { ...read.state, running, age_seconds: ageSeconds(read.state.updated_at, now) };
}

function peerDocument({ name, status, state }: PeerView, now: number, ourHead: string | null) {
	if (!state) return { peer: name, status, received_at: null, age_seconds: null };
	return {
		...state,
		status,
		reported_status: state.status,
		age_seconds: ageSeconds(state.received_at, now),
		head_agrees: state.head === null || ourHead === null ? null : state.head === ourHead,
	};
}

/** One saved resolution; `files` is null if its manifest is missing. */
export function savedDocument(saved: SavedDirectory) {
	const { manifest } = saved;
	return {
		saved: saved.name,
		saved_at: timestamp(saved.savedAt),
		merge_commit: manifest?.merge_commit ?? null,
		ours: manifest?.ours ?? null,
		theirs: manifest?.theirs ?? null,
		base: manifest?.base ?? null,
		files: manifest?.files.slice(0, listedFiles) ?? null,
		files_total: manifest?.files.length ?? null,
	};
}

/** `/status` for other users of this machine: the state of the node, without file names or text that may quote one. */
export function publicStatusDocument(snapshot: NodeSnapshot) {
	const { view, services, health, now, outbox, unmerged, saved } = snapshot;
	const sync = view.sync.kind === "ok" ? view.sync.state : null;
	return {
		node: snapshot.node,
		status: health.status,
		reasons: health.reasons.map(({ name, severity }) => ({ name, severity })),
		timestamp: timestamp(now),
		uptime: snapshot.uptimeSeconds,
		sync: sync && {
			status: sync.status,
			last_sync: sync.last_sync,
			consecutive_failures: sync.consecutive_failures,
			running: services.sync.status === "up",
			age_seconds: ageSeconds(sync.updated_at, now),
		},
		peers: snapshot.peers.map(({ name, status, state }) => ({
			peer: name,
			status,
			age_seconds: ageSeconds(state?.received_at ?? null, now),
		})),
		services: Object.fromEntries(Object.entries(services).map(([name, { status }]) => [name, status])),
		outbox: { messages_pending: outbox.count },
		conflicts: { unresolved: unmerged.count, saved_total: saved.count },
		limited: "names and messages are for the workspace's owner and root",
	};
}

/** `/status`: the whole state, with the age of the parts that other services wrote. */
export function statusDocument(snapshot: NodeSnapshot) {
	const { view, services, health, now, outbox, unmerged, saved } = snapshot;
	const up = (service: keyof typeof services) => services[service].status === "up";
	const ourHead = view.sync.kind === "ok" ? view.sync.state.head : null;
	return {
		node: snapshot.node,
		status: health.status,
		reasons: health.reasons,
		timestamp: timestamp(now),
		uptime: snapshot.uptimeSeconds,
		workspace: snapshot.workspace,
		sync: written(view.sync, up("sync"), now),
		progress: snapshot.progress,
		heartbeat: written(view.heartbeat, up("heartbeat"), now),
		peers: snapshot.peers.map((peer) => peerDocument(peer, now, ourHead)),
		monitor: written(view.monitor, up("monitor"), now),
		services: Object.fromEntries(Object.entries(services).map(([name, { status }]) => [name, status])),
		service_reasons: Object.fromEntries(Object.entries(services).flatMap(([name, { reason }]) => (reason ? [[name, reason]] : []))),
		outbox: {
			messages_pending: outbox.count,
			oldest: outbox.oldest.map((message) => ({
				name: path.basename(message.name.toString("utf8")),
				size: message.size,
				since: timestamp(message.since),
				age_seconds: ageSeconds(message.since, now),
			})),
		},
		conflicts: {
			unresolved: unmerged.count,
			known_at: unmerged.at === null ? null : timestamp(unmerged.at),
			problem: unmerged.problem,
			resolved_total: view.sync.kind === "ok" ? view.sync.state.totals.resolved : null,
			saved_total: saved.count,
			saved: saved.newest.map(savedDocument),
		},
		history: [...joinSlots(snapshot.history, historySlotMs).values()].map(({ at, ...slot }) => ({ at: timestamp(at), ...slot })),
	};
}
