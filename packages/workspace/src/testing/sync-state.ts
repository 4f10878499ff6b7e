import type { Timestamp } from "@robust-sync/system/timestamps";
import type { SyncState } from "../state-schemas.ts";

/** A `sync_state.json` of a node that is in sync, written by this process. @param at the time of everything that `fields` does not give */
export function syncStateAt(at: Timestamp, fields: Partial<SyncState> = {}): SyncState {
	return {
		schema: 1,
		node: "helios",
		pid: process.pid,
		pid_started_at: at,
		updated_at: at,
		started_at: at,
		status: "idle",
		last_attempt: at,
		last_sync: at,
		last_error: null,
		consecutive_failures: 0,
		next_attempt: null,
		branch: "main",
		remote: "origin",
		head: null,
		ahead: 0,
		behind: 0,
		messages_pending: 0,
		skipped: [],
		last_cycle: null,
		totals: { cycles: 1, failures: 0, commits: 0, resolved: 0, rescued: 0 },
		...fields,
	};
}
