import path from "node:path";
import { blobOid, type CheckoutReport, gitPath, gitPathBytes, replaceFiles, type TreeChange } from "@robust-sync/git";
import { filtersApply, freeBackupName, isAddition, mergeFiltered, replacedFile } from "@robust-sync/resolve";
import { faultPoint } from "@robust-sync/system/fault-points";
import { mountPointsBelow } from "@robust-sync/workspace";
import type { CycleContext } from "../context/cycle-context.ts";

/**
 * Replaces single files on disk; index and branch stay. Replaced files are recorded before they are touched, so that after a kill at any
 * instant the next call does the rest.
 * @param changes each to a stored version @param isFiltered whether the stored versions go through git's filters
 * @throws GitError, file system errors, LockLostError
 */
export async function replaceOnDisk(context: CycleContext, changes: readonly TreeChange[], isFiltered: boolean): Promise<CheckoutReport> {
	const { repository, paths, config, lock, now, memory } = context;
	lock.assertHeld();
	const backup = freeBackupName(context);
	const directory = path.join(paths.backups, backup);
	const nothing = blobOid(Buffer.alloc(0), repository.objectFormat);
	repository.files.makeTree(directory, 0o700);
	const planned = changes.map(({ path: name, before, after }) => ({
		path: name,
		file: gitPath(Buffer.concat([Buffer.from("files/"), gitPathBytes(name)])),
		before: before?.oid ?? nothing,
		after: after?.oid ?? null,
		size: 0,
		mtime_ms: 0,
	}));
	memory.replaced.write(backup, planned, now());
	faultPoint("replace-planned");
	const options = {
		staging: paths.staging,
		backup: directory,
		mounts: mountPointsBelow(repository.root),
		versions: paths.versions,
		keepsVersions: config.syncAtime === "auto",
		mergeFiltered,
		isAddition,
		checkpoint(step: string) {
			lock.assertHeld();
			if (step === "swap") faultPoint("replace-swap");
			if (step === "swapped") faultPoint("replace-swapped");
		},
	};
	const report = await replaceFiles(repository, options, [...changes], isFiltered && (await filtersApply(repository)));
	faultPoint("replace-done");
	if (report.kept.length === 0) repository.files.removeTree(directory);
	else memory.replaced.write(backup, report.kept.map(replacedFile), now());
	return report;
}
