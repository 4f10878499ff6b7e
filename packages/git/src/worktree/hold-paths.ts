import type { Files } from "@robust-sync/system/files";
import { canLink, obstacleOf } from "../files/obstacle.ts";
import { peek } from "../files/on-disk.ts";
import { statStamp } from "../files/stamp.ts";
import type { TreeChange } from "../objects/diff.ts";
import type { GitPath } from "../paths/git-path.ts";
import type { HeldChange } from "./checkout-options.ts";
import type { ExpectedVersions } from "./expected-versions.ts";
import type { Sites } from "./sites.ts";
import type { TakenFiles } from "./taken-files.ts";

/** The paths that cannot be placed or removed on this machine. */
export class HeldPaths {
	readonly all: HeldChange[] = [];
	readonly #files: Files;
	readonly #sites: Sites;
	readonly #taken: TakenFiles;
	readonly #expected: ExpectedVersions;

	constructor(files: Files, sites: Sites, taken: TakenFiles, expected: ExpectedVersions) {
		this.#files = files;
		this.#sites = sites;
		this.#taken = taken;
		this.#expected = expected;
	}

	/** Does the work at one path. If it is impossible on this machine, the path is held: the old file returns to its place, and the other paths continue. */
	async orHold(change: TreeChange, work: () => void | Promise<void>): Promise<void> {
		try {
			await work();
		} catch (error) {
			this.#hold(change, error);
		}
	}

	#hold(change: TreeChange, error: unknown): void {
		let obstacle = obstacleOf(error, this.#sites.stores.topOf(change.path) !== null);
		if (obstacle === null) throw error;
		const { path: failed = "", syscall } = error as NodeJS.ErrnoException;
		const own = this.#sites.backup.directory;
		// Our own directory is not writable: that concerns every path.
		if (syscall === "mkdir" && failed.startsWith(own) && obstacle !== "name-too-long") throw error;
		if (syscall === "link" && obstacle === "not-permitted" && !this.#canLink(change.path)) obstacle = "no-hard-links";
		this.all.push({ ...change, obstacle, seen: this.#giveBack(change) });
	}

	#canLink(name: GitPath): boolean {
		const { staging } = this.#sites.of(name);
		const file = staging.nextFile();
		this.#files.writeFile(file, Buffer.alloc(0));
		return canLink(this.#files, file, staging.nextFile());
	}

	/** Returns the removed file of a held path to its place. @returns its stamp, if it is known to equal `before` */
	#giveBack(change: TreeChange): string | null {
		try {
			const first = this.#sites.of(change.path).backup.first(change.path);
			if (this.#sites.hasOtherName(change.path)) return statStamp(null);
			const live = this.#sites.live(change.path);
			if (this.#files.lstatIfThere(live) === null && this.#files.lstatIfThere(first) !== null) this.#taken.relink(change.path, first);
			const stats = this.#files.lstatIfThere(live);
			if (stats === null) return change.before === null ? statStamp(null) : null;
			const there = peek(this.#files, live);
			if (there === null) return null;
			return this.#expected.isExpected(change, there.content, there.stats, null) ? statStamp(there.stats) : null;
		} catch {
			return null;
		}
	}
}
