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
import type { HotFiles } from "../snapshot/hot-files.ts";
import type { KnownChanges } from "../snapshot/known-changes.ts";
import type { VanishedFiles } from "../snapshot/vanished-files.ts";
import { guardLimits } from "./guard-limits.ts";

/** What a cycle works with. Clock and log come in; nothing here is global. */
export interface CycleContext {
	readonly repository: Repository;
	readonly paths: WorkspacePaths;
	readonly config: Config;
	readonly log: Pick<Logger, "debug" | "info" | "warn" | "error">;
	readonly now: () => number;
	/** The cycle lock, held. */
	readonly lock: Lock;
	readonly memory: CycleMemory;
	/** What a person has asked for: it is carried out by this cycle, once. */
	readonly task?: Task;
}

/** A cycle's context as packages/resolve takes it. */
export function integrateContext(context: CycleContext): CycleContext & IntegrateContext {
	const { memory, config } = context;
	const keepsVersions = config.syncAtime === "auto";
	const onPlaced = (files: readonly PlacedFile[]) => memory.placed.add(files);
	return {
		...context,
		guard: guardLimits(config),
		keepsVersions,
		onPlaced,
		warn: (message, details) => context.log.warn(message, details),
	};
}

/** What one process remembers from cycle to cycle. Losing it costs time, never data. */
export interface CycleMemory {
	/** The branch that is synced: once chosen, a person's `git checkout` elsewhere does not change it. */
	branch: string | null;
	/** The branch that was synced when this node last ran. */
	lastBranch: string | null;
	/** The daemon before this one did not stop by itself: its choice of the branch holds. */
	resumed: boolean;
	/** A snapshot was completed in the life of this process. */
	looked: boolean;
	/** The last cycle found objects missing or damaged. */
	damaged: boolean;
	/** The index was checked in whole, once in the life of a process. */
	indexChecked: boolean;
	/** The remote's tip at the end of the last success. */
	synced: string | null;
	/** Heads that peers announced and that we may lack. */
	announced: Set<string>;
	/** Files that were being written when they were last looked at. */
	hot: HotFiles;
	/** Names that were missing when they were last looked at. */
	readonly vanished: VanishedFiles;
	/** Whether files that are hot are left to a later cycle (a daemon) or waited for (`--once`). */
	deferHot: boolean;
	/** Special files and the like, looked for at a bounded interval. */
	scannedAt: number;
	specialFiles: readonly string[];
	/** Links to nested repositories that another tool committed. */
	bareLinks: readonly GitPath[];
	/** When a consistent copy of a live database was last taken. */
	readonly databaseCopiedAt: Map<GitPath, number>;
	/** The index was searched for our own files. */
	ownTrackedChecked: boolean;
	/** Where HEAD was when its commits were last known to hold no files of ours. */
	publishable: string | null;
	/** What is reported of a peer's commits as left out, one character a byte. */
	refused: readonly string[];
	/** Files that were tracked, and are not synced any more because their names are ours: reported as long as they are there. */
	ownTracked: readonly string[];
	/** When held paths were last tried again. */
	retriedAt: number;
	/** When maintenance was last done. */
	tidiedAt: number;
	/** What nobody sets: ages are told by it. */
	readonly clock: MonotonicClock;
	/** When each path was first seen to change since it was last committed, by that clock: a stale write may be written over before a cycle can look. */
	readonly firstChanges: Map<GitPath, number>;
	/** What may differ from HEAD, as far as that is known without looking at everything. */
	readonly known: KnownChanges;
	/** What was committed a short while ago. */
	readonly changes: ChangeWindow;
	/** What was last asked about a loss, and the answer. */
	guarded: { readonly key: string; readonly loss: Loss | null } | null;
	/** What was last said to be held. */
	heldSaid: string;
	/** Further remotes; null: there is nobody to push to them. */
	mirrors: Mirrors | null;
	/** When the remote may be used. */
	readonly pace: HubPace;
	/** What our checkouts put in place, and whether it was read since. */
	readonly placed: PlacedFiles;
	/** A push that goes in steps, and is not over. */
	steps: StepsAhead | null;
	/** A search for the files that the hub refuses, which is not over. */
	search: RefusalSearch | null;
	/** How the index was when it was last known to be as SYNC_EXCLUDE wants it, and how many tracked files are excluded. */
	excluded: { readonly stamp: string | null; readonly files: number };
	/** How each state file was when it was last found to be valid (state-files.ts). */
	readonly validStates: Map<string, string>;
	/** What was searched for secrets, and what was found. */
	readonly secrets: SecretMemory;
	/** Maps of what is to be forgotten. */
	readonly forget: ForgetMemory;
	/** What our checkouts replaced a short while ago. */
	readonly replaced: ReplacedFiles;
}

/**
 * Opens the repository of a workspace with its configuration.
 * @param given ssh: connections to keep open between commands; onProgress: told how far long work is
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
