import type { GitPath } from "@robust-sync/git";
import { slowLossWindowMs, type Touched } from "@robust-sync/guard";
import type { MonotonicClock } from "@robust-sync/system/monotonic-clock";

/** Above this number, paths are not counted. */
const maxPaths = 100_000;

/** The files that this node committed within the last ten minutes: decides whether the check for slow losses is worth its time. */
export class ChangeWindow {
	readonly #clock: MonotonicClock;
	readonly #changed = new Map<GitPath, number>();
	#tooManyAt = Number.NEGATIVE_INFINITY;
	#isSeeded = false;

	constructor(clock: MonotonicClock) {
		this.#clock = clock;
	}

	/** Adds the paths of a commit. */
	add(paths: Iterable<GitPath>, at = this.#clock.now()): void {
		for (const name of paths) {
			if (this.#changed.size >= maxPaths && !this.#changed.has(name)) {
				this.#tooManyAt = Math.max(this.#tooManyAt, at);
				return;
			}
			// The oldest is first in the map.
			this.#changed.delete(name);
			this.#changed.set(name, at);
		}
	}

	/**
	 * Adds the commits of other processes, the first time and after {@link noticeOthers}.
	 * @param earlier called then: the files in the history, with milliseconds since
	 */
	async seed(earlier: () => Promise<readonly Touched[]>): Promise<void> {
		if (this.#isSeeded) return;
		const touched = await earlier();
		this.#isSeeded = true;
		const now = this.#clock.now();
		const all = [...touched.map(({ path, ago }) => [path, now - Math.max(0, ago)] as const), ...this.#changed];
		this.#changed.clear();
		for (const [name, at] of all.sort(([, a], [, b]) => a - b)) this.add([name], at);
	}

	/** Another process may have committed: its commits are added with the next question. */
	noticeOthers(): void {
		this.#isSeeded = false;
	}

	/** The number of files; infinity: above the limit. */
	get count(): number {
		const after = this.#clock.now() - slowLossWindowMs;
		for (const [name, at] of this.#changed) {
			if (at > after) break;
			this.#changed.delete(name);
		}
		return this.#tooManyAt > after ? Number.POSITIVE_INFINITY : this.#changed.size;
	}
}
