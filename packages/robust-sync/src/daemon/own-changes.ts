import fs from "node:fs";
import { fileSystemPath, type GitPath } from "@robust-sync/git";
import type { MonotonicClock } from "@robust-sync/system/monotonic-clock";

/** Events of our own checkout arrive within this time, on any usable machine. */
const rememberMs = 10_000;

/** Distinguishes events of our own checkouts from those of other writers. */
export class OwnChanges {
	readonly #root: string;
	readonly #clock: MonotonicClock;
	readonly #changes = new Map<string, { readonly doneAt: number; readonly addedAt: number }>();

	constructor(root: string, clock: MonotonicClock) {
		this.#root = root;
		this.#clock = clock;
	}

	/**
	 * Records our changes of these paths, and of the directories above them.
	 * @param doneAt end of the changes, by the file system's clock
	 */
	add(paths: Iterable<GitPath>, doneAt: number): void {
		const addedAt = this.#clock.now();
		for (const [name, change] of this.#changes) if (addedAt - change.addedAt > rememberMs) this.#changes.delete(name);
		const change = { doneAt, addedAt };
		for (const path of paths) {
			for (let name: string = path; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf("/")))) {
				if (this.#changes.get(name) === change) break;
				this.#changes.set(name, change);
			}
		}
	}

	/** Whether this process made the change at `path`, and no newer change followed. */
	isOurs(path: GitPath): boolean {
		const change = this.#changes.get(path);
		if (change === undefined || this.#clock.now() - change.addedAt > rememberMs) return false;
		try {
			const stats = fs.lstatSync(fileSystemPath(this.#root, path), { throwIfNoEntry: false });
			return stats === undefined || stats.isDirectory() || stats.mtimeMs <= change.doneAt;
		} catch {
			return false;
		}
	}
}
