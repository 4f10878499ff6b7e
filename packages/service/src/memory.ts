/** The parameters of the memory watch. */
export interface MemoryWatchOptions {
	/** The limit in bytes, read at each check, so that a reload can change it. */
	limitBytes(): number;
	/** Resident set size in bytes. Default: this process's. */
	rssBytes?: () => number;
	/** Time between two checks. Default 5 s. */
	everyMs?: number;
	/** Called at each check above the limit. */
	onExceeded(rss: number, limit: number): void;
}

const defaultEveryMs = 5_000;

/**
 * Checks the resident set size every few seconds.
 *
 * @returns a function that ends it
 */
export function watchMemory(options: MemoryWatchOptions): () => void {
	const rssBytes = options.rssBytes ?? (() => process.memoryUsage.rss());
	const timer = setInterval(() => {
		const rss = rssBytes();
		const limit = options.limitBytes();
		if (limit > 0 && rss > limit) options.onExceeded(rss, limit);
	}, options.everyMs ?? defaultEveryMs);
	timer.unref();
	return () => clearInterval(timer);
}
