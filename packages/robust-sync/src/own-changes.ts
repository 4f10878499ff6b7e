import fs from "node:fs";
import { fileSystemPath, type GitPath } from "@robust-sync/git";

/** Events of our own checkout arrive within this time, on any machine that still works. */
const rememberMs = 10_000;

/** Tells the events of our own checkouts from everybody else's. */
export class OwnChanges {
	readonly #root: string;
	readonly #until = new Map<string, number>();

	constructor(root: string) {
		this.#root = root;
	}

	/** We have changed these paths, and the directories above them, up to `at`. */
	add(paths: readonly GitPath[], at: number): void {
		for (const [name, time] of this.#until) if (at - time > rememberMs) this.#until.delete(name);
		for (const path of paths) {
			for (let name: string = path; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf("/")))) {
				if (this.#until.get(name) === at) break;
				this.#until.set(name, at);
			}
		}
	}

	/** Whether a change seen at `path` is only ours: we made it, and nothing there is newer than that. */
	isOurs(path: GitPath, now: number): boolean {
		const at = this.#until.get(path);
		if (at === undefined || now - at > rememberMs) return false;
		try {
			const stats = fs.lstatSync(fileSystemPath(this.#root, path), { throwIfNoEntry: false });
			return stats === undefined || stats.isDirectory() || stats.mtimeMs <= at;
		} catch {
			return false;
		}
	}
}
