import { fileStamp } from "@robust-sync/system/file-stamp";
import { readState, syncStateSchema, type WorkspacePaths } from "@robust-sync/workspace";

/**
 * Notices between two rounds that sync's state needs a check: a failure too many, another error, or one that is over. An
 * error can be gone with the next cycle, long before the interval is over. Costs a stat if nothing was written.
 */
export class SyncWatch {
	readonly #paths: WorkspacePaths;
	#signature = "";
	#state = "";

	constructor(paths: WorkspacePaths) {
		this.#paths = paths;
	}

	/** Whether sync's state differs from the last call in what the checks report. */
	hasNews(maxFailures: number): boolean {
		let signature: string;
		try {
			signature = fileStamp(this.#paths.syncState) ?? "";
		} catch {
			return false;
		}
		if (signature === this.#signature) return false;
		this.#signature = signature;
		const read = readState(this.#paths.syncState, syncStateSchema);
		if (read.kind !== "ok") return false;
		const { last_error, consecutive_failures, held = [] } = read.state;
		const state = `${last_error?.code ?? ""} ${consecutive_failures >= maxFailures} ${held.map(({ direction, commit }) => `${direction} ${commit}`)}`;
		const isNews = state !== this.#state;
		this.#state = state;
		return isNews;
	}
}
