import { kernelProcessTable, type ProcessTable } from "@robust-sync/system/process-table";
import { readNodeView, servicesLiveness, type WorkspacePaths } from "@robust-sync/workspace";
import type { Content } from "./content.ts";

/** Heartbeats to a thousand peers go out one by one: within this time they all report the same reading. */
const freshForMs = 1_000;

export interface LocalContentOptions {
	paths: WorkspacePaths;
	/** Whether the caller is this node's heartbeat itself, which is then up, independent of its file. */
	isHeartbeat: boolean;
	/** Milliseconds since the epoch. */
	now?: () => number;
	table?: ProcessTable;
}

/** This node's own report, from its state files. */
export class LocalContent {
	readonly #options: LocalContentOptions;
	readonly #now: () => number;
	#content: Content | null = null;
	#readAt = 0;
	#publishedHead: string | null = null;

	constructor(options: LocalContentOptions) {
		this.#options = options;
		this.#now = options.now ?? Date.now;
	}

	/** The reading of the last second, or a new one. */
	get(): Content {
		const age = this.#now() - this.#readAt;
		return this.#content && age >= 0 && age < freshForMs ? this.#content : this.refresh();
	}

	/** Reads all files again. */
	refresh(): Content {
		const now = this.#now();
		const view = readNodeView(this.#options.paths);
		const services = servicesLiveness(view, now, this.#options.table ?? kernelProcessTable);
		const sync = view.sync.kind === "ok" ? view.sync.state : null;
		// Peers can only fetch commits that are on the remote: announcing a head before would make them fetch in vain.
		if (sync?.status === "idle" && sync.ahead === 0 && sync.head !== null && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(sync.head)) {
			this.#publishedHead = sync.head;
		}
		this.#readAt = now;
		this.#content = {
			head: this.#publishedHead,
			lastSyncMs: sync?.last_sync ? Date.parse(sync.last_sync) : null,
			syncStatus: sync?.status ?? null,
			consecutiveFailures: sync?.consecutive_failures ?? null,
			messagesPending: sync?.messages_pending ?? null,
			services: {
				sync: services.sync.status,
				heartbeat: this.#options.isHeartbeat ? "up" : services.heartbeat.status,
				"health-server": services["health-server"].status,
				monitor: services.monitor.status,
			},
		};
		return this.#content;
	}
}
