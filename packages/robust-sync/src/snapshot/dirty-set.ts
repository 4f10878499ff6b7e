import type { GitPath, Oid } from "@robust-sync/git";
import type { MonotonicClock } from "@robust-sync/system/monotonic-clock";
import type { SkippedFile } from "@robust-sync/workspace";

/** Interval of full scans: events can be missed, and a person's staging makes none. */
const fullScanIntervalMs = 10 * 60_000;
/** Above this number of paths the scan is a full one: they are too many arguments for git, too. */
export const maxDirtyPaths = 1_000;
/** The kernel drops events when 16,384 of them wait (inotify(7), max_queued_events), without a report to this process. */
const maxEvents = 4_096;

/** Fingerprint of HEAD and index after our last write. Unchanged means that no one else committed or staged. */
export interface Baseline {
	readonly head: Oid | null;
	readonly branch: string | null;
	readonly indexStamp: string;
}

/**
 * The paths that may differ from HEAD, if they are known without a full scan: the watcher's observations since
 * the last full scan. In a workspace of a million files that is the difference between seconds and milliseconds.
 */
export class DirtySet {
	readonly #clock: MonotonicClock;
	readonly #paths = new Set<GitPath>();
	#events = 0;
	#isWatching = false;
	/** Time of the last full scan with the watcher at work; null: never, or an event was missed since. */
	#scannedAt: number | null = null;
	#baseline: Baseline | null = null;
	/** The files that the last full scan left out; reported until the next one. */
	skipped: readonly SkippedFile[] = [];
	/** Committed paths that the index lacks yet. */
	readonly indexBehind = new Set<GitPath>();

	constructor(clock: MonotonicClock) {
		this.#clock = clock;
	}

	/** Sets whether every change is seen from now on. Earlier changes must still be scanned. */
	setWatching(isWatching: boolean): void {
		this.#isWatching = isWatching;
		this.#scannedAt = null;
	}

	/** Whether every change is seen now. */
	get isWatching(): boolean {
		return this.#isWatching;
	}

	/** Something changed at a path, or may have. */
	add(name: GitPath): void {
		if (this.#scannedAt === null) return;
		this.#paths.add(name);
		if (++this.#events > maxEvents || this.#paths.size > maxDirtyPaths) this.#scannedAt = null;
	}

	/** Whether a fingerprint is useful: after a missed event, a full scan is needed. */
	get isUsable(): boolean {
		return this.#scannedAt !== null;
	}

	/** Dirty paths; null: a full scan is needed. @param baseline the present index and HEAD */
	paths(baseline: Baseline): readonly GitPath[] | null {
		if (this.#scannedAt === null || this.#clock.now() - this.#scannedAt > fullScanIntervalMs) return null;
		if (!this.isBaseline(baseline)) return null;
		return [...this.#paths];
	}

	/** A scan of some paths begins: later changes are new. */
	beginScan(names: readonly GitPath[]): void {
		for (const name of names) this.#paths.delete(name);
		this.#events = 0;
	}

	/** A full scan begins: later changes are new. If it fails, call `invalidate`. */
	beginFullScan(): void {
		this.#paths.clear();
		this.#events = 0;
		this.#scannedAt = this.#isWatching ? this.#clock.now() : null;
	}

	/** A scan, or a later step, failed: nothing is known any more. */
	invalidate(): void {
		this.#scannedAt = null;
	}

	/** Whether index and HEAD are unchanged since we last wrote them. */
	isBaseline(baseline: Baseline): boolean {
		return baseline.indexStamp === this.#baseline?.indexStamp && baseline.head === this.#baseline.head;
	}

	/** Records index and HEAD after our last write. */
	setBaseline(baseline: Baseline): void {
		this.#baseline = baseline;
	}
}
