import { type GitPath, type OnProgress, openRepository, type PlacedFile, type Repository, type SshConnections } from "@robust-sync/git";
import type { Loss } from "@robust-sync/guard";
import type { IntegrateContext } from "@robust-sync/resolve";
import type { Logger } from "@robust-sync/service/log";
import type { Lock } from "@robust-sync/system/lock";
import type { MonotonicClock } from "@robust-sync/system/monotonic-clock";
import type { Config, WorkspacePaths } from "@robust-sync/workspace";
import type { PlacedFiles } from "../checkout/placed-files.ts";
import type { ReplacedFiles } from "../checkout/replaced-files.ts";
import type { Task } from "../cycle/task.ts";
import type { ChangeWindow } from "../daemon/change-window.ts";
import type { ForgetMemory } from "../forget/forget-state.ts";
import type { HubPace } from "../remote/hub-pace.ts";
import type { Mirrors } from "../remote/mirrors.ts";
import type { StepsAhead } from "../remote/push-steps.ts";
import type { RefusalSearch } from "../remote/refused-files.ts";
import type { SecretMemory } from "../secrets/memory.ts";
import type { DirtySet } from "../snapshot/dirty-set.ts";
import type { HotFiles } from "../snapshot/hot-files.ts";
import type { VanishedFiles } from "../snapshot/vanished-files.ts";
import { guardLimits } from "./guard-limits.ts";

/** The environment of a cycle. Clock and log are parameters; nothing here is global. */
export interface CycleContext {
	readonly repository: Repository;
	readonly paths: WorkspacePaths;
	readonly config: Config;
	readonly log: Pick<Logger, "debug" | "info" | "warn" | "error">;
	readonly now: () => number;
	/** The cycle lock, held. */
	readonly lock: Lock;
	readonly memory: CycleMemory;
	/** The task of a command: carried out by this cycle, once. */
	readonly task?: Task;
	/** A scan that takes longer than this gets the question for the remote's tip beside it, milliseconds; default 50. */
	readonly askBesideAfterMs?: number;
}

/** A cycle's context for packages/resolve. */
export function integrateContext(context: CycleContext): CycleContext & IntegrateContext {
	const { memory, config } = context;
	const keepsVersions = config.syncAtime === "auto";
	const onPlaced = (files: readonly PlacedFile[]) => memory.placed.add(files);
	return {
		...context,
		clock: memory.clock,
		guard: guardLimits(config),
		keepsVersions,
		onPlaced,
		warn: (message, details) => context.log.warn(message, details),
	};
}

/** What one process remembers from cycle to cycle. Losing it costs time, never data. */
export interface CycleMemory {
	/** The synced branch: once chosen, a person's `git checkout` of another branch does not change it. */
	branch: string | null;
	/** The synced branch of this node's previous process. */
	lastBranch: string | null;
	/** The previous daemon was killed: its choice of the branch holds. */
	resumed: boolean;
	/** A snapshot was completed in the life of this process. */
	hasScanned: boolean;
	/** The last cycle found objects missing or damaged. */
	damaged: boolean;
	/** The whole index was checked, once in the life of a process. */
	indexChecked: boolean;
	/** The remote's tip at the end of the last success. */
	synced: string | null;
	/** HEAD as this process left it or last saw it. */
	knownHead: string | null;
	/** The remote-tracking ref at the start of the cycle. A fetch may move it beside the scan, also to a history that was replaced. */
	tipAtStart: string | null;
	/** The last cycle that learned the remote's tip found that it had moved. */
	hasMoved: boolean;
	/** Announced heads of peers that may be missing here. */
	announced: Set<string>;
	/** Files that were being written at the last scan. */
	hot: HotFiles;
	/** Names that were missing at the last scan. */
	readonly vanished: VanishedFiles;
	/** Whether hot files are left to a later cycle (a daemon) or waited for (`--once`). */
	deferHot: boolean;
	/** Special files and the like; searched at a bounded interval. */
	scannedAt: number;
	specialFiles: readonly string[];
	/** Gitlinks to nested repositories that another tool committed. */
	bareLinks: readonly GitPath[];
	/** Time of the last consistent copy of each live database. */
	readonly databaseCopiedAt: Map<GitPath, number>;
	/** The index was searched for our own files. */
	ownTrackedChecked: boolean;
	/** The last HEAD whose commits were known to contain no own files. */
	publishable: string | null;
	/** Left-out paths of a peer's commits, as reported, one character a byte. */
	refused: readonly string[];
	/** Tracked files that are not synced any more because their names are those of own files: reported as long as they exist. */
	ownTracked: readonly string[];
	/** Time of the last retry of held paths. */
	retriedAt: number;
	/** Time of the last maintenance. */
	tidiedAt: number;
	/** Monotonic clock; all ages are measured with it. */
	readonly clock: MonotonicClock;
	/** When each path was first seen to change since its last commit, by the monotonic clock: a stale write may be overwritten before a cycle can read it. */
	readonly firstChanges: Map<GitPath, number>;
	/** The paths that may differ from HEAD, if they are known without a full scan. */
	readonly dirty: DirtySet;
	/** Recent commits. */
	readonly changes: ChangeWindow;
	/** The last question about a loss, and the answer. */
	guarded: { readonly key: string; readonly loss: Loss | null } | null;
	/** The last report of held losses. */
	heldReported: string;
	/** Further remotes; null: this process does not push to them. */
	mirrors: Mirrors | null;
	/** When the remote may be used. */
	readonly pace: HubPace;
	/** Files that checkouts placed, and whether a program has read them since. */
	readonly placed: PlacedFiles;
	/** An unfinished push in steps. */
	steps: StepsAhead | null;
	/** An unfinished search for the files that the hub refuses. */
	search: RefusalSearch | null;
	/** Stamp of the index when it last matched SYNC_EXCLUDE, and the number of excluded tracked files. */
	excluded: { readonly stamp: string | null; readonly files: number };
	/** Stamp of each state file when it was last valid (state-files.ts). */
	readonly validStates: Map<string, string>;
	/** Searched contents, and findings. */
	readonly secrets: SecretMemory;
	/** Maps of content to forget. */
	readonly forget: ForgetMemory;
	/** Recently replaced files. */
	readonly replaced: ReplacedFiles;
}

/**
 * Opens the repository of a workspace with its configuration.
 * @param given ssh: connections to keep open between commands; onProgress: called with the progress of long work
 * @throws GitError
 */
export async function openWorkspaceRepository(
	paths: WorkspacePaths,
	config: Config,
	{ ssh, onProgress }: { readonly ssh?: SshConnections; readonly onProgress?: OnProgress } = {},
): Promise<Repository> {
	return await openRepository({
		directory: paths.root,
		node: config.nodeName,
		networkTimeoutMs: config.gitTimeoutSeconds * 1000,
		hooks: config.syncHooks,
		...(ssh ? { sshOptions: ssh.options } : {}),
		...(onProgress ? { onProgress } : {}),
	});
}
