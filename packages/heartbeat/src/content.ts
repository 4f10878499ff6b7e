import type { WireServices, WireSyncStatus } from "./wire-format.ts";

/** What a node reports of itself in every heartbeat; null: not known. */
export interface Content {
	/** The newest commit that is on the remote. */
	readonly head: string | null;
	/** Milliseconds since the epoch. */
	readonly lastSyncMs: number | null;
	readonly syncStatus: WireSyncStatus | null;
	readonly consecutiveFailures: number | null;
	readonly messagesPending: number | null;
	readonly services: WireServices;
}

export const unknownServices: WireServices = { sync: "unknown", heartbeat: "unknown", "health-server": "unknown", monitor: "unknown" };

/** The report of a peer that has sent none. */
export const noContent: Content = {
	head: null,
	lastSyncMs: null,
	syncStatus: null,
	consecutiveFailures: null,
	messagesPending: null,
	services: unknownServices,
};

export function sameContent(a: Content, b: Content): boolean {
	return (
		a.head === b.head &&
		a.lastSyncMs === b.lastSyncMs &&
		a.syncStatus === b.syncStatus &&
		a.consecutiveFailures === b.consecutiveFailures &&
		a.messagesPending === b.messagesPending &&
		a.services.sync === b.services.sync &&
		a.services.heartbeat === b.services.heartbeat &&
		a.services["health-server"] === b.services["health-server"] &&
		a.services.monitor === b.services.monitor
	);
}
