import { lstatSync, type Stats, statSync } from "node:fs";
import path from "node:path";
import { mountPointsBelow } from "./mount-points.ts";

/** The four services that report state, by the names that users and peers see. */
export const services = ["sync", "heartbeat", "health-server", "monitor"] as const;
export type ServiceName = (typeof services)[number];

/** The programs that write a log file of their own. */
export type LogName = ServiceName | "conflict-resolver";

/** Every file name of ours inside a workspace; no other package knows one (docs/contract.md, section 1). */
export class WorkspacePaths {
	readonly root: string;
	#beside: string | null = null;

	constructor(root: string) {
		this.root = path.resolve(root);
	}

	get envFile(): string {
		return path.join(this.root, ".sync_env");
	}
	get logs(): string {
		return path.join(this.root, "logs");
	}
	get sync(): string {
		return path.join(this.root, "sync");
	}
	get pending(): string {
		return path.join(this.sync, "pending");
	}
	get conflicts(): string {
		return path.join(this.sync, "conflicts");
	}
	get backups(): string {
		return path.join(this.#besideTree(), "backups");
	}
	/** The same for people: relative to the workspace. */
	get backupsText(): string {
		return path.relative(this.root, this.backups);
	}
	/** Staged files of a checkout: same file system as the working tree, never synced. */
	get staging(): string {
		return path.join(this.#besideTree(), "staging");
	}

	/** Second links to files that checkouts placed, each named by its inode: their access times show whether they were read. */
	get versions(): string {
		return path.join(this.#besideTree(), "versions");
	}

	/** Files that are linked into the working tree, or moved out of it, must be on its file system; `sync/` need not be. */
	#besideTree(): string {
		if (this.#beside !== null) return this.#beside;
		const sync = lstatSync(this.sync, { throwIfNoEntry: false });
		if (!sync) return this.sync;
		const git = path.join(this.root, ".git");
		const [top, dotGit] = [statSync(this.root), lstatSync(git, { throwIfNoEntry: false })];
		// A bind mount has the same device, but link(2) refuses it.
		const mounts = mountPointsBelow(this.root);
		const isApart = (stats: Stats, name: string) => stats.dev !== top.dev || [...mounts].some((mount) => mount === name);
		const canUseGit = dotGit?.isDirectory() === true && !isApart(dotGit, ".git");
		this.#beside = isApart(sync, "sync") && canUseGit ? path.join(git, "robust-sync") : this.sync;
		return this.#beside;
	}
	/** The journal of a checkout; exists only while one is in progress. */
	get journal(): string {
		return path.join(this.sync, "journal.json");
	}
	/** Merges of other nodes whose losing versions are still to be saved; exists only if there are some. */
	get unsavedMerges(): string {
		return path.join(this.sync, "unsaved_merges.json");
	}
	/** Paths that a checkout left untouched (held-paths.ts). */
	get held(): string {
		return path.join(this.sync, "held.json");
	}
	/** The annotation of this node's next commit (annotation.ts). */
	get annotation(): string {
		return path.join(this.sync, "annotation.json");
	}
	/** Times of the commits that are held for a decision (guard-notes.ts). */
	get guardNotes(): string {
		return path.join(this.sync, "guard.json");
	}
	/** The maps of forgotten content that this node has applied (robust-sync, forget/). */
	get forgetState(): string {
		return path.join(this.sync, "forget.json");
	}
	/** Reserved names of the outbox: the path under which each pending file is delivered. */
	/** Files that the hub refuses to take (robust-sync, refused-files.ts). */
	get refusedFiles(): string {
		return path.join(this.sync, "refused.json");
	}

	get outboxNames(): string {
		return path.join(this.sync, "outbox.json");
	}
	/** The last 24 hours of cycles (cycle-history.ts). */
	get cycleHistory(): string {
		return path.join(this.sync, "cycle_history.ring");
	}
	get syncState(): string {
		return path.join(this.sync, "sync_state.json");
	}
	get heartbeatState(): string {
		return path.join(this.sync, "heartbeat_state.json");
	}
	/** The token that a web server in front of the health server sends to see names and contents of files. */
	get healthToken(): string {
		return path.join(this.sync, "health_token");
	}
	get healthState(): string {
		return path.join(this.sync, "health_state.json");
	}
	get monitorStatus(): string {
		return path.join(this.sync, "monitor_status.json");
	}
	/** The pause: no cycle may begin until its end (pause.ts). */
	get pause(): string {
		return path.join(this.sync, "pause.json");
	}
	/** The progress of long work (progress.ts). */
	get progress(): string {
		return path.join(this.sync, "progress.json");
	}
	/** Alerts that a person silenced, and until when; written by `monitor --silence`, read by the monitor. */
	get silences(): string {
		return path.join(this.sync, "silences.json");
	}
	/** Held while the silences are changed. */
	get silencesLock(): string {
		return path.join(this.sync, "silences.lock");
	}
	peerState(peer: string): string {
		return path.join(this.sync, `peer_${peer}_state.json`);
	}
	/** The peer in the name of a file in `sync/`, or null. */
	static peerOfFile(name: string): string | null {
		return /^peer_([a-z0-9][a-z0-9-]{0,62})_state\.json$/.exec(name)?.[1] ?? null;
	}
	/** Held as long as an instance of the service runs. */
	instanceLock(service: ServiceName): string {
		return path.join(this.sync, `${service}.lock`);
	}
	/** Held by the supervisor of a service that runs without a service manager. */
	supervisorLock(service: ServiceName): string {
		return path.join(this.sync, `${service}.supervisor.lock`);
	}
	/** Held while anything changes the repository: a cycle, or the conflict resolver. */
	get cycleLock(): string {
		return path.join(this.sync, "cycle.lock");
	}
	logFile(name: LogName): string {
		return path.join(this.logs, `${name.replaceAll("-", "_")}.log`);
	}
	/** Delivered messages of one node, committed. Relative to the root, with forward slashes. */
	static messagesOf(node: string): string {
		return `messages/${node}`;
	}
}

/** Paths, relative to the root, that are never committed: written to `.git/info/exclude` and skipped by the watcher. */
export const neverCommitted = [".sync_env", "logs", "sync"] as const;

const ownNames: ReadonlySet<string> = new Set(neverCommitted);

/** One letter of each may take two bytes. */
const longestOwnName = 1 + Math.max(...neverCommitted.map((name) => name.length));

/**
 * Whether a name at the top of the workspace is one of ours, in any case: a case-insensitive file system takes it for ours.
 * @param name without a slash; one character for each byte
 */
export function isOwnName(name: string): boolean {
	if (name.length > longestOwnName) return false;
	// The long s is an s to such a file system, and the only letter of its kind in these names. Its two bytes:
	return ownNames.has(name.replaceAll("\u00c5\u00bf", "s").toLowerCase());
}
