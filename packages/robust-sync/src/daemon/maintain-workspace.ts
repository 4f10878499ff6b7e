import fs from "node:fs";
import path from "node:path";
import { pruneSavedVersions } from "@robust-sync/resolve";
import type { CycleContext } from "../context/cycle-context.ts";
import { pruneReplaced } from "../remote/rewritten-head.ts";
import { maintainRepository } from "./maintenance.ts";

/** Interval of the check for due maintenance. */
export const maintenanceIntervalMs = 10 * 60_000;
/** On a node without idle cycles it runs after this long even so: about 10 minutes of constant work make 10,000 loose objects. */
export const maintenanceLatestMs = 12 * 60_000;
/** Unfinished files of killed processes are removed after this long. */
const leftoverMs = 60 * 60_000;

/**
 * Maintenance between cycles: removes old backups, empty directories of saved versions and leftovers of killed processes, and packs the
 * repository's loose objects. Only ever removes files of this project.
 */
export async function maintainWorkspace(context: CycleContext): Promise<void> {
	const { paths, memory, now, repository, log } = context;
	const removed = memory.replaced.prune(now());
	if (removed > 0) log.info(`removed ${removed} backups older than 7 days`);
	memory.placed.prune(now());
	pruneSavedVersions(paths);
	removeLeftovers(paths.sync, /\.(tmp|dead)$|\.json\.\d+$/, now());
	removeLeftovers(path.join(repository.commonDirectory, "robust-sync/merge.git/refs/new"), /./, now());
	await pruneReplaced(context);
	context.lock.assertHeld();
	const packed = await maintainRepository(repository, now());
	if (packed !== null) log.info(`packed the repository: ${packed}`);
}

function removeLeftovers(directory: string, pattern: RegExp, now: number): void {
	let names: string[];
	try {
		names = fs.readdirSync(directory);
	} catch {
		return;
	}
	for (const name of names.filter((candidate) => pattern.test(candidate))) {
		const file = path.join(directory, name);
		const stats = fs.lstatSync(file, { throwIfNoEntry: false });
		if (stats && now - stats.mtimeMs > leftoverMs) fs.rmSync(file, { recursive: true, force: true });
	}
}
