import type { ServerResponse } from "node:http";
import type { ViewMessage } from "./page/client.ts";
import type { View } from "./page/view.ts";
import type { VNode } from "./page/vnode.ts";

export interface EventStreamOptions {
	/** The present view. @param before the `?before=` of the page's address, or null */
	view(before: string | null): Promise<View>;
	/** Milliseconds since the epoch. */
	now: () => number;
}

interface Listener {
	readonly response: ServerResponse;
	readonly before: string | null;
	/** The last version of each section that was sent. */
	readonly sent: Map<string, string>;
}

/** More open pages than anyone has; further ones poll every two seconds. */
export const mostListeners = 32;
/** How often the state files are checked while a page is open: a change shows within a second. */
const checkIntervalMs = 400;
/** Interval of the sign of life by which a page detects a dead server. */
const beatMs = 5_000;
/** A page that does not read its stream is disconnected beyond this many unsent bytes. */
const mostUnsentBytes = 1024 * 1024;

/** Server-Sent Events (HTML Living Standard, section 9.2): sends changed sections to open pages. Costs nothing while no page is open. */
export class EventStream {
	readonly #options: EventStreamOptions;
	readonly #listeners = new Set<Listener>();
	#timer: NodeJS.Timeout | null = null;
	#lastBeat = 0;
	#busy = false;

	constructor(options: EventStreamOptions) {
		this.#options = options;
	}

	get listeners(): number {
		return this.#listeners.size;
	}

	/** Keeps the response open and sends the whole view, then changes. Its head must be written already. */
	add(response: ServerResponse, before: string | null): void {
		const listener: Listener = { response, before, sent: new Map() };
		this.#listeners.add(listener);
		response.on("close", () => {
			this.#listeners.delete(listener);
			if (this.#listeners.size === 0) this.#stop();
		});
		this.#timer ??= setInterval(() => void this.#sendChanges(), checkIntervalMs);
		void this.#sendChanges();
	}

	/** Ends every stream. */
	close(): void {
		for (const { response } of this.#listeners) response.end();
		this.#listeners.clear();
		this.#stop();
	}

	#stop(): void {
		if (this.#timer) clearInterval(this.#timer);
		this.#timer = null;
	}

	async #sendChanges(): Promise<void> {
		if (this.#busy) return;
		this.#busy = true;
		try {
			const now = performance.now();
			const isBeat = now - this.#lastBeat >= beatMs;
			if (isBeat) this.#lastBeat = now;
			const views = new Map<string | null, Promise<Piece>>();
			for (const listener of this.#listeners) {
				let piece = views.get(listener.before);
				if (!piece) {
					piece = this.#options.view(listener.before).then(toPiece);
					views.set(listener.before, piece);
				}
				this.#send(listener, await piece, isBeat);
			}
		} catch {
			// The next round tries again; the page notices the missing beat.
		} finally {
			this.#busy = false;
		}
	}

	#send({ response, sent }: Listener, piece: Piece, isBeat: boolean): void {
		if (response.writableLength > mostUnsentBytes) {
			response.destroy();
			return;
		}
		const changed = piece.sections.filter(([id, json]) => sent.get(id) !== json);
		if (changed.length > 0) {
			for (const [id, json] of changed) sent.set(id, json);
			const head = JSON.stringify({ now: this.#options.now(), title: piece.title, status: piece.status });
			response.write(`event: view\ndata: ${head.slice(0, -1)},"sections":[${changed.map(([, json]) => json).join(",")}]}\n\n`);
		} else if (isBeat) response.write("event: beat\ndata: 1\n\n");
	}
}

interface Piece {
	readonly title: string;
	readonly status: string;
	readonly sections: readonly (readonly [id: string, json: string])[];
}

function idOf(section: VNode): string {
	return typeof section === "string" ? "" : String(section[1].id);
}

function toPiece({ title, status, sections }: View): Piece {
	return { title, status, sections: sections.map((section) => [idOf(section), JSON.stringify(section)]) };
}

/** The message for a page that polls: all sections. */
export function viewMessage({ title, status, sections }: View, now: number): ViewMessage {
	return { now, title, status, sections };
}
