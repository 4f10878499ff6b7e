import type { Logger } from "@robust-sync/service/log";
import { paint } from "@robust-sync/service/paint";
import { peerTable } from "./peer-table.ts";
import type { PeerView } from "./peer-view.ts";
import { peerState } from "./state-files.ts";

const redrawMs = 1_000;
/** CSI n A: cursor up; CSI J: erase to the end of the screen (ECMA-48). */
const eraseLines = (lines: number) => (lines > 0 ? `\x1b[${lines}A\r\x1b[J` : "");

/** The peers at the bottom of a terminal, a line each, redrawn every second; log lines scroll by above. */
export class LiveTable {
	readonly #stream: NodeJS.WriteStream;
	readonly #peers: () => readonly PeerView[];
	#timer: NodeJS.Timeout | null = null;
	#lines = 0;

	/**
	 * @param stream a terminal
	 * @param peers asked at each drawing
	 */
	constructor(stream: NodeJS.WriteStream, peers: () => readonly PeerView[]) {
		this.#stream = stream;
		this.#peers = peers;
	}

	start(): void {
		this.#draw();
		this.#timer = setInterval(() => {
			this.#erase();
			this.#draw();
		}, redrawMs);
		this.#timer.unref();
	}

	/** Stops drawing and leaves the last table on the screen. */
	stop(): void {
		if (this.#timer) clearInterval(this.#timer);
		this.#timer = null;
		this.#lines = 0;
	}

	/** A logger whose lines do not run into the table. */
	around(logger: Logger): Logger {
		const aside =
			<A extends unknown[]>(write: (...args: A) => void) =>
			(...args: A) => {
				const isDrawn = this.#lines > 0;
				this.#erase();
				write(...args);
				if (isDrawn) this.#draw();
			};
		return {
			...logger,
			debug: aside(logger.debug.bind(logger)),
			info: aside(logger.info.bind(logger)),
			warn: aside(logger.warn.bind(logger)),
			error: aside(logger.error.bind(logger)),
			flush: () => logger.flush(),
			close: () => logger.close(),
		};
	}

	#draw(): void {
		if (!this.#timer && this.#lines > 0) return;
		const rows = this.#peers().map((view) => peerState(view, false));
		// A terminal without a known size reports 0.
		const [columns, height] = [this.#stream.columns || 80, this.#stream.rows || 24];
		const table = peerTable(rows, Date.now(), paint(this.#stream), columns - 1);
		const shown = table.length < height ? table : [...table.slice(0, height - 2), `… and ${table.length - height + 2} more`];
		this.#stream.write(`${shown.join("\n")}\n`);
		this.#lines = shown.length;
	}

	#erase(): void {
		if (this.#lines > 0) this.#stream.write(eraseLines(this.#lines));
		this.#lines = 0;
	}
}
