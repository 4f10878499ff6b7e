import { isOwnPath } from "@robust-sync/resolve";
import { printable } from "@robust-sync/service/printable";
import { redact } from "@robust-sync/service/redact";
import { diskFiles } from "@robust-sync/system/disk-files";
import { pidNamespaceField, processStartedAt } from "@robust-sync/system/process-table";
import { timestamp } from "@robust-sync/system/timestamps";
import {
	type Config,
	listPending,
	oldestPendingMs,
	type Pause,
	readOwnState,
	type SyncState,
	syncStateSchema,
	type WorkspacePaths,
	writeState,
} from "@robust-sync/workspace";
import { type AccessTimes, accessTimesOf } from "../checkout/access-times.ts";
import type { SyncError } from "../context/sync-error.ts";
import { limitedMsOf } from "../remote/pace-of-workspace.ts";
import type { CycleResult } from "./progress.ts";

/** A failure for `sync_state.json`, without secrets. */
export function lastErrorOf(error: SyncError, secrets: Iterable<string>, at: string): NonNullable<SyncState["last_error"]> {
	const known = [...secrets];
	const { code, message, remoteMessage } = error;
	return {
		code,
		message: printable(redact(message, known)),
		at,
		...(remoteMessage === null ? {} : { remote_message: redact(remoteMessage, known) }),
	};
}

/**
 * The reported use of access times is at most this old. To find a "yes", the mounts of all processes are read, and this file is written several
 * times a minute. A checkout does not rely on the report.
 */
const accessTimesForMs = { yes: 5 * 60_000, no: 5_000 } as const;

/** Keeps `sync_state.json` current: writes every change of status, and at least every 30 s while alive. */
export class SyncRecord {
	readonly #paths: WorkspacePaths;
	readonly #config: () => Config;
	readonly #now: () => number;
	readonly #onProblem: (line: string) => void;
	#state: SyncState;
	#lastAccessTimes: { readonly at: number; readonly syncAtime: Config["syncAtime"]; readonly times: AccessTimes } | null = null;
	/** The last write, so that a later one waits for it. */
	#written: Promise<void> = Promise.resolve();

	/** @param once whether this process runs a single cycle; the monitor must not count it as a restart of the daemon */
	constructor(paths: WorkspacePaths, config: () => Config, now: () => number, onProblem: (line: string) => void, once = false) {
		this.#paths = paths;
		this.#config = config;
		this.#now = now;
		this.#onProblem = onProblem;
		const before = readOwnState(paths.syncState, syncStateSchema, {
			now,
			onCorrupt: (movedTo, problem) => onProblem(`sync_state.json did not parse (${problem}): moved to ${movedTo}, starting again`),
		});
		const at = timestamp(now());
		this.#state = {
			schema: 1,
			node: config().nodeName,
			pid: process.pid,
			pid_started_at: processStartedAt(process.pid) ?? at,
			...pidNamespaceField(),
			updated_at: at,
			started_at: at,
			...(once ? { once } : {}),
			status: "idle",
			last_attempt: before?.last_attempt ?? null,
			last_sync: before?.last_sync ?? null,
			last_error: before?.last_error ?? null,
			consecutive_failures: before?.consecutive_failures ?? 0,
			next_attempt: before?.last_error?.code === "RATE_LIMITED" ? before.next_attempt : null,
			interval_seconds: config().syncIntervalSeconds,
			branch: before?.branch ?? config().syncBranch,
			remote: config().syncRemote,
			head: before?.head ?? null,
			ahead: before?.ahead ?? 0,
			behind: before?.behind ?? 0,
			messages_pending: 0,
			mirrors: before?.mirrors ?? [],
			skipped: before?.skipped ?? [],
			excluded: before?.excluded ?? 0,
			secrets: before?.secrets ?? [],
			held: before?.held ?? [],
			last_cycle: before?.last_cycle ?? null,
			totals: before?.totals ?? { cycles: 0, failures: 0, commits: 0, resolved: 0, rescued: 0 },
		};
	}

	get state(): SyncState {
		return this.#state;
	}

	/** Files with names of own files that the last cycle reported (own-tracked.ts). */
	get ownTracked(): string[] {
		return this.#state.skipped.flatMap(({ path, reason }) =>
			reason === "refused-path" && path.includes("/") && isOwnPath(path) ? [path] : [],
		);
	}

	/** Rewrites the file with these fields changed. Never throws: a failed write is logged, because a full disk must not end the loop. */
	update(fields: Partial<SyncState>): Promise<void> {
		this.#state = {
			...this.#state,
			...fields,
			node: this.#config().nodeName,
			remote: this.#config().syncRemote,
			interval_seconds: this.#config().syncIntervalSeconds,
			updated_at: timestamp(this.#now()),
			messages_pending: listPending(this.#paths).length,
			access_times: this.#accessTimes(),
		};
		const state = this.#state;
		this.#written = this.#written
			.then(() => writeState(this.#paths.syncState, state))
			.catch((error: unknown) =>
				this.#onProblem(`sync_state.json cannot be written: ${error instanceof Error ? error.message : String(error)}`),
			);
		return this.#written;
	}

	/** Reads mounts, and therefore keeps its answer for a while. */
	#accessTimes(): AccessTimes {
		const { syncAtime } = this.#config();
		const at = performance.now();
		const last = this.#lastAccessTimes;
		if (last !== null && last.syncAtime === syncAtime && at - last.at < accessTimesForMs[last.times.tell ? "yes" : "no"]) return last.times;
		const times = accessTimesOf(diskFiles, this.#paths, this.#config());
		this.#lastAccessTimes = { at, syncAtime, times };
		return times;
	}

	/** Cycles are paused. */
	paused(pause: Pause): Promise<void> {
		return this.update({ status: "paused", paused: pause, next_attempt: pause.until });
	}

	/** The time until which the remote must be avoided outlives a process. */
	get #nextKept(): string | null {
		return limitedMsOf(this.#state, this.#now()) > 0 ? this.#state.next_attempt : null;
	}

	/** A cycle begins. */
	syncing(): Promise<void> {
		return this.update({ status: "syncing", paused: null, last_attempt: timestamp(this.#now()), next_attempt: this.#nextKept });
	}

	/** A cycle succeeded. */
	succeeded(result: CycleResult, durationMs: number, nextAttempt: number | null): Promise<void> {
		const at = timestamp(this.#now());
		return this.update({
			status: result.held.length > 0 ? "held" : "idle",
			last_sync: at,
			// Reported once: with the cycle in which it happened.
			last_error: result.rewritten
				? {
						code: "HISTORY_REWRITTEN",
						message: "the remote's history was rewritten (a forced push): both histories were merged, nothing was dropped",
						at,
					}
				: null,
			consecutive_failures: 0,
			next_attempt: nextAttempt === null ? null : timestamp(nextAttempt),
			behind: 0,
			...this.#outcome(result, durationMs),
		});
	}

	/** A cycle did everything but use the remote, which limits this node: the reason, and its start, stay. */
	waited(result: CycleResult, durationMs: number, nextAttempt: number): Promise<void> {
		const status = this.#state.consecutive_failures >= this.#config().maxSyncFailures ? "failed" : "retrying";
		return this.update({ status, next_attempt: timestamp(nextAttempt), ...this.#outcome(result, durationMs), held: this.#state.held });
	}

	#outcome(
		result: CycleResult,
		durationMs: number,
	): Pick<SyncState, "branch" | "head" | "ahead" | "skipped" | "excluded" | "secrets" | "held" | "last_cycle" | "totals"> {
		const { totals } = this.#state;
		return {
			branch: result.branch,
			head: result.head,
			ahead: result.ahead,
			skipped: [...result.skipped],
			excluded: result.excluded,
			secrets: [...result.secrets],
			held: [...result.held],
			last_cycle: {
				duration_ms: Math.round(durationMs),
				committed: result.committed,
				deleted: result.deleted,
				removed: result.removed,
				pulled: result.pulled,
				pushed: result.pushed,
				resolved: result.resolved,
			},
			totals: {
				...totals,
				cycles: totals.cycles + 1,
				commits: totals.commits + result.commits,
				resolved: totals.resolved + result.resolved,
				rescued: totals.rescued + result.rescued,
			},
		};
	}

	/** A cycle failed; `final`: there is no automatic retry. */
	failed(
		error: SyncError,
		nextAttempt: number | null,
		where: { head?: string | null; branch?: string | null; ahead?: number; behind?: number },
	): Promise<void> {
		const at = timestamp(this.#now());
		const failures = this.#state.consecutive_failures + 1;
		const { totals } = this.#state;
		return this.update({
			...where,
			status: nextAttempt === null || failures >= this.#config().maxSyncFailures ? "failed" : "retrying",
			last_error: lastErrorOf(error, this.#config().secrets, at),
			consecutive_failures: failures,
			next_attempt: nextAttempt === null ? null : timestamp(nextAttempt),
			totals: { ...totals, cycles: totals.cycles + 1, failures: totals.failures + 1 },
		});
	}

	/** The process ends. */
	stopped(): Promise<void> {
		return this.update({ status: "stopped", paused: null, next_attempt: this.#nextKept });
	}

	/** Resolves when everything recorded so far is on disk. */
	flushed(): Promise<void> {
		return this.#written;
	}

	/** Age of the oldest waiting message, milliseconds. */
	oldestPendingMs(): number | null {
		return oldestPendingMs(this.#paths, this.#now());
	}
}
