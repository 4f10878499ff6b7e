import type { GitPath, Oid } from "@robust-sync/git";
import type { MonotonicClock } from "@robust-sync/system/monotonic-clock";
import type { SkippedFile } from "@robust-sync/workspace";

/** Everything is looked at this often, whatever was seen: events can be missed, and a person's staging makes none. */
const fullLookIntervalMs = 10 * 60_000;
/** More paths than this are looked at as a whole: they are too many arguments for git, too. */
export const maxKnownPaths = 1_000;
/** The kernel drops events when 16,384 of them wait (inotify(7), max_queued_events), and nobody tells us. */
const maxEvents = 4_096;
/** How things were left: while the index and HEAD are like that, nobody else has committed or staged anything. */
export interface Left {
	readonly head: Oid | null;
	readonly branch: string | null;
	readonly indexStamp: string;
}

/**
 * Which paths may differ from HEAD, as far as that is known without looking at all of them: what the watcher has seen since
 * everything was looked at. In a workspace of a million files that is the difference between seconds and milliseconds.
 */
export class KnownChanges {
	readonly #clock: MonotonicClock;
	readonly #paths = new Set<GitPath>();
	#events = 0;
	#isWatching = false;
	/** When everything was last looked at with the watcher already at work; null: never, or something was missed since. */
	#lookedAt: number | null = null;
	#left: Left | null = null;
	/** What the last full scan left out; reported until the next one. */
	skipped: readonly SkippedFile[] = [];
	/** Paths of commits that the index does not know of yet. */
	readonly indexBehind = new Set<GitPath>();

	constructor(clock: MonotonicClock) {
		this.#clock = clock;
	}

	/** Whether every change is seen from now on. What happened before must still be looked for. */
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

	/** Whether it is any use to know how things are left: where something was missed, everything is looked at. */
	get isOfUse(): boolean {
		return this.#lookedAt !== null;
	}

	/** Paths to look at; null: everything must be looked at. @param left how index and HEAD are now */
	toLookAt(left: Left): readonly GitPath[] | null {
		if (this.#lookedAt === null || this.#clock.now() - this.#lookedAt > fullLookIntervalMs) return null;
		if (!this.isAsLeft(left)) return null;
		return [...this.#paths];
	}

	/** Some paths are looked at now: what is seen from here on is new. */
	looking(names: readonly GitPath[]): void {
		for (const name of names) this.#paths.delete(name);
		this.#events = 0;
	}

	/** Everything is looked at now: what is seen from here on is new. Who fails to complete that look must `forget` it. */
	lookingAtAll(): void {
		this.#paths.clear();
		this.#events = 0;
		this.#lookedAt = this.#isWatching ? this.#clock.now() : null;
	}

	/** A look, or what followed from it, failed: nothing is known any more. */
	forget(): void {
		this.#lookedAt = null;
	}

	/** Whether index and HEAD are unchanged since we last wrote them. */
	isAsLeft(left: Left): boolean {
		return left.indexStamp === this.#left?.indexStamp && left.head === this.#left.head;
	}

	/** How index and HEAD were left by us. */
	leave(left: Left): void {
		this.#left = left;
	}
}
