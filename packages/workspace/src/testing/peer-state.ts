import type { Timestamp } from "@robust-sync/system/timestamps";
import type { PeerState } from "../state-schemas.ts";

/** A `peer_<name>_state.json` of a peer that is in sync and hears this node. @param at when it was heard */
export function peerStateAt(at: Timestamp, fields: Partial<PeerState> = {}): PeerState {
	return {
		schema: 1,
		peer: "chad",
		address: "192.0.2.7:8765",
		status: "alive",
		received_at: at,
		sequence: 1,
		boot_id: "b",
		missed: 0,
		rtt_ms: 1,
		clock_offset_ms: 0,
		phi: 0,
		hears_us: true,
		authenticated: true,
		head: null,
		last_sync: null,
		sync_status: "idle",
		consecutive_failures: 0,
		messages_pending: 0,
		services: { sync: "up", heartbeat: "up", "health-server": "up", monitor: "up" },
		...fields,
	};
}
