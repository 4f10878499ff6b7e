import fs from "node:fs";
import { type CheckoutOptions, checkOutTree, FileExchanger, type Repository } from "@robust-sync/git";
import { Scratch } from "@robust-sync/git/fixtures/scratch";
import { isAddition, replacedFile } from "@robust-sync/resolve";
import { compactTimestamp } from "@robust-sync/system/timestamps";
import { WorkspacePaths } from "@robust-sync/workspace";
import { mergeForeignWrites } from "../checkout/foreign-writes.ts";
import { findLateWrites } from "../checkout/rescue.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { newMemory } from "../daemon/new-memory.ts";
import { takeSnapshot } from "../snapshot/snapshot.ts";
import { cycleContext } from "./cycle-context.ts";

/** Lets something happen right before and right after each swap of two files. */
export class Disturbed extends FileExchanger {
	readonly #before: () => void;
	readonly #after: () => void;

	constructor(before: () => void, after: () => void = () => undefined) {
		super();
		this.#before = before;
		this.#after = after;
	}

	override async exchange(a: Buffer, b: Buffer): Promise<boolean> {
		this.#before();
		const done = await super.exchange(a, b);
		this.#after();
		return done;
	}
}

/** One checkout between two commits of a repository `w`, and the cycles after it. */
export class OneCheckout extends Scratch {
	readonly paths: WorkspacePaths;
	readonly #backup = compactTimestamp(Date.now());
	#ids = { from: "", to: "" };
	#aheadMs = 0;
	#memory: CycleContext["memory"];
	/** As in a daemon, the repository is opened once in the life of a process. */
	#repository: Repository | null = null;
	#isResumed = false;

	constructor(name: string) {
		super(name);
		this.init("w");
		this.write("ignore", "sync\n");
		fs.appendFileSync(this.path("w/.git/config"), `[core]\n\texcludesFile = ${this.path("ignore")}\n`);
		this.paths = new WorkspacePaths(this.path("w"));
		this.#memory = this.#newMemory();
	}

	#newMemory(): CycleContext["memory"] {
		this.#repository = null;
		// A file that is being written waits for the next cycle.
		return { ...newMemory(this.paths, true), branch: "main", resumed: this.#isResumed, deferHot: true };
	}

	/** Commits two versions of some files, and has the first one on disk. */
	begin(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): void {
		const [from, to] = [before, after].map((files) => {
			for (const [name, content] of Object.entries(files)) this.write(`w/${name}`, content);
			return this.commitAll("w");
		}) as [string, string];
		this.git("w", "reset", "-q", "--hard", from);
		fs.rmSync(this.paths.backups, { recursive: true, force: true });
		this.#ids = { from, to };
		this.#memory = this.#newMemory();
	}

	async #context(): Promise<CycleContext> {
		this.#repository ??= await this.open("w");
		return await cycleContext(this, "w", { repository: this.#repository, memory: this.#memory, now: () => Date.now() + this.#aheadMs });
	}

	/** Checks the second version out. @throws what a checkpoint throws; then the next call continues */
	async checkOut(options: Partial<CheckoutOptions> = {}): Promise<void> {
		const context = await this.#context();
		const { paths } = this;
		const own = { staging: paths.staging, backup: `${paths.backups}/${this.#backup}`, versions: paths.versions, keepsVersions: true };
		const move = { ...this.#ids, ref: "refs/heads/main", ...own, isAddition, resume: this.#isResumed, ...options };
		try {
			const { kept, placed } = await checkOutTree(context.repository, move, false);
			context.memory.replaced.write(this.#backup, kept.map(replacedFile), Date.now());
			context.memory.placed.add(placed);
		} catch (error) {
			this.#isResumed = true;
			this.#memory = this.#newMemory();
			throw error;
		}
	}

	/** What a cycle does without a remote. @returns whether it found something */
	async cycle(): Promise<boolean> {
		this.#aheadMs += 700;
		const context = await this.#context();
		const late = await findLateWrites(context);
		const snapshot = await takeSnapshot(context);
		const writes = [...late.foreign, ...snapshot.foreign];
		if (writes.length > 0) await mergeForeignWrites(context, snapshot.head as string, writes);
		context.memory.dirty.invalidate();
		return writes.length + snapshot.committed + snapshot.busy.length > 0;
	}

	/** Cycles until nothing more happens. */
	async settle(): Promise<void> {
		for (let count = 0; await this.cycle(); count++) if (count === 20) throw new Error("the node does not come to rest");
	}

	/** Replaces a file in one step, as programs do. */
	replace(name: string, content: string): void {
		this.write("temporary", content);
		fs.renameSync(this.path("temporary"), this.path(`w/${name}`));
	}

	/** A file that an interrupted checkout has left in its backup. */
	leaveTaken(place: string, name: string, content: string): void {
		this.write(`w/sync/backups/${this.#backup}/${place}/${name}`, content);
		this.#isResumed = true;
	}
}
