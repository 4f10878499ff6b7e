import type { GitPath, Oid } from "@robust-sync/git";
import type { MonotonicClock } from "@robust-sync/system/monotonic-clock";
import type { SkippedFile } from "@robust-sync/workspace";

/** Interval of full scans: events can be missed, and a person's staging makes none. */
const fullLookIntervalMs = 10 * 60_000;
/** Above this number of paths the scan is a full one: they are too many arguments for git, too. */
export const maxKnownPaths = 1_000;
/** The kernel drops events when 16,384 of them wait (inotify(7), max_queued_events), without a report to this process. */
const maxEvents = 4_096;
/** Fingerprint of HEAD and index after our last write. Unchanged means that no one else committed or staged. */
export interface Left {
	readonly head: Oid | null;
	readonly branch: string | null;
	readonly indexStamp: string;
}

/**
 * The paths that may differ from HEAD, if they are known without a full scan: the watcher's observations since
 * the last full scan. In a workspace of a million files that is the difference between seconds and milliseconds.
 */
export class KnownChanges {
	readonly #clock: MonotonicClock;
	readonly #paths = new Set<GitPath>();
	#events = 0;
	#isWatching = false;
	/** Time of the last full scan with the watcher at work; null: never, or an event was missed since. */
	#lookedAt: number | null = null;
	#left: Left | null = null;
	/** The files that the last full scan left out; reported until the next one. */
	skipped: readonly SkippedFile[] = [];
	/** Committed paths that the index lacks yet. */
	readonly indexBehind = new Set<GitPath>();

	constructor(clock: MonotonicClock) {
		this.#clock = clock;
	}

	/** Sets whether every change is seen from now on. Earlier changes must still be scanned. */
	watching(isWatching: boolean): void {
		this.#isWatching = isWatching;
		this.#lookedAt = null;
	}

	/** Whether every change is seen now. */
	get isWatching(): boolean {
		return this.#isWatching;
	}

	/** Something changed at a path, or may have. */
	saw(name: GitPath): void {
		if (this.#lookedAt === null) return;
		this.#paths.add(name);
		if (++this.#events > maxEvents || this.#paths.size > maxKnownPaths) this.#lookedAt = null;
	}

	/** Whether a fingerprint is useful: after a missed event, a full scan is needed. */
	get isOfUse(): boolean {
		return this.#lookedAt !== null;
	}

	/** Dirty paths; null: a full scan is needed. @param left the present index and HEAD */
	toLookAt(left: Left): readonly GitPath[] | null {
		if (this.#lookedAt === null || this.#clock.now() - this.#lookedAt > fullLookIntervalMs) return null;
		if (!this.isAsLeft(left)) return null;
		return [...this.#paths];
	}

	/** A scan of some paths begins: later changes are new. */
	looking(names: readonly GitPath[]): void {
		for (const name of names) this.#paths.delete(name);
		this.#events = 0;
	}

	/** A full scan begins: later changes are new. If it fails, call `forget`. */
	lookingAtAll(): void {
		this.#paths.clear();
		this.#events = 0;
		this.#lookedAt = this.#isWatching ? this.#clock.now() : null;
	}

	/** A scan, or a later step, failed: nothing is known any more. */
	forget(): void {
		this.#lookedAt = null;
	}

	/** Whether index and HEAD are unchanged since we last wrote them. */
	isAsLeft(left: Left): boolean {
		return left.indexStamp === this.#left?.indexStamp && left.head === this.#left.head;
	}

	/** Records index and HEAD after our last write. */
	leave(left: Left): void {
		this.#left = left;
	}
}
