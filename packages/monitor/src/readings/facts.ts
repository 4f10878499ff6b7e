import type { OperationName } from "@robust-sync/git";
import type { Config, NodeView, PeerState, ServiceLiveness, ServiceName, StateRead } from "@robust-sync/workspace";

/** The open operation of the repository. */
export interface RepositoryView {
	/** Paths with unresolved conflicts. */
	readonly unmerged: number;
	readonly operation: OperationName | null;
	/** When the operation was last touched, milliseconds since the epoch. */
	readonly operationSince: number | null;
}

/** Space and inodes of a file system. */
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

/** How a service that does not run any more ended. */
export type ServiceEnd = "stopped" | "killed" | "before-boot";

/** The state of a channel, kept from one delivery to the next. */
export interface ChannelHealth {
	readonly name: string;
	readonly failures: number;
	/** When the failures began, milliseconds since the epoch. */
	readonly failingSince: number | null;
	readonly lastError: string | null;
	/** The receiver refused the configuration: no retry will help until a person corrects it. */
	readonly misconfigured: boolean;
}

/** All input of a round of checks, read once. The checks themselves read nothing. */
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
	/** The value of the configuration that a service would refuse at its start; null: none, or all services run. */
	readonly configProblem: string | null;
	/** Peers that are configured or that the heartbeat knows. */
	readonly peers: ReadonlyMap<string, StateRead<PeerState>>;
	/** null: not a working tree, or it could not be read (`repositoryProblem` has the reason). */
	readonly repository: RepositoryView | null;
	readonly repositoryProblem: string | null;
	/** null: systemd does not run, or does not know a unit of this service. */
	readonly units: Readonly<Record<ServiceName, UnitView | null>>;
	/** How many times each service was restarted within the last ten minutes. */
	readonly recentRestarts: Readonly<Record<ServiceName, number>>;
	readonly disk: DiskView | null;
	/** How far the wall clock was set since the last round; a few milliseconds: not at all. */
	readonly clockStepMs: number;
	readonly oldestPendingMs: number | null;
	/** Files that robust-sync has begun to skip within the last minutes. */
	readonly newlySkipped: readonly { readonly path: string; readonly reason: string; readonly seenAt: number }[];
	/** Configured channels, with their state. */
	readonly channels: readonly ChannelHealth[];
	/** The problem of the channels' present configuration. */
	readonly channelProblem: string | null;
	readonly undelivered: number;
}
