// The thread in which files are merged (merge-thread.ts): jobs come in, answers go out, in order.
import { parentPort } from "node:worker_threads";
import { type MergeAnswer, type MergeJob, runJob } from "./merge-jobs.ts";

parentPort?.on("message", ({ id, jobs }: { id: number; jobs: readonly MergeJob[] }) => {
	const answers: MergeAnswer[] = jobs.map(runJob);
	parentPort?.postMessage({ id, answers });
});
