import { Worker } from "node:worker_threads";
import type { Allowed } from "./allowed.ts";
import { describe, type Finding, SecretFinder, slowRule } from "./finder.ts";
import type { OwnSecret } from "./own-secrets.ts";
import { findingsIn, inspectAllowed, type ScanJob } from "./scan.ts";
import type { ScanRequest } from "./scan-worker.ts";

declare const __SCAN_WORKER__: string | undefined;

/** Smaller jobs, bytes, that do not need secretlint are done at once: they end before a message to the thread would arrive. */
const inlineBytes = 256 * 1024;
/** A thread without work ends after this time, and frees its memory. */
const idleMs = 30_000;
/** Bytes in the thread at once: more is sent when these are done. */
const batchBytes = 16 * 1_048_576;
/** The same in contents: each costs more than its bytes. */
const batchContents = 2_000;
/** A thread that needs longer for its batch is stuck. */
const stuckMs = 120_000;

/** The bundle of scan-worker.ts beside the bundle of this file. */
function bundledWorker(): URL {
	const name = typeof __SCAN_WORKER__ === "undefined" ? "" : __SCAN_WORKER__;
	return new URL(/\/parts\/[^/]+$/.test(import.meta.url) ? `./${name}` : `./parts/${name}`, import.meta.url);
}

/** A content, or a window of a large one. */
interface Part extends ScanJob {
	/** The index of its job. */
	readonly of: number;
	readonly linesBefore: number;
}

/** Larger contents are searched in windows, to limit the thread's memory. */
const windowBytes = 4 * 1_048_576;
/** Overlap of two windows: no secret is longer. */
const overlapBytes = 32 * 1024;

function* windowsOf(job: ScanJob, of: number): Generator<Part> {
	const { content } = job;
	if (content.length <= 2 * windowBytes) {
		yield { ...job, of, linesBefore: 0 };
		return;
	}
	let linesBefore = 0;
	for (let start = 0; ; ) {
		yield { path: job.path, content: content.subarray(start, start + windowBytes), of, linesBefore };
		if (start + windowBytes >= content.length) return;
		const reach = start + windowBytes - overlapBytes;
		// At the start of a line, so that lines and columns match those of the whole content.
		const feed = content.indexOf(10, reach);
		const next = feed >= 0 && feed < reach + overlapBytes / 2 ? feed + 1 : reach;
		for (let at = content.indexOf(10, start); at >= 0 && at < next; at = content.indexOf(10, at + 1)) linesBefore++;
		start = next;
	}
}

/** The search of contents failed. Their secrets are unknown: none of them may be published. */
export class ScanError extends Error {
	override readonly name = "ScanError";
}

interface Pending {
	resolve(answers: Finding[][]): void;
	reject(error: Error): void;
	readonly timer: NodeJS.Timeout;
}

/** Searches contents for secrets in a thread of its own; contents that certainly hold none are not sent there. */
export class ScanThread {
	readonly #file: URL;
	#worker: Worker | null = null;
	#idle: NodeJS.Timeout | null = null;
	#lastId = 0;
	#own: readonly OwnSecret[] = [];
	#finder = new SecretFinder();
	#isOwnSent = false;
	readonly #pending = new Map<number, Pending>();

	/** @param file the bundled scan-worker; sources have none, and search in the caller's thread */
	constructor(file: URL = bundledWorker()) {
		this.#file = file;
	}

	/** Sets this machine's own secrets. They are in memory only, here and in the thread. */
	setOwn(own: readonly OwnSecret[]): void {
		this.#own = own;
		this.#finder = new SecretFinder(own);
		this.#isOwnSent = false;
	}

	/**
	 * The findings in each content, in the order of the jobs.
	 * @param salt for hashes of the values; null: none
	 * @throws ScanError if the search failed, ran out of memory or does not end
	 */
	async scan(jobs: readonly ScanJob[], allowed: readonly Allowed[], salt: string | null = null): Promise<Finding[][]> {
		const answers: Finding[][] = jobs.map(() => []);
		let batch: Part[] = [];
		let bytes = 0;
		const flush = async () => {
			const found = await this.#scanBatch(batch, bytes, allowed, salt);
			for (const [index, { of, linesBefore }] of batch.entries()) {
				const known = answers[of] ?? [];
				// A secret in the overlap of two windows is found twice.
				const isKnown = (finding: Finding) =>
					known.some(({ line, column, rule }) => line === finding.line && column === finding.column && rule === finding.rule);
				known.push(
					...(found[index] ?? [])
						.map((finding) => ({ ...finding, line: finding.line + linesBefore }))
						.filter((finding) => !isKnown(finding)),
				);
			}
			batch = [];
			bytes = 0;
		};
		for (const [of, job] of jobs.entries())
			for (const part of windowsOf(job, of)) {
				if (answers[of]?.some(({ rule }) => rule === slowRule)) break;
				if (batch.length === batchContents || (batch.length > 0 && bytes + part.content.length > batchBytes)) await flush();
				batch.push(part);
				bytes += part.content.length;
			}
		await flush();
		return answers;
	}

	async #scanBatch(jobs: readonly ScanJob[], bytes: number, allowed: readonly Allowed[], salt: string | null): Promise<Finding[][]> {
		if (jobs.length === 0) return [];
		if (bytes < inlineBytes) {
			const here = this.#scanHere(jobs, allowed, salt);
			if (here !== null) return here;
		}
		// A constant of the bundles: the thread has secretlint, and its parent does not.
		if (typeof __SCAN_WORKER__ === "undefined") {
			const { secretlintMatches } = await import("./secretlint.ts");
			return await Promise.all(jobs.map((job) => findingsIn(this.#finder, job, allowed, secretlintMatches, salt)));
		}
		const worker = this.#start(this.#file);
		const id = ++this.#lastId;
		// One block for all: each block that is handed over costs hundreds of bytes more, in both threads.
		const block = new Uint8Array(bytes);
		let at = 0;
		const packed = jobs.map(({ path, content }) => {
			block.set(content, at);
			at += content.length;
			return { path, content: block.subarray(at - content.length, at) };
		});
		const request: ScanRequest = { id, allowed, salt, jobs: packed };
		return await new Promise((resolve, reject) => {
			const timer = setTimeout(() => this.#fail(worker, "it does not end"), stuckMs);
			this.#pending.set(id, { resolve, reject, timer });
			worker.ref();
			worker.postMessage(this.#isOwnSent ? request : { ...request, own: this.#own }, [block.buffer]);
			this.#isOwnSent = true;
		});
	}

	/** The findings without secretlint. Null: secretlint is needed. */
	#scanHere(jobs: readonly ScanJob[], allowed: readonly Allowed[], salt: string | null): Finding[][] | null {
		const answers: Finding[][] = [];
		for (const job of jobs) {
			const { matches, excerpts } = inspectAllowed(this.#finder, job, allowed);
			if (excerpts.length > 0) return null;
			answers.push(describe(job.content, matches, salt));
		}
		return answers;
	}

	#start(file: URL): Worker {
		if (this.#idle) clearTimeout(this.#idle);
		this.#idle = null;
		if (this.#worker) return this.#worker;
		// The options of the main thread (a profiler, a debugger) are not for the thread.
		const worker = new Worker(file, { name: "secrets", execArgv: [] });
		this.#worker = worker;
		this.#isOwnSent = false;
		worker.on("message", ({ id, answers }: { id: number; answers: (Finding[] | null)[] }) => {
			const pending = this.#pending.get(id);
			this.#pending.delete(id);
			clearTimeout(pending?.timer);
			if (answers.some((answer) => answer === null))
				pending?.reject(new ScanError("a file could not be searched for secrets: nothing was published, trying again"));
			else pending?.resolve(answers as Finding[][]);
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

	#fail(worker: Worker, reason: string): void {
		if (this.#worker !== worker) return;
		this.#worker = null;
		void worker.terminate();
		const failed = [...this.#pending.values()];
		this.#pending.clear();
		for (const { reject, timer } of failed) {
			clearTimeout(timer);
			reject(new ScanError(`the thread that searches for secrets died (${reason}): nothing was published, trying again`));
		}
	}
}
