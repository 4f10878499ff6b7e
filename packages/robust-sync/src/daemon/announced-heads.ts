/** After an announcement without result the next one of that peer waits this long, twice as long each time, at most `longestWaitMs`. */
const firstWaitMs = 500;
const longestWaitMs = 5_000;
/** Far above any real number of peers: bounds this table against forged state files. */
const mostPeers = 1_024;

/** The announcements of one peer. */
interface Announcements {
	/** The newest one that has led to no cycle yet. */
	waiting: string | null;
	/** The head of a requested cycle that has not begun. */
	wanted: string | null;
	/** The head for which the running cycle was requested. */
	inCycle: string | null;
	/** The number of announcements in a row without result. */
	failures: number;
	/** Monotonic milliseconds. */
	notBefore: number;
	isChecking: boolean;
	timer: NodeJS.Timeout | null;
}

export interface AnnouncedHeadsOptions {
	/** Whether a commit is in the repository. */
	has(head: string): Promise<boolean>;
	/** Asks for a cycle that fetches. */
	wanted(head: string): void;
	/** Monotonic milliseconds. */
	now?: () => number;
}

/**
 * Decides which announced heads start a cycle. Anyone with a peer's key can announce commits that do not exist: after a head that its cycle
 * did not bring, the next ones of that peer wait, and only the newest of them is tried. A head that a cycle brings ends that.
 */
export class AnnouncedHeads {
	readonly #options: AnnouncedHeadsOptions;
	readonly #now: () => number;
	readonly #peers = new Map<string, Announcements>();

	constructor(options: AnnouncedHeadsOptions) {
		this.#options = options;
		this.#now = options.now ?? (() => performance.now());
	}

	/** A peer announces `head` as its newest commit on the remote. */
	announced(peer: string, head: string): void {
		if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(head)) return;
		const entry = this.#entry(peer);
		if (entry === null || head === entry.wanted || head === entry.inCycle) return;
		entry.waiting = head;
		this.#try(entry);
	}

	/** A cycle begins: it may bring the requested heads. */
	cycleBegins(): void {
		for (const entry of this.#peers.values()) {
			entry.inCycle = entry.wanted ?? entry.inCycle;
			entry.wanted = null;
		}
	}

	/** A cycle has ended, successfully or not: resolves when its heads are judged. */
	async cycleEnded(): Promise<void> {
		for (const entry of this.#peers.values()) {
			const head = entry.inCycle;
			if (head !== null) {
				entry.inCycle = null;
				if (await this.#options.has(head)) {
					entry.failures = 0;
					entry.notBefore = Number.NEGATIVE_INFINITY;
				} else {
					entry.notBefore = this.#now() + Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(entry.failures, 16));
					entry.failures++;
				}
			}
			this.#try(entry);
		}
	}

	/** Ends the starting of cycles. */
	close(): void {
		for (const entry of this.#peers.values()) if (entry.timer) clearTimeout(entry.timer);
		this.#peers.clear();
	}

	#entry(peer: string): Announcements | null {
		const known = this.#peers.get(peer);
		if (known) return known;
		if (this.#peers.size >= mostPeers) return null;
		const entry: Announcements = {
			waiting: null,
			wanted: null,
			inCycle: null,
			failures: 0,
			notBefore: Number.NEGATIVE_INFINITY,
			isChecking: false,
			timer: null,
		};
		this.#peers.set(peer, entry);
		return entry;
	}

	#try(entry: Announcements): void {
		if (entry.waiting === null || entry.isChecking || entry.timer || entry.wanted !== null || entry.inCycle !== null) return;
		const waitMs = entry.notBefore - this.#now();
		if (waitMs > 0) {
			entry.timer = setTimeout(() => {
				entry.timer = null;
				this.#try(entry);
			}, waitMs);
			entry.timer.unref();
			return;
		}
		entry.isChecking = true;
		const head = entry.waiting;
		entry.waiting = null;
		void this.#options
			.has(head)
			.catch(() => false)
			.then((isKnown) => {
				entry.isChecking = false;
				if (!isKnown) {
					entry.wanted = head;
					this.#options.wanted(head);
				} else this.#try(entry);
			});
	}
}
