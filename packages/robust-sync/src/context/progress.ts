import type { Logger } from "@robust-sync/service/log";
import { type MeasuredWork, WorkProgress } from "@robust-sync/service/work-progress";
import { progressText, type WorkspacePaths, writeProgress } from "@robust-sync/workspace";

/** Measured work with the field names of progressText and the state file. */
export const fieldsOf = ({ what, done, total, unit, perSecond, remainingSeconds }: MeasuredWork) => ({
	what,
	done,
	total,
	unit,
	per_second: perSecond === null ? null : Math.round(perSecond * 10) / 10,
	remaining_seconds: remainingSeconds,
});

/**
 * Shows the progress of long work on a workspace: on a terminal, in the log, and in `sync/` for the page and `--status`. Its `report` goes to
 * openWorkspaceRepository. Begun and ended only under the cycle lock.
 * @param now milliseconds since the epoch
 */
export function workspaceProgress(paths: WorkspacePaths, logger: Pick<Logger, "info" | "toFile">, now: () => number): WorkProgress {
	return new WorkProgress(
		{
			text: (work) => progressText(fieldsOf(work)),
			// The terminal shows it already.
			log: (line, isShown) => (isShown && logger.toFile ? logger.toFile("info", line) : logger.info(line)),
			record: (work) => writeProgress(paths, work === null ? null : { ...fieldsOf(work), since: work.since }, now()),
		},
		{ now },
	);
}
