// The thread in which contents are searched for secrets (scan-thread.ts): jobs come in, findings go out, in order. Values stay here.
import { parentPort } from "node:worker_threads";
import type { Allowed } from "./allowed.ts";
import { type Finding, SecretFinder, slowRule } from "./finder.ts";
import type { OwnSecret } from "./own-secrets.ts";
import { findingsIn, type ScanJob, type Secretlint } from "./scan.ts";

let finder = new SecretFinder();

/** A message to the thread: changed settings, and contents. */
export interface ScanRequest {
	readonly id: number;
	readonly own?: readonly OwnSecret[];
	readonly allowed: readonly Allowed[];
	readonly jobs: readonly ScanJob[];
	/** For hashes of the values; null: no hashes. */
	readonly salt: string | null;
}

/** Loaded with the first content that needs it. */
const secretlint: Secretlint = async (content, excerpts) => (await import("./secretlint.ts")).secretlintMatches(content, excerpts);

let work: Promise<void> = Promise.resolve();

parentPort?.on("message", ({ id, own, allowed, jobs, salt }: ScanRequest) => {
	work = work.then(async () => {
		if (own) finder = new SecretFinder(own);
		const answers: (Finding[] | null)[] = [];
		for (const [index, job] of jobs.entries()) {
			// The next window of a file whose search takes too long.
			const isKnown = job.path === jobs[index - 1]?.path && answers[index - 1]?.some(({ rule }) => rule === slowRule);
			answers.push(isKnown ? (answers[index - 1] ?? []) : await findingsIn(finder, job, allowed, secretlint, salt).catch(() => null));
		}
		parentPort?.postMessage({ id, answers });
	});
});
