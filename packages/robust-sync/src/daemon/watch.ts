import fs from "node:fs";
import { fileSystemPath, type GitPath, gitPathIfAllowed, mountStoreName, workspaceRoot } from "@robust-sync/git";
import { lstatIfThere } from "@robust-sync/system/lstat";
import { neverCommitted } from "@robust-sync/workspace";

/** The place of a change: a path below the workspace. */
type ChangeListener = (changed: GitPath) => void;

export interface WatchOptions {
	root: string;
	/** Directories to skip, relative to the root, without a slash at the end: those that the user's ignore rules cover. */
	ignored: readonly GitPath[];
	onChange: ChangeListener;
	/** Called at the kernel's limit of watches (or of open files); all watching has ended. */
	onLimit(reason: string): void;
	/** fs.watch, for tests. */
	watch?: typeof fs.watch;
}

const atTop: ReadonlySet<string> = new Set([...neverCommitted, ".git"]);
const limitCodes: ReadonlySet<string> = new Set(["ENOSPC", "EMFILE", "ENFILE", "ENOMEM"]);

/**
 * Watches a workspace with one inotify watch a directory, directly with node:fs: changes are reported at once. (Measured with
 * 10,000 files on Node 20: @parcel/watcher holds every event for at least 50 ms, chokidar keeps a watch a file and 90 MB.)
 * A missed event costs one sync interval, no more.
 */
export class WorkspaceWatcher {
	readonly #options: WatchOptions;
	readonly #watchers = new Map<GitPath, fs.FSWatcher>();
	readonly #ignored: ReadonlySet<string>;
	#closed = false;

	constructor(options: WatchOptions) {
		this.#options = options;
		this.#ignored = new Set(options.ignored);
		this.#add(workspaceRoot);
	}

	/** The number of watched directories. */
	get size(): number {
		return this.#watchers.size;
	}

	close(): void {
		this.#closed = true;
		for (const watcher of this.#watchers.values()) watcher.close();
		this.#watchers.clear();
	}

	#isIgnored(name: GitPath): boolean {
		return atTop.has(name) || this.#ignored.has(name) || name.endsWith("/.git") || name.endsWith(`/${mountStoreName}`);
	}

	#path(name: GitPath): Buffer {
		return name === "" ? Buffer.from(this.#options.root) : fileSystemPath(this.#options.root, name);
	}

	#add(directory: GitPath | null): void {
		if (directory === null || this.#closed || this.#watchers.has(directory) || this.#isIgnored(directory)) return;
		try {
			const watcher = (this.#options.watch ?? fs.watch)(this.#path(directory), { encoding: "buffer", persistent: true }, (event, name) => {
				if (name) this.#changed(below(directory, name), event);
			});
			watcher.on("error", () => {
				this.#remove(directory);
				this.#options.onChange(directory);
			});
			this.#watchers.set(directory, watcher);
			for (const entry of fs.readdirSync(this.#path(directory), {
				withFileTypes: true,
				encoding: "buffer",
			}) as unknown as fs.Dirent<Buffer>[]) {
				if (entry.isDirectory()) this.#add(below(directory, entry.name));
			}
		} catch (error) {
			const { code = "" } = error as NodeJS.ErrnoException;
			if (!limitCodes.has(code) || this.#closed) return;
			const watched = this.#watchers.size;
			this.close();
			this.#options.onLimit(`${code} after ${watched} directories`);
		}
	}

	#changed(changed: GitPath | null, event: string): void {
		if (this.#closed || changed === null || this.#isIgnored(changed)) return;
		if (event === "rename") {
			// An entry appeared, vanished, or got another type.
			if (this.#watchers.has(changed)) this.#remove(changed);
			if (this.#isDirectory(changed)) this.#add(changed);
		}
		this.#options.onChange(changed);
	}

	#isDirectory(name: GitPath): boolean {
		try {
			return lstatIfThere(this.#path(name))?.isDirectory() ?? false;
		} catch {
			// Unreadable now: the next cycle reports it.
			return false;
		}
	}

	#remove(directory: GitPath): void {
		for (const [name, watcher] of this.#watchers) {
			if (name !== directory && !name.startsWith(`${directory}/`)) continue;
			watcher.close();
			this.#watchers.delete(name);
		}
	}
}

/** Null: not a path of a commit, such as `.git`. */
function below(directory: GitPath, name: Buffer): GitPath | null {
	const text = name.toString("latin1");
	return gitPathIfAllowed(directory === workspaceRoot ? text : `${directory}/${text}`);
}

/** Waits until changes pause: `quietMs` after the last, at the latest `maxMs` after the first. */
export class Debouncer {
	readonly #fire: () => void;
	readonly #quietMs: number;
	readonly #maxMs: number;
	#timer: NodeJS.Timeout | undefined;
	#first = 0;

	constructor(fire: () => void, quietMs: number, maxMs: number) {
		this.#fire = fire;
		this.#quietMs = quietMs;
		this.#maxMs = maxMs;
	}

	/** A change happened. */
	touch(now: number = performance.now()): void {
		if (this.#timer === undefined) this.#first = now;
		else clearTimeout(this.#timer);
		const wait = Math.max(0, Math.min(this.#quietMs, this.#first + this.#maxMs - now));
		this.#timer = setTimeout(() => {
			this.#timer = undefined;
			this.#fire();
		}, wait);
	}

	cancel(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
	}
}
