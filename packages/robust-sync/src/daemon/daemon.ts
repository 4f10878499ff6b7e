// Above 400 lines: one state machine: when a cycle runs, and what happens before and after it.
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { displayPath, GitError, type Repository, readStatus } from "@robust-sync/git";
import type { ServiceControl } from "@robust-sync/service/lifecycle";
import type { Logger } from "@robust-sync/service/log";
import type { WorkProgress } from "@robust-sync/service/work-progress";
import { counted } from "@robust-sync/system/counted";
import { acquireLock, type Lock, LockedError, LockLostError } from "@robust-sync/system/lock";
import {
	type Config,
	ensureExcluded,
	type Pause,
	pauseText,
	peerStateSchema,
	readPause,
	readState,
	recordCycle,
	type WorkspacePaths,
	withRemoteMessage,
} from "@robust-sync/workspace";
import { sayHeld } from "../checkout/guard.ts";
import { lookAtReads } from "../checkout/rescue.ts";
import { backOffMs } from "../context/back-off.ts";
import type { CycleContext, CycleMemory } from "../context/cycle-context.ts";
import { changesText, pulledText, savedText } from "../context/cycle-text.ts";
import { noteFirstChange } from "../context/first-changes.ts";
import { workspaceProgress } from "../context/progress.ts";
import { SyncError, toSyncError } from "../context/sync-error.ts";
import { type CycleResult, runCycle } from "../cycle/cycle.ts";
import { SyncRecord } from "../cycle/record.ts";
import { waitAfterCycleMs } from "../remote/hub-pace.ts";
import { Mirrors } from "../remote/mirrors.ts";
import { configurePace, resumeLimit } from "../remote/pace-of-workspace.ts";
import { readPosition } from "../remote/position.ts";
import { changedSinceHead } from "../snapshot/dirty-paths.ts";
import { confirmDeletionMs } from "../snapshot/vanished-files.ts";
import { AnnouncedHeads } from "./announced-heads.ts";
import { ChangeFeed, quietMs } from "./change-feed.ts";
import { LoopSleep } from "./loop-sleep.ts";
import { maintainWorkspace, maintenanceIntervalMs, maintenanceLatestMs } from "./maintain-workspace.ts";
import { newMemory } from "./new-memory.ts";
import { RepositoryHandle } from "./repository-handle.ts";

export interface DaemonOptions {
	paths: WorkspacePaths;
	config: Config;
	/** Reads the configuration again, for SIGHUP. */
	reloadConfig(): Config;
	logger: Logger;
	now?: () => number;
	random?: () => number;
}

/** State is rewritten at least this often (the contract requires every 30 s). */
const recordIntervalMs = 20_000;
const cycleLockPatienceMs = 60_000;
/** While paused the loop wakes at least this often, because the clock may be set. */
const longestSleepMs = 60_000;
const mostAnnounced = 64;
/** After a checkout of more files, git finds what was written meanwhile: here each file would be read by itself. */
const mostListed = 10_000;
/** After this time, the second of the checkout is over. */
const settleAfterMs = 1_050;
/** A peer's heartbeat ends a back-off, but at most this often. */
const minRetryMs = 1_000;

/** A node that merges needs longer than one that only pushes: after this many pushes in a row a node without merges waits a multiple of its own cycle time. */
const streakUntilYield = 2;
const yieldFactor = 2;
const maxYieldMs = 1_000;

/** Whether a search for the files that the hub refuses waits for the next permitted push. */
export function isSearching({ search, pace }: CycleMemory): boolean {
	return search !== null && pace.waitToPushMs() > 0;
}

/** The loop: a cycle at every interval, and at each event that means work. */
export class Daemon {
	readonly #options: DaemonOptions;
	readonly #paths: WorkspacePaths;
	readonly #log: Logger;
	readonly #now: () => number;
	readonly #random: () => number;
	readonly #memory: CycleMemory;
	readonly #record: SyncRecord;
	readonly #feed: ChangeFeed;
	readonly #handle: RepositoryHandle;
	/** The progress of a long cycle. */
	readonly #work: WorkProgress;
	readonly #announcements = new AnnouncedHeads({
		has: async (head) => await this.#handle.has(head),
		wanted: (head) => {
			const { announced } = this.#memory;
			// Cleared by a successful cycle; it must not grow while a remote is away for days.
			if (announced.size >= mostAnnounced) announced.clear();
			announced.add(head);
			this.wake();
		},
	});
	#config: Config;
	#control: ServiceControl | undefined;
	#instance: Lock | undefined;
	/** The address that the pace applies to; null: not known yet. */
	#hubUrl: string | null = null;
	#recordTimer: NodeJS.Timeout | undefined;
	/** A checkout has placed files without stat data in the index. */
	#unsettled = false;
	readonly #between = new LoopSleep();
	#woken = false;
	#stopped = false;
	#loop: Promise<void> = Promise.resolve();
	#progress = 0;
	#lastAttempt = 0;
	#failures = 0;
	/** The number of cycles in a row that needed another one, because files changed while they ran. */
	#streak = 0;
	/** No cycle starts before this (performance.now()), so that a node with constant writes leaves others time to push. */
	#notBefore = 0;

	constructor(options: DaemonOptions) {
		this.#options = options;
		this.#paths = options.paths;
		this.#config = options.config;
		this.#log = options.logger;
		this.#now = options.now ?? Date.now;
		this.#random = options.random ?? Math.random;
		this.#memory = newMemory(options.paths, true);
		this.#record = new SyncRecord(
			options.paths,
			() => this.#config,
			this.#now,
			(line) => this.#log.warn(line),
		);
		this.#work = workspaceProgress(this.#paths, this.#log, this.#now);
		this.#handle = new RepositoryHandle(this.#paths, this.#work);
		this.#feed = new ChangeFeed({
			paths: this.#paths,
			log: this.#log,
			memory: this.#memory,
			onChanges: () => this.#settled(),
			onPoll: () => this.wake(),
			onPeer: (peer) => this.#peerChanged(peer),
		});
	}

	get progress(): number {
		return this.#progress;
	}

	/** Takes the instance lock and starts the loop. @throws LockedError (exit code 4) */
	async start(control: ServiceControl): Promise<void> {
		this.#control = control;
		this.#memory.resumed = fs.existsSync(this.#paths.instanceLock("sync"));
		this.#memory.lastBranch = this.#record.state.branch;
		this.#memory.ownTracked = this.#record.ownTracked;
		this.#memory.damaged = this.#record.state.last_error?.code === "CORRUPT_REPOSITORY";
		this.#instance = await acquireLock(this.#paths.instanceLock("sync"), { purpose: "robust-sync", onLost: () => this.#lockLost() });
		ensureExcluded(this.#paths.root);
		await this.#record.update({ status: "idle" });
		this.#failures = this.#record.state.consecutive_failures;
		this.#memory.mirrors = new Mirrors({ log: this.#log, now: this.#now, random: this.#random }, this.#record.state.mirrors);
		this.#recordTimer = setInterval(() => {
			if (fs.existsSync(this.#paths.sync) && this.#isOurs()) void this.#record.update({});
		}, recordIntervalMs);
		if (this.#config.syncWatch) this.#feed.watchStates();
		this.#loop = this.#run();
	}

	/** Something changed: starts a cycle now, or right after the running one. */
	wake(): void {
		this.#woken = true;
		this.#between.wake();
	}

	/** Files changed. While cycles fail, that does not shorten the interval. */
	#settled(): void {
		// A limit of the remote delays no commit.
		const isLocal = this.#memory.pace.limitedMs() > 0;
		if (this.#failures > 0 && !isLocal && this.#now() - this.#lastAttempt < this.#config.syncIntervalSeconds * 1000) return;
		this.wake();
	}

	/** Reads the configuration again; an invalid one changes nothing. */
	async reload(): Promise<void> {
		const hub = this.#config.syncRemote;
		this.#config = this.#options.reloadConfig();
		if (this.#config.syncRemote !== hub) this.#memory.pace.recovered();
		this.#memory.forget.keysChanged();
		this.#log.setLevel(this.#config.logLevel);
		for (const secret of this.#config.secrets) this.#log.addSecret(secret);
		this.#handle.forget();
		this.#memory.branch = this.#config.syncBranch ?? this.#memory.branch;
		this.#feed.stopWatching();
		this.wake();
	}

	get memoryLimitBytes(): number {
		return this.#config.memoryLimitMb * 1_048_576;
	}

	/** Ends the loop after the cycle in progress. */
	async finish(): Promise<void> {
		this.#stopped = true;
		this.#between.end();
		await this.#loop;
	}

	/** Finishes and closes everything. */
	async stop(): Promise<void> {
		await this.finish();
		clearInterval(this.#recordTimer);
		this.#feed.close();
		this.#announcements.close();
		await this.#handle.dispose();
		if (fs.existsSync(this.#paths.sync) && this.#isOurs()) await this.#record.stopped();
		await this.#instance?.release();
	}

	/** Whether this process still owns the workspace: checked before writes that could collide with another process. */
	#isOurs(): boolean {
		// The whole workspace is unmounted, with the lock, and may return: the cycles report it.
		if (!fs.existsSync(this.#paths.root)) return true;
		try {
			this.#instance?.assertHeld();
			return true;
		} catch {
			return false;
		}
	}

	#lockLost(): void {
		// The whole workspace is unmounted, with the lock: the cycles report it, and continue when it is back.
		if (!fs.existsSync(this.#paths.root)) return;
		this.#log.error("the instance lock was lost: stopping before any further change");
		this.#control?.exit(75, "lock lost", { graceMs: 0 });
	}

	async #run(): Promise<void> {
		while (!this.#stopped) {
			const yieldMs = this.#notBefore - performance.now();
			if (yieldMs > 0) await sleep(yieldMs, undefined, { signal: this.#control?.signal as AbortSignal }).catch(() => undefined);
			if (this.#stopped) break;
			this.#woken = false;
			const waitMs = await this.#attempt();
			this.#progress++;
			if (this.#stopped) break;
			const settleMs = this.#unsettled && !this.#woken ? Math.min(waitMs, settleAfterMs) : 0;
			if (settleMs > 0) {
				await this.#sleep(settleMs);
				if (settleMs === settleAfterMs && !this.#woken && !this.#stopped) await this.#settleIndex();
			}
			await this.#sleep(waitMs - settleMs);
		}
	}

	async #sleep(waitMs: number): Promise<void> {
		if (this.#woken) return;
		this.#control?.idle(waitMs + 1_000);
		await this.#between.sleep(waitMs);
	}

	/** One cycle under the cycle lock. @returns milliseconds until the next */
	async #attempt(): Promise<number> {
		const started = performance.now();
		const intervalMs = this.#config.syncIntervalSeconds * 1000;
		// A cycle may take as long as its slowest git commands.
		this.#control?.idle(this.#config.gitTimeoutSeconds * 4_000 + 600_000);
		this.#lastAttempt = this.#now();
		let lock: Lock | undefined;
		let context: CycleContext | undefined;
		try {
			if (!fs.existsSync(this.#paths.root))
				throw new SyncError("NOT_A_REPOSITORY", `the workspace ${this.#paths.root} is gone: put it back, or stop this service`);
			this.#instance?.assertHeld();
			lock = await acquireLock(this.#paths.cycleLock, {
				purpose: "a sync cycle",
				waitMs: cycleLockPatienceMs,
				onLost: () => this.#lockLost(),
			});
			// Under the lock: a pause waits for it, and then no cycle runs.
			const pause = readPause(this.#paths, this.#now());
			if (pause !== null) return await this.#pause(pause);
			this.#announcements.cycleBegins();
			void this.#record.syncing();
			this.#feed.cycleBegins();
			this.#work.begin();
			context = await this.#context(lock);
			const result = await runCycle(context);
			lock.assertHeld();
			this.#instance?.assertHeld();
			// The index is written last: its time is the file system's, independent of the clock.
			if (result.checkedOut.length > 0)
				this.#feed.checkedOut(result.checkedOut, fs.statSync(`${context.repository.gitDirectory}/index`).mtimeMs);
			const durationMs = performance.now() - started;
			const limitedMs = this.#memory.pace.limitedMs();
			const waitMs = waitAfterCycleMs(result.postponedMs, intervalMs);
			recordCycle(this.#paths, this.#now(), durationMs, false);
			if (limitedMs > 0) await this.#record.waited(result, durationMs, this.#now() + limitedMs);
			else {
				this.#memory.pace.recovered();
				await this.#record.succeeded(result, durationMs, this.#now() + waitMs);
			}
			this.#logResult(result, durationMs, limitedMs > 0);
			sayHeld(context, result.held);
			if (limitedMs === 0) this.#failures = 0;
			this.#unsettled ||= result.checkedOut.length > 0;
			if (this.#config.syncWatch) this.#feed.watch(context.repository);
			await this.#afterCycle(context, result, durationMs);
			this.#mirror(context, result);
			await this.#maintain(context, result);
			if (result.busy > 0 && result.busy === result.unconfirmed && result.waiting === 0) return confirmDeletionMs;
			return result.busy > 0 || result.waiting > 0 ? quietMs : waitMs;
		} catch (error) {
			if (error instanceof LockLostError) {
				this.#lockLost();
				return Math.min(intervalMs, 1_000);
			}
			if (error instanceof LockedError) {
				this.#log.info(error.message);
				return Math.min(intervalMs, 1_000);
			}
			return await this.#failed(error, performance.now() - started, context);
		} finally {
			this.#feed.cycleEnded();
			await this.#work.end();
			await lock?.release();
			await this.#announcements.cycleEnded();
		}
	}

	/** After the second of a checkout, writes the files' stat data into the index, so that no git reads them (placed-files.ts). */
	async #settleIndex(): Promise<void> {
		this.#unsettled = false;
		const { placed, dirty } = this.#memory;
		let lock: Lock | undefined;
		try {
			const repository = await this.#handle.open(this.#config);
			// With incremental scans git reads nothing, and the index is left alone.
			if (dirty.isUsable) return;
			lock = await acquireLock(this.#paths.cycleLock, { purpose: "a sync cycle", waitMs: 0 });
			placed.settle(repository);
		} catch (error) {
			this.#log.debug(`the files' times could not be written to the index: ${error instanceof Error ? error.message : String(error)}`);
		} finally {
			await lock?.release();
		}
	}

	/** @returns milliseconds until the pause ends, at most `longestSleepMs` */
	async #pause(pause: Pause): Promise<number> {
		const { status, paused } = this.#record.state;
		// Every change of a file wakes the loop: the state is written only if the pause changed.
		if (status !== "paused" || paused?.since !== pause.since || paused.until !== pause.until) {
			this.#log.info(`paused ${pauseText(pause)}`);
			await this.#record.paused(pause);
		}
		return pause.until === null ? longestSleepMs : Math.max(1, Math.min(longestSleepMs, Date.parse(pause.until) - this.#now()));
	}

	/** Pushes to the mirrors after the hub, in parallel with the cycles: one that does not answer delays nothing. */
	#mirror({ repository, memory }: CycleContext, { head, branch, postponedMs }: CycleResult): void {
		const config = this.#config;
		const { mirrors } = memory;
		if (mirrors === null || head === null || postponedMs !== null) return;
		if (config.syncMirrors.length === 0 && (this.#record.state.mirrors ?? []).length === 0) return;
		void mirrors.push({ repository, config, branch, head }).then(() => {
			if (this.#stopped) return;
			void this.#record.update({ mirrors: mirrors.states(config) });
			if (mirrors.tips.size > 0) this.wake();
		});
	}

	async #context(lock: Lock): Promise<CycleContext> {
		const repository = await this.#handle.open(this.#config);
		this.#memory.branch = this.#config.syncBranch ?? this.#memory.branch;
		this.#configurePace(repository);
		return { repository, paths: this.#paths, config: this.#config, log: this.#log, now: this.#now, lock, memory: this.#memory };
	}

	/** Sets how often the remote is used. Another remote's limit ends. */
	#configurePace(repository: Repository): void {
		const { pace } = this.#memory;
		const url = configurePace(pace, repository, { paths: this.#paths, config: this.#config, now: this.#now });
		if (this.#hubUrl === null) resumeLimit(pace, repository, this.#record.state, this.#now());
		else if (url !== this.#hubUrl) pace.recovered();
		this.#hubUrl = url;
	}

	#logResult(result: CycleResult, durationMs: number, isLimited: boolean): void {
		if (this.#failures > 0 && !isLimited) this.#log.info(`recovered after ${this.#failures} failures`);
		const parts = [
			changesText(result),
			result.delivered > 0 ? `${counted(result.delivered, "message")} delivered` : "",
			pulledText(result),
			result.resolved > 0 ? `${counted(result.resolved, "file")} resolved` : "",
			result.rescued > 0 ? `${result.rescued} rescued` : "",
			result.pushed > 0 ? `${counted(result.pushed, "commit")} pushed` : "",
			result.committed > 0 && result.ahead > 0 ? `${counted(result.ahead, "commit")} to be pushed later` : "",
		].filter((part) => part !== "");
		const line = `${parts.length > 0 ? parts.join(", ") : "nothing to do"} (${Math.round(durationMs)} ms)`;
		if (parts.length > 0) this.#log.info(line, { head: result.head?.slice(0, 12) });
		else this.#log.debug(line);
		if (result.rewritten)
			this.#log.warn("HISTORY_REWRITTEN: someone forced a push to the remote; both histories were merged, nothing was dropped");
		for (const name of result.saved) this.#log.info(savedText(this.#paths, name));
	}

	async #failed(error: unknown, durationMs: number, context: CycleContext | undefined): Promise<number> {
		let failure: SyncError;
		try {
			failure = toSyncError(error);
		} catch {
			this.#lockLost();
			return 0;
		}
		if (!this.#isOurs()) return 0;
		this.#memory.damaged ||= failure.code === "CORRUPT_REPOSITORY";
		await this.#handle.forgetConnections();
		this.#failures++;
		const { pace } = this.#memory;
		const waitMs =
			failure.code === "RATE_LIMITED"
				? pace.limited(failure.retryAfterMs, this.#random())
				: isSearching(this.#memory)
					? pace.waitToPushMs()
					: backOffMs(this.#failures, this.#config.syncIntervalSeconds * 1000, this.#random());
		this.#log.error(`${failure.code}: ${withRemoteMessage(failure.message, failure.remoteMessage)}`, {
			failures: this.#failures,
			retry_in_ms: waitMs,
		});
		if (failure.cause instanceof GitError && failure.cause.detail) this.#log.debug(failure.cause.detail);
		else if (failure.code === "INTERNAL" && failure.cause instanceof Error) this.#log.debug(failure.cause.stack ?? "");
		if (fs.existsSync(this.#paths.sync)) {
			recordCycle(this.#paths, this.#now(), durationMs, true);
			await this.#record.failed(failure, this.#now() + waitMs, context ? await readPosition(context) : {});
		}
		// During the remote's limit, cycles continue without it: they commit, and begin to watch.
		if (failure.code === "RATE_LIMITED" && failure.cause) return Math.min(waitMs, this.#config.syncIntervalSeconds * 1000);
		return waitMs;
	}

	/** Writes during the checkout would otherwise wait: their events are indistinguishable from ours. */
	async #afterCycle(context: CycleContext, result: CycleResult, durationMs: number): Promise<void> {
		const during = this.#feed.cycleEnded();
		const foreign = this.#feed.foreignAmong(during);
		// This cycle has scanned earlier changes; events of our own checkout are no changes.
		const { firstChanges } = this.#memory;
		const unseen = new Set(foreign);
		for (const name of firstChanges.keys()) {
			if (!unseen.has(name) && (result.busy === 0 || during.has(name))) firstChanges.delete(name);
		}
		this.#streak = foreign.length > 0 && result.pushed > 0 ? this.#streak + 1 : 0;
		if (this.#streak >= streakUntilYield) this.#notBefore = performance.now() + Math.min(maxYieldMs, yieldFactor * durationMs);
		if (result.checkedOut.length === 0) {
			if (foreign.length > 0) this.#feed.touch();
			return;
		}
		const isListed = result.checkedOut.length <= mostListed;
		const listed = isListed ? await changedSinceHead(context, [...new Set([...result.checkedOut, ...foreign])]) : null;
		// git reads the files.
		if (listed === null) {
			lookAtReads(context);
			await context.memory.placed.settleBeforeScan(context.repository);
		}
		const changed =
			listed ?? (await readStatus(context.repository, context.memory.placed.untouched(context.repository))).entries.map(({ path }) => path);
		const dirty = new Set(changed);
		for (const name of result.checkedOut) if (dirty.has(name)) noteFirstChange(this.#memory, name);
		const skipped = new Set(result.skipped.map((entry) => entry.path));
		if (changed.some((name) => !skipped.has(displayPath(name).replace(/\/$/, "")))) this.#feed.touch();
	}

	/** Maintenance runs after a cycle without work. */
	async #maintain(context: CycleContext, result: CycleResult): Promise<void> {
		const sinceMs = Math.abs(this.#now() - this.#memory.tidiedAt);
		const isBusy = result.busy > 0 || result.waiting > 0 || this.#woken;
		if (sinceMs < maintenanceIntervalMs || (isBusy && sinceMs < maintenanceLatestMs) || this.#stopped) return;
		this.#memory.tidiedAt = this.#now();
		try {
			await maintainWorkspace(context);
		} catch (error) {
			if (error instanceof LockLostError) throw error;
			this.#log.warn(`maintenance failed: ${error instanceof Error ? error.message : String(error)}`);
		}
	}

	/** A missing head starts a cycle; any heartbeat of a peer ends a back-off. */
	#peerChanged(peer: string): void {
		const read = readState(this.#paths.peerState(peer), peerStateSchema);
		if (read.kind !== "ok") return;
		const { head, received_at } = read.state;
		if (this.#memory.pace.limitedMs() > 0) return;
		if (this.#failures > 0) {
			const heard = received_at === null ? 0 : Date.parse(received_at);
			if (heard > this.#lastAttempt && this.#now() - this.#lastAttempt >= Math.min(minRetryMs, this.#config.syncIntervalSeconds * 1000))
				this.wake();
		}
		if (head === null || head === this.#record.state.head) return;
		this.#announcements.announced(peer, head);
	}
}
