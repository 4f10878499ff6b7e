import { statSync } from "node:fs";
import type { Repository } from "@robust-sync/git";
import { type Config, peerStateSchema, readState, type SyncState, syncStateSchema, type WorkspacePaths } from "@robust-sync/workspace";
import { SyncError } from "../context/sync-error.ts";
import { askIntervalMs, type HubPace, pushIntervalMs, pushTurn } from "./hub-pace.ts";

interface Workspace {
	readonly paths: WorkspacePaths;
	readonly config: Config;
	/** Milliseconds since 1970. */
	readonly now: () => number;
}

/** Whether this peer announces its pushes: it is alive, and was heard from lately. */
function announces({ paths, config, now }: Workspace, peer: string): boolean {
	const read = readState(paths.peerState(peer), peerStateSchema);
	if (read.kind !== "ok" || read.state.status !== "alive" || read.state.received_at === null) return false;
	const ageMs = now() - Date.parse(read.state.received_at);
	return config.syncWatch && ageMs < config.peerTimeoutSeconds * 1_000;
}

/** Sets how often the remote may be used: by the configuration, the remote's address, and what the peers announce. @returns the address */
export function configurePace(pace: HubPace, repository: Pick<Repository, "config">, workspace: Workspace): string {
	const { config, now } = workspace;
	const { nodeName, syncPushInterval, syncRemote, syncIntervalSeconds, peers } = config;
	const key = `remote.${syncRemote}.`;
	const url = repository.config.get(`${key}pushurl`) ?? repository.config.get(`${key}url`) ?? "";
	const pushMs = pushIntervalMs(syncPushInterval, url, peers.length + 1);
	const areAnnounced = pushMs > 0 && peers.length > 0 && peers.every(({ name }) => announces(workspace, name));
	const names = peers.map(({ name }) => name);
	// A person's setting is kept to the second.
	const turn = syncPushInterval === "auto" ? pushTurn(nodeName, names, pushMs, now) : null;
	pace.configure(pushMs, askIntervalMs(pushMs, syncIntervalSeconds * 1_000, areAnnounced), turn);
	return url;
}

/** The remaining time of the remote's limit, milliseconds; 0: it may be asked. */
export function limitedMsOf({ last_error, next_attempt }: Pick<SyncState, "last_error" | "next_attempt">, now: number): number {
	const until = last_error?.code === "RATE_LIMITED" ? Date.parse(next_attempt ?? "") : Number.NaN;
	return Number.isNaN(until) ? 0 : Math.max(0, until - now);
}

/**
 * The remaining time of a limit that an earlier process of this workspace found. If the repository was configured
 * since, the remote may be another one: null, and also if the last cycle met no limit.
 */
function limitLeftMs(
	repository: Pick<Repository, "commonDirectory">,
	state: Pick<SyncState, "last_error" | "next_attempt">,
	now: number,
): number | null {
	if (state.last_error?.code !== "RATE_LIMITED") return null;
	const configured = statSync(`${repository.commonDirectory}/config`, { throwIfNoEntry: false })?.mtimeMs ?? 0;
	return configured > Date.parse(state.last_error.at) ? null : limitedMsOf(state, now);
}

/** Continues the limit that an earlier process of this workspace found. */
export function resumeLimit(pace: HubPace, repository: Pick<Repository, "commonDirectory">, state: SyncState, now: number): void {
	const leftMs = limitLeftMs(repository, state, now);
	if (leftMs !== null) pace.resume(leftMs, state.consecutive_failures);
}

/** The same for a command that only reads. */
export function limitSeenMs(repository: Pick<Repository, "commonDirectory">, paths: WorkspacePaths, now: number): number {
	const read = readState(paths.syncState, syncStateSchema);
	return read.kind === "ok" ? (limitLeftMs(repository, read.state, now) ?? 0) : 0;
}

/** The message of a command that avoids the remote. */
export function stillLimited(waitMs: number, now: number, remoteMessage: string | null = null): SyncError {
	const seconds = Math.ceil(waitMs / 1_000);
	const until = new Date(now + waitMs).toISOString().slice(0, 19);
	return new SyncError(
		"RATE_LIMITED",
		`the remote limits requests: waiting another ${seconds} s (until ${until}Z); changes are committed here and pushed after that: run this again then, or let robust-sync run`,
		{ remoteMessage, retryAfterMs: waitMs },
	);
}
