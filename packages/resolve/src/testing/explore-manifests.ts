import {
	explore,
	type Incoming,
	incomings,
	oneMore,
	type Trace,
	traceText,
	withCut,
	withFault,
} from "@robust-sync/git/testing/explore/explore-model";
import { type Records, root } from "@robust-sync/git/testing/explore/model-checkout";
import { readBackup, WorkspacePaths } from "@robust-sync/workspace";
import { recordBackup } from "../checkout/integrate.ts";

const paths = new WorkspacePaths(root);

/** The manifests, as the checkout writes them and the next process reads them. */
const manifests: Records = {
	write: (files, backup, kept) => recordBackup({ files, paths, now: files.nowMs }, backup, kept),
	read: (files, backup) =>
		readBackup(files, paths, backup).manifest?.files.map(({ file, size, mtime_ms }) => ({ file, size, mtimeMs: mtime_ms })) ?? null,
};

/** What was explored. */
export interface Explored {
	readonly count: number;
	/** The traces that failed, with their problems. */
	readonly failed: readonly (readonly [string, readonly string[]])[];
	/** The acts, kills, faults and power cuts that were carried out. */
	readonly events: ReadonlySet<string>;
}

/**
 * Explores every trace with one event at a call that writes the manifest of a backup, or after it.
 * @param withActs with acts of programs; without, kills, faults and power cuts only
 */
export async function exploreManifests(way: Trace["way"], withActs: boolean, changes: readonly Incoming[] = incomings): Promise<Explored> {
	const failed: [string, readonly string[]][] = [];
	const events = new Set<string>();
	let count = 0;
	for (const incoming of changes) {
		const outcome = await explore({ way, incoming, events: [] }, manifests);
		const from = outcome.calls.findIndex((call) => call.includes("/manifest.json"));
		if (from < 0) continue;
		const all = [
			...oneMore(outcome).filter(({ events: [event] }) => withActs || event?.act === "kill"),
			...withFault(outcome),
			...withCut(outcome),
		];
		for (const trace of all) {
			if (!trace.events.every(({ at }) => at === "end" || at >= from)) continue;
			count++;
			const { problems, done } = await explore(trace, manifests);
			if (done > 0) events.add(trace.events[0]?.act.replace(/\d+$/, "") ?? "");
			if (problems.length > 0) failed.push([traceText(trace), problems]);
		}
	}
	return { count, failed, events };
}
