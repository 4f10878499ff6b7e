import type { Config, NodeView, PeerState, ServiceLiveness, ServiceName, StateRead } from "@robust-sync/workspace";

/** What is left open in the repository. */
export interface RepositoryView {
	/** Paths with conflicts that nobody resolved. */
	readonly unmerged: number;
	readonly operation: null | "merge" | "rebase" | "cherry-pick" | "revert" | "bisect" | "am";
	/** When the operation was last touched, milliseconds since the epoch. */
	readonly operationSince: number | null;
}

/** A file system's room. */
export interface DiskView {
	readonly freeBytes: number;
	readonly totalBytes: number;
	readonly freeInodes: number;
	/** 0: this file system does not count inodes. */
	readonly totalInodes: number;
}

/** A unit as systemd sees it (systemctl(1), show). */
export interface UnitView {
	readonly unit: string;
	/** `active activating deactivating inactive failed …` */
	readonly activeState: string;
	readonly subState: string;
	/** `success exit-code signal core-dump watchdog oom-kill …` */
	readonly result: string;
	readonly enabled: boolean;
	/** Automatic restarts since it was started by hand. */
	readonly restarts: number;
}

/** How a service that does not run any more came to its end. */
export type ServiceEnd = "stopped" | "killed" | "before-boot";

/** How a channel does, kept from one delivery to the next. */
export interface ChannelHealth {
	readonly name: string;
	readonly failures: number;
	/** When the failures began, milliseconds since the epoch. */
	readonly failingSince: number | null;
	readonly lastError: string | null;
	/** The other side refused what is configured: no retry will help until a person does something. */
	readonly misconfigured: boolean;
}

/** Everything that a round of checks looks at, read once. The checks themselves read nothing. */
export interface Facts {
	/** Milliseconds since the epoch. */
	readonly now: number;
	readonly config: Config;
	readonly root: string;
	/** true in the daemon: the monitor is this very process. */
	readonly isDaemon: boolean;
	readonly view: NodeView;
	readonly services: Readonly<Record<ServiceName, ServiceLiveness>>;
	/** For services that are down: how they ended. */
	readonly ends: Readonly<Record<ServiceName, ServiceEnd | null>>;
	/** Services whose instance lock was lost within the last ten minutes. */
	readonly lockLost: ReadonlySet<ServiceName>;
	/** What a service that is started now would refuse in the configuration; null: nothing, or all services run. */
	readonly configProblem: string | null;
	/** Peers that are configured or that the heartbeat knows. */
	readonly peers: ReadonlyMap<string, StateRead<PeerState>>;
	/** null: not a working tree, or it could not be read (`repositoryProblem` says why). */
	readonly repository: RepositoryView | null;
	readonly repositoryProblem: string | null;
	/** null: systemd does not run, or does not know a unit of this service. */
	readonly units: Readonly<Record<ServiceName, UnitView | null>>;
	/** How often each service was restarted within the last ten minutes. */
	readonly recentRestarts: Readonly<Record<ServiceName, number>>;
	readonly disk: DiskView | null;
	/** How far the wall clock was set since the last round; 0 or a few: not at all. */
	readonly clockStepMs: number;
	readonly oldestPendingMs: number | null;
	/** Files that robust-sync has begun to skip within the last minutes. */
	readonly newlySkipped: readonly { readonly path: string; readonly reason: string; readonly seenAt: number }[];
	/** Channels that are configured, with how they do. */
	readonly channels: readonly ChannelHealth[];
	/** What is wrong with the channels' configuration as it stands. */
	readonly channelProblem: string | null;
	readonly undelivered: number;
}
