import { type FSWatcher, type Stats, statSync, watch } from "node:fs";
import path from "node:path";
import { fileStamp } from "@robust-sync/system/file-stamp";

/** Poll for changes that the kernel does not report (network file systems, exhausted inotify). */
const pollMs = 2_000;

/**
 * Calls back whenever a file was replaced or written: at once through its directory's events (inotify(7) on the directory
 * outlives the file's replacement by rename), and by a poll every two seconds where these fail.
 */
export class FileWatch {
	readonly #file: string;
	readonly #onChange: () => void;
	readonly #poll: NodeJS.Timeout;
	#watcher: FSWatcher | null = null;
	#directoryInode = 0;
	#lastSeen = "";

	constructor(file: string, onChange: () => void) {
		this.#file = file;
		this.#onChange = onChange;
		this.#watchDirectory();
		this.#lastSeen = this.#fingerprint();
		this.#poll = setInterval(() => {
			this.#watchDirectory();
			this.#check();
		}, pollMs);
		this.#poll.unref();
	}

	close(): void {
		clearInterval(this.#poll);
		this.#watcher?.close();
		this.#watcher = null;
	}

	/** Watches the directory, and again when it was replaced. */
	#watchDirectory(): void {
		const directory = path.dirname(this.#file);
		const inode = statOf(directory)?.ino ?? 0;
		if (this.#watcher && inode === this.#directoryInode) return;
		this.#watcher?.close();
		this.#watcher = null;
		this.#directoryInode = inode;
		if (inode === 0) return;
		const name = path.basename(this.#file);
		try {
			this.#watcher = watch(directory, (_event, changed) => {
				if (changed === name) this.#check();
			});
			this.#watcher.on("error", () => {
				this.#watcher?.close();
				this.#watcher = null;
			});
		} catch {
			// ENOSPC: no inotify watches left. The poll remains.
		}
	}

	/** One write makes several events: only a changed fingerprint counts. */
	#check(): void {
		const seen = this.#fingerprint();
		if (seen === this.#lastSeen) return;
		this.#lastSeen = seen;
		if (seen !== "") this.#onChange();
	}

	#fingerprint(): string {
		try {
			return fileStamp(this.#file) ?? "";
		} catch {
			return "";
		}
	}
}

function statOf(file: string): Stats | undefined {
	try {
		return statSync(file, { throwIfNoEntry: false });
	} catch {
		return undefined;
	}
}
