import { lstatSync, type Stats, statSync } from "node:fs";
import path from "node:path";
import { mountPointsBelow } from "./mount-points.ts";

/** The four services that report state, under the names that users and peers see. */
export const services = ["sync", "heartbeat", "health-server", "monitor"] as const;
export type ServiceName = (typeof services)[number];

/** Everything that writes a log file of its own. */
export type LogName = ServiceName | "conflict-resolver";

/** Every file name inside a workspace that is ours; no other package knows one (docs/contract.md, section 1). */
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
	/** The same as a person reads it: relative to the workspace. */
	get backupsText(): string {
		return path.relative(this.root, this.backups);
	}
	/** Files on their way into the working tree: same file system, never synced. */
	get staging(): string {
		return path.join(this.#besideTree(), "staging");
	}

	/** Second links to files that checkouts put in place, each named by its inode: whether they were read shows there. */
	get versions(): string {
		return path.join(this.#besideTree(), "versions");
	}

	/** What is linked into the working tree, or taken out of it, must be on its file system; `sync/` need not be. */
	#besideTree(): string {
		if (this.#beside !== null) return this.#beside;
		const sync = lstatSync(this.sync, { throwIfNoEntry: false });
		if (!sync) return this.sync;
		const git = path.join(this.root, ".git");
		const [top, dotGit] = [statSync(this.root), lstatSync(git, { throwIfNoEntry: false })];
		// A bind mount has the same device, and link(2) refuses it all the same.
		const mounts = mountPointsBelow(this.root);
		const isApart = (stats: Stats, name: string) => stats.dev !== top.dev || [...mounts].some((mount) => mount === name);
		const canUseGit = dotGit?.isDirectory() === true && !isApart(dotGit, ".git");
		this.#beside = isApart(sync, "sync") && canUseGit ? path.join(git, "robust-sync") : this.sync;
		return this.#beside;
	}
	/** What robust-sync was doing to the working tree; there only while it does it. */
	get journal(): string {
		return path.join(this.sync, "journal.json");
	}
	/** Which files are being replaced because a program wrote them from an old version; there only while that is done. */
	get rescueJournal(): string {
		return path.join(this.sync, "rescue.json");
	}
	/** Merges of other nodes whose losing versions are still to be saved; there only while there are some. */
	get unsavedMerges(): string {
		return path.join(this.sync, "unsaved_merges.json");
	}
	/** Paths that a checkout left untouched (held-paths.ts). */
	get held(): string {
		return path.join(this.sync, "held.json");
	}
	/** What the next commit of this node says about itself (annotation.ts). */
	get annotation(): string {
		return path.join(this.sync, "annotation.json");
	}
	/** Since when something is held for a person's word (guard-notes.ts). */
	get guardNotes(): string {
		return path.join(this.sync, "guard.json");
	}
	/** Which maps of what is to be forgotten this node has applied (robust-sync, forget/). */
	get forgetState(): string {
		return path.join(this.sync, "forget.json");
	}
	/** The outbox's fixed names: which pending file is delivered under which path. */
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
	/** Shown by a web server in front of the health server, to be told names and contents of files. */
	get healthToken(): string {
		return path.join(this.sync, "health_token");
	}
	get healthState(): string {
		return path.join(this.sync, "health_state.json");
	}
	get monitorStatus(): string {
		return path.join(this.sync, "monitor_status.json");
	}
	/** That no cycle is to begin, and until when (pause.ts). */
	get pause(): string {
		return path.join(this.sync, "pause.json");
	}
	/** How far work is that takes long (progress.ts). */
	get progress(): string {
		return path.join(this.sync, "progress.json");
	}
	/** Alerts that a person silenced, and until when; written by `monitor --silence`, read by the monitor. */
	get silences(): string {
		return path.join(this.sync, "silences.json");
	}
	/** Held for the moment in which the silences are changed. */
	get silencesLock(): string {
		return path.join(this.sync, "silences.lock");
	}
	peerState(peer: string): string {
		return path.join(this.sync, `peer_${peer}_state.json`);
	}
	/** The peer that a file name in `sync/` is about, or null. */
	static peerOfFile(name: string): string | null {
		return /^peer_([a-z0-9][a-z0-9-]{0,62})_state\.json$/.exec(name)?.[1] ?? null;
	}
	stateFileOf(service: ServiceName): string {
		switch (service) {
			case "sync":
				return this.syncState;
			case "heartbeat":
				return this.heartbeatState;
			case "health-server":
				return this.healthState;
			case "monitor":
				return this.monitorStatus;
		}
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
 * Whether a name at the top of the workspace is one of ours, in any case: a file system that does not tell cases apart takes it for ours.
 * @param name without a slash; one character for each byte
 */
export function isOwnName(name: string): boolean {
	if (name.length > longestOwnName) return false;
	// The long s is an s to such a file system, and the only letter of its kind in these names. Its two bytes:
	return ownNames.has(name.replaceAll("\u00c5\u00bf", "s").toLowerCase());
}
