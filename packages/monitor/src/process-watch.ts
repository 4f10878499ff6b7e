import type { ProcessTable } from "@robust-sync/system/process-table";
import type { NodeView } from "@robust-sync/workspace";

/**
 * Notices between two rounds that a service's process is gone: a check of /proc for each pid, a few microseconds, so that a
 * death is noticed within a second and not at the end of the interval.
 */
export class ProcessWatch {
	readonly #table: ProcessTable;
	#seen = new Map<number, number>();

	constructor(table: ProcessTable) {
		this.#table = table;
	}

	/** Watches the processes that wrote these state files, as far as they run. */
	follow(view: Pick<NodeView, "sync" | "heartbeat" | "health">): void {
		this.#seen = new Map();
		for (const read of [view.sync, view.heartbeat, view.health]) {
			if (read.kind !== "ok") continue;
			const ticks = this.#table.startTicks(read.state.pid);
			if (ticks !== null) this.#seen.set(read.state.pid, ticks);
		}
	}

	/** Whether one of them has ended since; each is reported once. */
	hasEnded(): boolean {
		const ended = [...this.#seen].filter(([pid, ticks]) => this.#table.startTicks(pid) !== ticks);
		for (const [pid] of ended) this.#seen.delete(pid);
		return ended.length > 0;
	}
}
