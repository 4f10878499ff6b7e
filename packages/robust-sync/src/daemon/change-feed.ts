import fs from "node:fs";
import { type GitPath, parseGitPathList, type Repository, withoutSlash } from "@robust-sync/git";
import type { Logger } from "@robust-sync/service/log";
import { makeOwnDirectory } from "@robust-sync/system/own-directory";
import { WorkspacePaths } from "@robust-sync/workspace";
import type { CycleMemory } from "../context/cycle-context.ts";
import { noteFirstChange } from "../context/first-changes.ts";
import { OwnChanges } from "./own-changes.ts";
import { Debouncer, WorkspaceWatcher } from "./watch.ts";

/** Changes pause for this long before a cycle starts, and in a burst it starts after this long at the latest. */
export const quietMs = 20;
const burstMs = 250;
/** Without a watch, scans are this often. */
const pollMs = 5_000;

export interface ChangeFeedOptions {
	readonly paths: WorkspacePaths;
	readonly log: Logger;
	readonly memory: CycleMemory;
	/** Files or the outbox changed, and a moment has passed since. */
	onChanges(): void;
	/** A scan is due, because nothing watches. */
	onPoll(): void;
	/** The state file of a peer changed. */
	onPeer(peer: string): void;
}

/** Reports changes of a workspace: of its files, of the outbox, and of the state files of peers. Knows which of them this node's own checkouts made. */
export class ChangeFeed {
	readonly #options: ChangeFeedOptions;
	readonly #own: OwnChanges;
	readonly #debouncer: Debouncer;
	#watcher: WorkspaceWatcher | undefined;
	#stateWatchers: fs.FSWatcher[] = [];
	#pollTimer: NodeJS.Timeout | undefined;
	#isClosed = false;
	/** Paths that changed while a cycle ran; null: none runs. */
	#during: Set<GitPath> | null = null;

	constructor(options: ChangeFeedOptions) {
		this.#options = options;
		this.#own = new OwnChanges(options.paths.root, options.memory.clock);
		this.#debouncer = new Debouncer(options.onChanges, quietMs, burstMs);
	}

	/** A cycle begins: the changes from here on are kept until it ends. */
	cycleBegins(): void {
		this.#during = new Set();
	}

	/** The cycle is over. @returns the paths that changed while it ran */
	cycleEnded(): ReadonlySet<GitPath> {
		const during = this.#during ?? new Set();
		this.#during = null;
		return during;
	}

	/** A checkout of this node changed these paths. @param doneAt when the last of it was done, by the file system's clock (ms) */
	checkedOut(names: Iterable<GitPath>, doneAt: number): void {
		this.#own.add(names, doneAt);
	}

	/** Those of some changed paths that someone else has changed, or may have. */
	foreignAmong(names: Iterable<GitPath>): GitPath[] {
		return [...names].filter((name) => !this.#own.isOurs(name));
	}

	/** Reports changes, as if files had changed now. */
	touch(): void {
		this.#debouncer.touch();
	}

	/** Begins to watch the files, if that is not done already. */
	watch(repository: Repository): void {
		if (!this.#watcher && !this.#pollTimer) void this.#startWatcher(repository);
	}

	async #startWatcher(repository: Repository): Promise<void> {
		const { memory, paths, log } = this.#options;
		const { stdout } = await repository
			.run(["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"])
			.catch(() => ({ stdout: Buffer.alloc(0) }));
		const ignored = parseGitPathList(stdout)
			.filter((name) => name.endsWith("/"))
			.map((name) => withoutSlash(name));
		if (this.#watcher || this.#isClosed) return;
		this.#watcher = new WorkspaceWatcher({
			root: paths.root,
			ignored,
			onChange: (changed) => this.#changed(changed),
			onLimit: (reason) => {
				memory.dirty.setWatching(false);
				log.warn(
					`the kernel's limit of file watches is reached (${reason}): scanning every ${pollMs / 1000} s instead; raise fs.inotify.max_user_watches`,
				);
				this.#pollTimer ??= setInterval(this.#options.onPoll, pollMs);
			},
		});
		// The changes between the cycle and the first watch.
		memory.dirty.setWatching(true);
		this.#debouncer.touch();
	}

	/** Ends the watch of the files. What changes from here on is found by a full scan. */
	stopWatching(): void {
		this.#watcher?.close();
		this.#watcher = undefined;
		this.#options.memory.dirty.setWatching(false);
	}

	#changed(name: GitPath): void {
		const { memory } = this.#options;
		memory.dirty.add(name);
		// Ignored directories were not watched; the next cycle begins to watch again.
		if (name === ".gitignore" || name.endsWith("/.gitignore")) this.stopWatching();
		if (!this.#during && this.#own.isOurs(name)) return;
		noteFirstChange(memory, name);
		// A file that reappears and vanishes again, as when an editor saves once more, begins a new gap, with its own wait.
		memory.vanished.delete(name);
		if (this.#during) this.#during.add(name);
		else this.#debouncer.touch();
	}

	/** Begins to watch the state files of the other services, and the outbox. */
	watchStates(): void {
		const { paths, log } = this.#options;
		try {
			makeOwnDirectory(paths.pending);
			const watcher = fs.watch(paths.sync, (_event, name) => {
				const peer = name === null ? null : WorkspacePaths.peerOfFile(name);
				if (peer !== null) this.#options.onPeer(peer);
			});
			watcher.on("error", () => undefined);
			const outbox = fs.watch(paths.pending, (_event, name) => {
				if (name !== null && !name.startsWith(".") && !name.endsWith(".tmp")) this.#debouncer.touch();
			});
			outbox.on("error", () => undefined);
			this.#stateWatchers = [watcher, outbox];
		} catch (error) {
			log.warn(`sync/ cannot be watched (${(error as NodeJS.ErrnoException).code}): messages and peers are checked at the interval`);
		}
	}

	/** Ends all watches. */
	close(): void {
		this.#isClosed = true;
		clearInterval(this.#pollTimer);
		this.#debouncer.cancel();
		this.#watcher?.close();
		for (const watcher of this.#stateWatchers) watcher.close();
	}
}
