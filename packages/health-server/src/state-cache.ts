import { fileStamp } from "@robust-sync/system/file-stamp";

/** The identity of a file or directory at one time. Files are replaced by rename, so the inode counts too. */
type Stamp = string;

function stampOf(file: string): Stamp {
	try {
		return fileStamp(file) ?? "missing";
	} catch (error) {
		return (error as NodeJS.ErrnoException).code ?? "unreadable";
	}
}

interface Entry {
	readonly stamp: Stamp;
	readonly readAt: number;
	readonly value: unknown;
}

/** Caches values read from a path until the path's time, size or inode changes. */
export class StateCache {
	readonly #entries = new Map<string, Entry>();
	readonly #now: () => number;
	/** How many times a value was really read; for tests and for `--verbose`. */
	reads = 0;

	/** @param now a clock in milliseconds, only compared with itself */
	constructor(now: () => number = () => performance.now()) {
		this.#now = now;
	}

	/**
	 * The result of `read` for `path`, read again only when the path changed since or the value is older than `maxAgeMs`
	 * (for directories whose own time does not change with the files below).
	 */
	get<T>(path: string, read: () => T, maxAgeMs = Number.POSITIVE_INFINITY): T {
		// Before reading: a change during the reading then shows as a change next time.
		const stamp = stampOf(path);
		const entry = this.#entries.get(path);
		const now = this.#now();
		if (entry && entry.stamp === stamp && now - entry.readAt <= maxAgeMs) return entry.value as T;
		this.reads++;
		const value = read();
		this.#entries.set(path, { stamp, readAt: now, value });
		return value;
	}

	/** Drops every path for which `isWanted` is false, so that names that come and go leave nothing behind. */
	prune(isWanted: (path: string) => boolean): void {
		for (const path of this.#entries.keys()) if (!isWanted(path)) this.#entries.delete(path);
	}
}
