import { type ResourceLimits, Worker } from "node:worker_threads";
import { type MergeAnswer, type MergeJob, runJob } from "./merge-jobs.ts";

declare const __MERGE_WORKER__: string | undefined;

/** Jobs of less than this many bytes are done at once: they are over before a thread has started. */
const inlineBytes = 16 * 1024;
/** A thread without work ends after this long, and gives its memory back. */
const idleMs = 5_000;
/** Most objects of a merge are garbage at once. Node's default of 48 MiB keeps them in memory longer, and saves no time. */
const maxYoungGenerationSizeMb = 8;

/** The bundle of merge-worker.ts beside the bundle that this is in; null: these are the sources, which have none. */
function bundledWorker(): URL | null {
	if (typeof __MERGE_WORKER__ === "undefined") return null;
	const isPart = /\/parts\/[^/]+$/.test(import.meta.url);
	return new URL(isPart ? `./${__MERGE_WORKER__}` : `./parts/${__MERGE_WORKER__}`, import.meta.url);
}

/** The thread of a merge died. The result is unknown: try the same merge again. */
export class MergeThreadError extends Error {
	override readonly name = "MergeThreadError";
}

/** A view of a larger piece of memory would take all of it along. */
function owned<T extends Uint8Array | null>(bytes: T): T | Uint8Array {
	return bytes === null || bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

const withOwnMemory = (job: MergeJob): MergeJob => ({ ...job, base: owned(job.base), a: owned(job.a), b: owned(job.b) });

interface Pending {
	resolve(answers: MergeAnswer[]): void;
	reject(error: Error): void;
}

/** Merges files in a thread of its own, so that the caller still answers signals and the watchdog. */
export class MergeThread {
	readonly #file: URL | null;
	readonly #limits: ResourceLimits;
	#worker: Worker | null = null;
	#idle: NodeJS.Timeout | null = null;
	#lastId = 0;
	readonly #pending = new Map<number, Pending>();

	/**
	 * @param file the bundled merge-worker; null: everything is done in the caller's thread
	 * @param limits of the thread's memory
	 */
	constructor(file: URL | null = bundledWorker(), limits: ResourceLimits = { maxYoungGenerationSizeMb }) {
		this.#file = file;
		this.#limits = limits;
	}

	/**
	 * Merges each file; answers come in the order of the jobs.
	 * @throws MergeThreadError when the thread ran out of memory or crashed; never another result
	 */
	async run(jobs: readonly MergeJob[]): Promise<MergeAnswer[]> {
		const bytes = jobs.reduce((sum, { base, a, b }) => sum + (base?.length ?? 0) + a.length + b.length, 0);
		if (this.#file === null || bytes < inlineBytes) return jobs.map(runJob);
		const worker = this.#start(this.#file);
		const id = ++this.#lastId;
		return await new Promise((resolve, reject) => {
			this.#pending.set(id, { resolve, reject });
			worker.ref();
			worker.postMessage({ id, jobs: jobs.map(withOwnMemory) });
		});
	}

	#start(file: URL): Worker {
		if (this.#idle) clearTimeout(this.#idle);
		this.#idle = null;
		if (this.#worker) return this.#worker;
		// The options of the main thread (a profiler, a debugger) are not for the thread.
		const worker = new Worker(file, { name: "merge", execArgv: [], resourceLimits: this.#limits });
		this.#worker = worker;
		worker.on("message", ({ id, answers }: { id: number; answers: MergeAnswer[] }) => {
			this.#pending.get(id)?.resolve(answers);
			this.#pending.delete(id);
			if (this.#pending.size === 0) this.#rest(worker);
		});
		worker.on("error", (error) => this.#fail(worker, error.message));
		worker.on("exit", (code) => this.#fail(worker, `it ended with ${code}`));
		return worker;
	}

	#rest(worker: Worker): void {
		worker.unref();
		this.#idle = setTimeout(() => {
			this.#idle = null;
			if (this.#worker === worker) this.#worker = null;
			void worker.terminate();
		}, idleMs).unref();
	}

	/** Ends the thread. Its running jobs fail. */
	async stop(): Promise<void> {
		await this.#worker?.terminate();
	}

	#fail(worker: Worker, reason: string): void {
		if (this.#worker !== worker) return;
		this.#worker = null;
		const failed = [...this.#pending.values()];
		this.#pending.clear();
		for (const { reject } of failed)
			reject(new MergeThreadError(`the thread that merges files died (${reason}): nothing was merged, try again`));
	}
}

/** The thread of this process. */
export const mergeThread = new MergeThread();
