import * as z from "zod/mini";
import { holdReasons } from "./held-paths.ts";
import { fileModeText, innerPath, innerPathHex, workspacePath } from "./trusted-text.ts";

// Unknown fields are dropped, never fatal: newer writers and older readers are compatible (docs/contract.md, section 4).

const count = z.number().check(z.gte(0));
const timestamp = z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/));

export { timestamp as timestampSchema };

const writer = {
	schema: z.literal(1),
	node: z.string(),
	pid: z.number(),
	pid_started_at: timestamp,
	/** The pid namespace of `pid`; absent if not known. */
	pid_namespace: z.optional(z.string()),
	updated_at: timestamp,
};

export const syncStatuses = ["idle", "syncing", "retrying", "failed", "stopped", "paused", "held"] as const;
/** Every reason in `skipped`: of files that a snapshot left out, then of paths that a checkout left untouched (held-paths.ts). */
export const skipReasons = [
	"nested-repository",
	"special-file",
	"live-database",
	"refused-path",
	"refused-by-hub",
	"secret",
	"forget-refused",
	"forget-waits",
	...holdReasons,
] as const satisfies readonly string[];
export const errorCodes = [
	"NOT_A_REPOSITORY",
	"NO_REMOTE",
	"NO_COMMITS",
	"REMOTE_UNREACHABLE",
	"AUTH_FAILED",
	"PUSH_REJECTED",
	"PUSH_RACE",
	"PUSH_TOO_LARGE",
	"RATE_LIMITED",
	"BRANCH_GONE",
	"HISTORY_REWRITTEN",
	"INDEX_LOCKED",
	"CONFLICT_UNRESOLVED",
	"OPERATION_OPEN",
	"WRONG_BRANCH",
	"DETACHED_HEAD",
	"DISK_FULL",
	"PERMISSION_DENIED",
	"GIT_TOO_OLD",
	"GIT_TIMEOUT",
	"HOOK_FAILED",
	"CORRUPT_REPOSITORY",
	"REMOTE_DAMAGED",
	"FORGOTTEN_RETURNED",
	"PAUSED",
	"INTERNAL",
] as const;
/** Why a cycle failed (docs/contract.md, section 5). */
export type ErrorCode = (typeof errorCodes)[number];

export const skippedFileSchema = z.object({
	path: z.string(),
	reason: z.enum(skipReasons),
	/** The remedy, for a path that a checkout left untouched; additive to the contract. */
	remedy: z.optional(z.string()),
});

export const publishedSecretSchema = z.object({ path: z.string(), rule: z.string(), line: count });
/** A file that was published although it holds a secret (SYNC_SECRETS=warn, or in an earlier version): its place, never its value. */
export type PublishedSecret = z.infer<typeof publishedSecretSchema>;

/** A requested pause: its start and its end; null: until a person resumes. */
export const pauseSchema = z.object({ since: timestamp, until: z.nullable(timestamp) });
export type Pause = z.infer<typeof pauseSchema>;

export const heldLossSchema = z.object({
	/** `outgoing`: a commit of this node that is not published; `incoming`: one whose files stay unchanged here. */
	direction: z.enum(["outgoing", "incoming"]),
	commit: z.string(),
	since: timestamp,
	/** The files that it would remove, and how. */
	files: count,
	deleted: count,
	emptied: count,
	replaced: count,
	/** Files that were tracked before. */
	tracked: count,
	/** The first of them. */
	paths: z.array(z.string()),
});
/** A loss that waits for a decision. */
export type HeldLoss = z.infer<typeof heldLossSchema>;

export const mirrorStateSchema = z.object({
	name: z.string(),
	/** The commit that it was last brought to, and when; null: never. */
	head: z.nullable(z.string()),
	pushed_at: z.nullable(timestamp),
	/** Why the last attempt failed; null: it succeeded. */
	error: z.nullable(z.object({ code: z.enum(errorCodes), message: z.string() })),
});
/** One of `mirrors` in `sync_state.json`. */
export type MirrorState = z.infer<typeof mirrorStateSchema>;

export const syncStateSchema = z.object({
	...writer,
	started_at: timestamp,
	/** Written by a command that makes one cycle (`--once`), not by the daemon; additive to the contract. */
	once: z.optional(z.boolean()),
	status: z.enum(syncStatuses),
	last_attempt: z.nullable(timestamp),
	last_sync: z.nullable(timestamp),
	last_error: z.nullable(
		z.object({
			code: z.enum(errorCodes),
			message: z.string(),
			at: timestamp,
			/** The remote's text for people; additive to the contract. */
			remote_message: z.optional(z.string()),
		}),
	),
	consecutive_failures: count,
	next_attempt: z.nullable(timestamp),
	/** With the status `paused`: start and end (null: until a person resumes); additive to the contract. */
	paused: z.optional(z.nullable(pauseSchema)),
	/** Seconds between cycles without changes, as sync itself uses it (`--interval`); additive to the contract. */
	interval_seconds: z.optional(count),
	branch: z.nullable(z.string()),
	remote: z.nullable(z.string()),
	head: z.nullable(z.string()),
	ahead: count,
	behind: count,
	messages_pending: count,
	/** Further remotes that get the branch (SYNC_MIRRORS); additive to the contract. */
	mirrors: z.optional(z.array(mirrorStateSchema)),
	skipped: z.array(skippedFileSchema),
	/** How many tracked files this node neither sends nor checks out (SYNC_EXCLUDE); additive to the contract. */
	excluded: z.optional(count),
	/** Files that were published although they hold a secret (SYNC_SECRETS=warn); additive to the contract. */
	secrets: z.optional(z.array(publishedSecretSchema)),
	/** Losses that wait for `--approve` or `--reject`; additive to the contract. */
	held: z.optional(z.array(heldLossSchema)),
	/** Whether access times show here which version of a file a writer has read, and why (not); additive to the contract. */
	access_times: z.optional(z.object({ tell: z.boolean(), reason: z.string() })),
	last_cycle: z.nullable(
		z.object({
			duration_ms: count,
			committed: count,
			/** How many of the committed files are deletions; additive to the contract. */
			deleted: z.optional(count),
			/** How many files a checkout removed; additive to the contract. */
			removed: z.optional(count),
			pulled: count,
			pushed: count,
			resolved: count,
		}),
	),
	totals: z.object({ cycles: count, failures: count, commits: count, resolved: count, rescued: count }),
});
/** `sync_state.json`. `last_cycle.committed` and `.resolved` count files, `.pulled` and `.pushed` commits. */
export type SyncState = z.infer<typeof syncStateSchema>;
export type SkippedFile = z.infer<typeof skippedFileSchema>;

export const heartbeatStateSchema = z.object({
	...writer,
	started_at: timestamp,
	boot_id: z.string(),
	sequence: count,
	last_sent: z.nullable(timestamp),
	port: count,
	authenticated: z.boolean(),
	peers: z.array(z.string()),
	totals: z.object({ sent: count, received: count, acked: count, rejected: z.record(z.string(), count) }),
});
/** `heartbeat_state.json`. */
export type HeartbeatState = z.infer<typeof heartbeatStateSchema>;

export const upDown = ["up", "down", "unknown"] as const;
export type UpDown = (typeof upDown)[number];
export const peerStatuses = ["unknown", "alive", "suspect", "down"] as const;
export type PeerStatus = (typeof peerStatuses)[number];

/**
 * The known reason why a peer is not heard: it was stopped on purpose, its name does not resolve, its key is another one, its datagrams
 * come from elsewhere, its PEERS has a wrong name for this node, or only other peers hear it.
 */
export const peerCauses = ["stopped", "unresolved", "key", "address", "misdirected", "link"] as const;
export type PeerCause = (typeof peerCauses)[number];

export const peerStateSchema = z.object({
	schema: z.literal(1),
	peer: z.string(),
	address: z.nullable(z.string()),
	status: z.enum(peerStatuses),
	received_at: z.nullable(timestamp),
	sequence: z.nullable(count),
	boot_id: z.nullable(z.string()),
	missed: count,
	rtt_ms: z.nullable(z.number()),
	clock_offset_ms: z.nullable(z.number()),
	phi: z.nullable(z.number()),
	hears_us: z.nullable(z.boolean()),
	authenticated: z.boolean(),
	head: z.nullable(z.string()),
	last_sync: z.nullable(timestamp),
	sync_status: z.nullable(z.string()),
	consecutive_failures: z.nullable(count),
	messages_pending: z.nullable(count),
	services: z.object({
		sync: z.enum(upDown),
		heartbeat: z.enum(upDown),
		"health-server": z.enum(upDown),
		monitor: z.enum(upDown),
	}),
	/** The reason for the status, in words; additive to the contract. */
	reason: z.optional(z.nullable(z.string())),
	/** The same for programs; null: no particular reason is known. */
	cause: z.optional(z.nullable(z.enum(peerCauses))),
});
/** `peer_<name>_state.json`, written by this node's heartbeat. */
export type PeerState = z.infer<typeof peerStateSchema>;

export const healthStateSchema = z.object({ ...writer, started_at: timestamp, port: count });
/** `health_state.json`. */
export type HealthState = z.infer<typeof healthStateSchema>;

export const checkStatuses = ["ok", "warning", "critical"] as const;
export const alertStates = ["pending", "firing", "resolved"] as const;
export const severities = ["warning", "critical"] as const;
export type Severity = (typeof severities)[number];

export const alertSchema = z.object({
	id: z.string(),
	severity: z.enum(severities),
	state: z.enum(alertStates),
	since: timestamp,
	last_notified: z.nullable(timestamp),
	message: z.string(),
	/** Since when its condition is gone, while the alert is held so as not to report each flap; additive to the contract. */
	clear_since: z.optional(z.nullable(timestamp)),
});
export const monitorStatusSchema = z.object({
	...writer,
	status: z.enum(["ok", "degraded", "critical"]),
	checks: z.array(z.object({ name: z.string(), status: z.enum(checkStatuses), message: z.string(), since: timestamp })),
	alerts: z.array(alertSchema),
	undelivered: z.array(z.looseObject({ id: z.string() })),
	silences: z.optional(z.array(z.object({ id: z.string(), until: timestamp }))),
});
/** `monitor_status.json`. */
export type MonitorStatus = z.infer<typeof monitorStatusSchema>;

export const manifestSchema = z.object({
	schema: z.literal(1),
	resolved_at: timestamp,
	merge_commit: z.nullable(z.string()),
	ours: z.nullable(z.string()),
	theirs: z.nullable(z.string()),
	base: z.nullable(z.string()),
	files: z.array(
		z.object({
			path: workspacePath,
			type: z.string(),
			strategy: z.enum([
				"json",
				"keyed",
				"records",
				"append",
				"prose",
				"code",
				"later",
				"kept-modified",
				"both-names",
				"by-hand",
				"driver",
			]),
			winner: z.enum(["merged", "ours", "theirs", "both"]),
			saved: z.array(innerPath),
			/** git's file mode of each version; additive to the contract. */
			modes: z.optional(z.object({ ours: z.optional(fileModeText), theirs: z.optional(fileModeText), base: z.optional(fileModeText) })),
			/** The node of each side's version, if known: the author of its commits; additive to the contract. */
			nodes: z.optional(z.object({ ours: z.optional(z.string()), theirs: z.optional(z.string()) })),
			/** Path and saved files byte for byte, if the path is not UTF-8; additive to the contract. */
			path_hex: z.optional(innerPathHex),
			saved_hex: z.optional(z.array(innerPathHex)),
		}),
	),
});
/** `manifest.json` of one directory of saved versions. `saved` names files below the directory, such as `files/notes.md.ours`. */
export type Manifest = z.infer<typeof manifestSchema>;

/** `sync/silences.json`: alerts that a person silenced, and until when. */
export const silencesSchema = z.object({
	schema: z.literal(1),
	silences: z.array(z.object({ id: z.string(), until: timestamp })),
});
