import type { ExactStats, Files } from "@robust-sync/system/files";
import type { Items } from "@robust-sync/system/items";
import { type Exchanger, returnExchanger, takeExchanger } from "../files/exchange-files.ts";
import { hasModes } from "../files/file-modes.ts";
import { type Found, isContent, isGone, peek } from "../files/on-disk.ts";
import { carryBits } from "../files/permissions.ts";
import type { TreeChange } from "../objects/diff.ts";
import { displayPath, fileSystemPath, type GitPath } from "../paths/git-path.ts";
import type { Oid, Repository } from "../process/repository.ts";
import { AttributesAhead, coarseClockMs } from "./attributes-ahead.ts";
import type { CheckoutOptions, PlacedFile } from "./checkout-options.ts";
import type { DurableChanges } from "./durable-changes.ts";
import { hasContentOf, type PlacedVersion, type PlacedVersions } from "./placed-versions.ts";
import type { Sites } from "./sites.ts";

/** The number of tries to swap with an entry that is no file. */
const maxAttempts = 100;

/** Places staged files, by a swap or by a link, and records them. */
export class Swapper {
	exchanger: Exchanger | null = null;
	attributes: AttributesAhead | null = null;
	/** Keeps second links to placed files. */
	keepsVersions = false;
	readonly #repository: Repository;
	readonly #options: CheckoutOptions;
	readonly #sites: Sites;
	readonly #durable: DurableChanges;
	readonly #placedVersions: PlacedVersions | null;
	readonly #placed = new Map<GitPath, Pick<PlacedFile, "mode" | "oid" | "version">>();

	constructor(
		repository: Repository,
		options: CheckoutOptions,
		sites: Sites,
		durable: DurableChanges,
		placedVersions: PlacedVersions | null,
	) {
		this.#durable = durable;
		this.#repository = repository;
		this.#options = options;
		this.#sites = sites;
		this.#placedVersions = placedVersions;
	}

	get #files(): Files {
		return this.#repository.files;
	}

	/** Starts the process that swaps files, unless an earlier checkout did; it is ready when the files are staged. */
	start(): void {
		this.exchanger = this.#options.exchanger?.() ?? takeExchanger();
		this.attributes = new AttributesAhead(this.#repository, this.exchanger);
	}

	/** Nothing will be swapped any more. */
	end(): void {
		if (this.exchanger === null) return;
		if (this.#options.exchanger) this.exchanger.close();
		else returnExchanger(this.exchanger);
		this.exchanger = null;
	}

	/**
	 * Replaces a file by `staged`, so that a reader always finds one of the two.
	 * @param destination gets the old file
	 * @param found the present entry, as far as it is known
	 * @returns the old entry, and the second link to the new one; "impossible": no swap is possible; "taken": an entry that is no file
	 * was there, and `destination` has it
	 */
	async exchange(
		name: GitPath,
		mode: string | undefined,
		staged: string,
		destination: Buffer,
		found: Found | null,
	): Promise<(Found & { readonly version: PlacedVersion | null }) | "impossible" | "taken"> {
		const version = found === null ? null : this.#keepVersion(mode, staged);
		const done = await this.#swap(name, staged, destination, found);
		if (typeof done === "object") return { ...done, version };
		if (version) this.#placedVersions?.drop(version.ino);
		return done;
	}

	async #swap(name: GitPath, staged: string, destination: Buffer, found: Found | null): Promise<Found | "impossible" | "taken"> {
		const live = this.#sites.live(name);
		const swap = async () => {
			this.#options.checkpoint?.("swap");
			const { ino } = this.#files.lstat(destination);
			const isReported = (await this.exchanger?.exchange(destination, live)) === true;
			this.#options.checkpoint?.("swapped");
			// The program that swapped them may have been killed before it reported that.
			return isReported || this.#files.lstat(destination).ino !== ino;
		};
		if (!found || !(await this.exchanger?.ready)) return "impossible";
		this.#sites.of(name).backup.makeParents(destination);
		this.#files.link(staged, destination);
		if (!(await swap())) {
			this.#files.unlink(destination);
			return "impossible";
		}
		const out = this.#files.lstat(destination);
		if (!isContent(out)) return await this.#returnOther(name, destination, swap, this.#files.lstat(staged).ino);
		const untouched = out.ino === found.stats.ino && out.size === found.stats.size && out.mtimeMs === found.stats.mtimeMs;
		if (carryBits(this.#files, staged, found.stats, out)) this.#durable.noteMode(this.#sites.of(name).top, staged);
		// The kernel's clock is coarse: two writes in one tick are indistinguishable.
		if (untouched && Math.abs(Date.now() - out.mtimeMs) > coarseClockMs) return { content: found.content, stats: out };
		try {
			return peek(this.#files, destination) ?? "taken";
		} catch {
			// Unreadable (too large, a broken disk): it differs from the expected one.
			return { content: Buffer.alloc(0), stats: out };
		}
	}

	/**
	 * Returns a directory (pipe, socket, device) that was made at the path right before a swap to its place, with its content.
	 * @param inode of our own file @returns "impossible": nothing was replaced; "taken": `destination` has an entry with which a program replaced ours
	 */
	async #returnOther(name: GitPath, destination: Buffer, swap: () => Promise<boolean>, inode: number): Promise<"impossible" | "taken"> {
		for (let attempt = 0; !isContent(this.#files.lstat(destination)); attempt++) {
			if (attempt === maxAttempts) throw this.#writtenTooFast(name);
			if ((await swap()) || this.#files.lstatIfThere(this.#sites.live(name)) !== null) continue;
			try {
				this.#files.rename(destination, this.#sites.live(name));
				return "impossible";
			} catch (error) {
				// A program has removed the directory around it.
				if (!isGone(error)) throw error;
				return "taken";
			}
		}
		if (this.#files.lstat(destination).ino !== inode) return "taken";
		this.#files.unlink(destination);
		return "impossible";
	}

	#writtenTooFast(name: GitPath): Error {
		return new Error(`${displayPath(name)} is written too fast to be replaced; its versions are in ${this.#options.backup}`);
	}

	/** Links a staged file to its place, which must be empty. @throws EEXIST */
	linkInto(name: GitPath, mode: string | undefined, oid: Oid, staged: string): PlacedVersion | null {
		const version = this.#keepVersion(mode, staged);
		try {
			this.#files.link(staged, this.#sites.live(name));
		} catch (error) {
			if (version) this.#placedVersions?.drop(version.ino);
			throw error;
		}
		this.notePlaced(name, mode, oid, version);
		return version;
	}

	#keepVersion(mode: string | undefined, staged: string): PlacedVersion | null {
		return mode === "120000" || !this.keepsVersions ? null : (this.#placedVersions?.keep(staged) ?? null);
	}

	/** Records a placed file. */
	notePlaced(name: GitPath, mode: string | undefined, oid: Oid, version: PlacedVersion | null): void {
		if (version) this.#sites.placedNow.add(version.ino);
		if (version && mode !== undefined) this.#placed.set(name, { mode, oid, version });
		else this.#placed.delete(name);
	}

	/** Files with the commit's content that are still at their places. One that was merged with a late write is a change for the next snapshot. */
	placedFiles(changes: Items<TreeChange>): PlacedFile[] {
		if (this.#placed.size === 0) return [];
		const isFinal = new Set<GitPath>();
		for (const { path: name, after } of changes) if (this.#placed.get(name)?.oid === after?.oid) isFinal.add(name);
		return [...this.#placed].flatMap(([name, file]) => {
			if (!isFinal.has(name)) return [];
			try {
				const stats = this.#files.lstatExactly(fileSystemPath(this.#repository.root, name));
				const isIntact = hasContentOf(file.version, stats) && this.#hasMode(name, file.mode, stats);
				return String(stats.ino) === file.version.ino ? [{ path: name, ...file, stats, isIntact }] : [];
			} catch {
				return [];
			}
		});
	}

	#hasMode(name: GitPath, mode: string, stats: ExactStats): boolean {
		return ((stats.mode & 0o100n) !== 0n) === (mode === "100755") || !hasModes(this.#repository, name);
	}
}
