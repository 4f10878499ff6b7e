import { hideLine, showLine } from "./terminal-line.ts";

/** The progress of one piece of work. */
export interface Work {
	/** The work, for people. */
	readonly what: string;
	readonly done: number;
	/** null: not known. */
	readonly total: number | null;
	/** The unit: `bytes`, or a noun in the plural. */
	readonly unit: string;
}

/** The same with rate and remaining time. */
export interface MeasuredWork extends Work {
	/** When this piece began, milliseconds since the epoch. */
	readonly since: number;
	/** Items a second, recently; null: too early to know. */
	readonly perSecond: number | null;
	/** null: unknown. */
	readonly remainingSeconds: number | null;
}

/** The outputs of progress. */
export interface ProgressSinks {
	/** Shows one line. */
	text(work: MeasuredWork): string;
	/** Logs one line a minute. @param isShown a terminal shows it, too */
	log?(line: string, isShown: boolean): void;
	/** Records it every few seconds; null: finished. May reject. */
	record?(work: MeasuredWork | null): Promise<void>;
}

export interface ProgressOptions {
	/** Milliseconds since the epoch. */
	now?: () => number;
	/** Milliseconds that only ever grow. */
	clock?: () => number;
	terminal?: NodeJS.WriteStream;
	env?: NodeJS.ProcessEnv;
}

/** Work that ends sooner is not shown at all: no timer, no output. */
const shownAfterMs = 2_000;
const tickMs = 500;
const recordMs = 1_000;
const logMs = 60_000;
/** The period over which the rate is measured. */
const rateWindowMs = 15_000;
const leastWindowMs = 1_000;
const mostCells = 24;
const fewestCells = 6;

/** A bar that fits into `room` columns; none without a known total, or with too few columns. */
export function bar({ done, total }: Pick<Work, "done" | "total">, room: number): string {
	const cells = Math.min(mostCells, room - 3);
	if (total === null || total <= 0 || cells < fewestCells) return "";
	const full = Math.max(0, Math.min(cells, Math.floor((done / total) * cells)));
	return `[${"#".repeat(full)}${"-".repeat(cells - full)}] `;
}

/**
 * Shows the progress of long work: on a terminal as a bar, in a log once a minute, and in a record. Work of less than two seconds
 * leaves no trace.
 */
export class WorkProgress {
	readonly #sinks: ProgressSinks;
	readonly #now: () => number;
	readonly #clock: () => number;
	readonly #terminal: NodeJS.WriteStream;
	readonly #hasBar: boolean;
	#beganAt: number | null = null;
	#work: Work | null = null;
	#since = 0;
	/** Samples of the amount done, the oldest first, all of this piece. */
	#samples: { readonly at: number; readonly done: number }[] = [];
	#timer: NodeJS.Timeout | undefined;
	#loggedAt = 0;
	#recordedAt = Number.NEGATIVE_INFINITY;
	#isRecorded = false;
	#recording: Promise<void> = Promise.resolve();

	constructor(sinks: ProgressSinks, { now = Date.now, clock, terminal = process.stderr, env = process.env }: ProgressOptions = {}) {
		this.#sinks = sinks;
		this.#now = now;
		this.#clock = clock ?? (() => performance.now());
		this.#terminal = terminal;
		this.#hasBar = terminal.isTTY === true && env.TERM !== "dumb";
	}

	/** Begins work: earlier reports do not count. */
	begin(): void {
		this.#beganAt ??= this.#clock();
	}

	/** Reports progress; null: the piece is finished, and the work continues. Does nothing if no work began. Never throws. */
	readonly report = (work: Work | null): void => {
		if (this.#beganAt === null) return;
		const at = this.#clock();
		if (work?.what !== this.#work?.what) {
			this.#since = this.#now();
			this.#samples = work === null ? [] : [{ at, done: work.done }];
		}
		this.#work = work;
		if (this.#timer !== undefined) return;
		if (work === null || at - this.#beganAt < shownAfterMs) return;
		this.#loggedAt = this.#beganAt;
		this.#timer = setInterval(() => this.#tick(), tickMs);
		this.#timer.unref();
		this.#tick();
	};

	/** Ends the work: erases its line. Resolves when the end is recorded. Never rejects. */
	async end(): Promise<void> {
		clearInterval(this.#timer);
		this.#timer = undefined;
		this.#beganAt = null;
		this.#work = null;
		this.#samples = [];
		hideLine();
		this.#recordedAt = Number.NEGATIVE_INFINITY;
		this.#record(null);
		await this.#recording;
	}

	#measured(work: Work, at: number): MeasuredWork {
		this.#samples.push({ at, done: work.done });
		const inWindow = this.#samples.findIndex((sample) => at - sample.at <= rateWindowMs);
		if (inWindow > 0) this.#samples.splice(0, inWindow);
		const [first] = this.#samples;
		const elapsedMs = first === undefined ? 0 : at - first.at;
		const done = first === undefined ? 0 : work.done - first.done;
		const perSecond = elapsedMs < leastWindowMs || done < 0 ? null : (done * 1_000) / elapsedMs;
		const left = work.total === null ? null : Math.max(0, work.total - work.done);
		return {
			...work,
			since: this.#since,
			perSecond,
			remainingSeconds: left === null || perSecond === null || perSecond <= 0 || left === 0 ? null : Math.ceil(left / perSecond),
		};
	}

	#tick(): void {
		const at = this.#clock();
		const work = this.#work;
		if (work === null) {
			hideLine();
			this.#record(null);
			return;
		}
		const measured = this.#measured(work, at);
		const text = this.#sinks.text(measured);
		if (this.#hasBar) showLine(`${bar(measured, (this.#terminal.columns || 80) - 1 - text.length)}${text}`, this.#terminal);
		if (at - this.#loggedAt >= logMs) {
			this.#loggedAt = at;
			this.#sinks.log?.(text, this.#hasBar);
		}
		if (at - this.#recordedAt >= recordMs) {
			this.#recordedAt = at;
			this.#record(measured);
		}
	}

	/** One after the other; a file that cannot be written must not end the work. */
	#record(work: MeasuredWork | null): void {
		if (work === null && !this.#isRecorded) return;
		this.#isRecorded = work !== null;
		this.#recording = this.#recording.then(() => this.#sinks.record?.(work)).catch(() => undefined);
	}
}
