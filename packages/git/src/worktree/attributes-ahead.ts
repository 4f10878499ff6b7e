import type { Items } from "@robust-sync/system/items";
import type { Exchanger } from "../files/exchange-files.ts";
import type { TreeChange } from "../objects/diff.ts";
import { type HeldPlace, openBeneath } from "../paths/beneath.ts";
import { gitPathBytes, parentOf } from "../paths/git-path.ts";
import type { Repository } from "../process/repository.ts";
import type { StagedFiles } from "./staged-files.ts";

/** Files in one request: a round trip to the other process takes longer than its work. */
const filesAtATime = 64;

/** File times have ticks of this length or less: two changes in one tick are indistinguishable. */
export const coarseClockMs = 50;

/** The pending copy for a staged file, and the replaced file's state at that time. */
interface Begun {
	readonly ino: number;
	readonly ctimeMs: number;
	readonly done: Promise<boolean>;
}

/**
 * Copies access lists and extended attributes from the files that will be replaced to the staged files: for many files ahead, and again for
 * those that have changed since, by their ctime.
 */
export class AttributesAhead {
	readonly #repository: Pick<Repository, "root" | "files">;
	readonly #exchanger: Exchanger;
	/** By the staged file. */
	readonly #begun = new Map<string, Begun>();

	/** @param repository of the working tree */
	constructor(repository: Pick<Repository, "root" | "files">, exchanger: Exchanger) {
		this.#repository = repository;
		this.#exchanger = exchanger;
	}

	/** Begins with a number of changes; the one at `index` is the first of them. @param staged the staged file of each change */
	begin(index: number, changes: Items<TreeChange>, staged: Pick<StagedFiles, "at">): void {
		if (index % filesAtATime !== 0) return;
		const places = new Map<string | null, HeldPlace>();
		const files: { readonly from: Buffer; readonly to: string; readonly ino: number; readonly ctimeMs: number }[] = [];
		for (let at = index; at < Math.min(index + filesAtATime, changes.length); at++) {
			const [change, to] = [changes.at(at) as TreeChange, staged.at(at)];
			if (change.before === null || typeof to !== "string") continue;
			try {
				const directory = parentOf(change.path);
				const place = places.get(directory) ?? openBeneath(this.#repository.root, change.path, { files: this.#repository.files });
				places.set(directory, place);
				const slash = place.file.lastIndexOf(0x2f);
				const bytes = gitPathBytes(change.path);
				const from = Buffer.concat([place.file.subarray(0, slash + 1), bytes.subarray(bytes.lastIndexOf(0x2f) + 1)]);
				const stats = this.#repository.files.lstatIfThere(from);
				if (stats && Math.abs(Date.now() - stats.ctimeMs) > coarseClockMs) files.push({ from, to, ino: stats.ino, ctimeMs: stats.ctimeMs });
			} catch {
				// The replacement of the file will report the error.
			}
		}
		const answers = this.#exchanger.copyAllAttributes(files.map(({ from, to }) => [from, Buffer.from(to)]));
		for (const [at, { to, ino, ctimeMs }] of files.entries()) this.#begun.set(to, { ino, ctimeMs, done: answers[at] as Promise<boolean> });
		// The other process names the files by these directories. The caller that waits for an answer gets the error.
		void Promise.allSettled(answers).then(() => {
			for (const place of places.values()) place.close();
		});
	}

	/** Returns when `staged` has the attributes of the file that it will replace. */
	async finish(live: Buffer, staged: string): Promise<void> {
		const begun = this.#begun.get(staged);
		this.#begun.delete(staged);
		if (begun) await begun.done;
		const stats = this.#repository.files.lstatIfThere(live);
		if (stats === null || (begun?.ino === stats.ino && begun.ctimeMs === stats.ctimeMs)) return;
		await this.#exchanger.copyAttributes(live, Buffer.from(staged));
	}
}
