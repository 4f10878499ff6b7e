/** After a limit the remote is asked again after this long, twice as long each time, at most `longestLimitMs`. */
const firstLimitMs = 60_000;
const longestLimitMs = 3_600_000;
/** Longest wait that is read from a state file. */
const longestResumedMs = 24 * 3_600_000;
/** Sync intervals between two questions while every peer announces its pushes, at most `longestAskMs`. */
const askIntervals = 5;
const longestAskMs = 600_000;
/** A push counts for its turn if it begins within this part of the round after it. */
const turnTolerance = 0.1;
/** A node that publishes often asks for announced pauses after this many pushes, but not sooner than after `readPausesMs`. */
const pushesUntilRead = 3;
const readPausesMs = 2_000;
/** After this long a pause that still holds is looked up again: it may have been ended, or another one begun. */
const pauseStepMs = 2_000;
/** The rate limit of public hosts: six pushes a minute for a repository (GitHub's "Repository limits"), shared by all nodes. */
const publicPushMs = 10_000;

/** Public hosts; with the domains below them. */
const publicHosts = [
	"github.com",
	"gitlab.com",
	"bitbucket.org",
	"codeberg.org",
	"gitea.com",
	"sr.ht",
	"azure.com",
	"visualstudio.com",
	"amazonaws.com",
	"sourceforge.net",
	"launchpad.net",
	"gitee.com",
	"disroot.org",
	"notabug.org",
	"pagure.io",
	"salsa.debian.org",
];

/** The host of a remote's address, in lower case; null: a path, or an address without a host. */
export function hostOf(url: string): string | null {
	const [, authority] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url) ?? [];
	// scp's form: [user@]host:path, without a slash before the colon.
	const [, scp] = authority === undefined ? (/^((?:[^/@:[]*@)?\[[^\]]*\]|[^/:[]+):/.exec(url) ?? []) : [];
	const host = (authority ?? scp ?? "").replace(/^.*@/, "").replace(/:\d*$/, "").replace(/\.$/, "").toLowerCase();
	return host === "" ? null : host;
}

/**
 * Milliseconds between two pushes of one node.
 * @param setting SYNC_PUSH_INTERVAL
 * @param nodes number of nodes that push to the remote, this one included
 */
export function pushIntervalMs(setting: number | "auto", url: string, nodes: number): number {
	if (setting !== "auto") return setting * 1_000;
	const host = hostOf(url);
	const isPublic = host !== null && publicHosts.some((name) => host === name || host.endsWith(`.${name}`));
	return isPublic ? publicPushMs * nodes : 0;
}

/** This node's turn in a round of all nodes, after its first push: otherwise all would wait for the same moment. */
export interface PushTurn {
	/** From the beginning of the round, milliseconds. */
	readonly offsetMs: number;
	/** Milliseconds since 1970: rounds are the same for all nodes. */
	readonly wallNow: () => number;
}

/** The turn of one of several nodes; null: rounds are of no use. */
export function pushTurn(node: string, peers: readonly string[], intervalMs: number, wallNow: () => number): PushTurn | null {
	const nodes = [node, ...peers].sort();
	return intervalMs > 0 && nodes.length > 1 ? { offsetMs: (nodes.indexOf(node) * intervalMs) / nodes.length, wallNow } : null;
}

/** Milliseconds between two questions for the remote's tip. @param areAnnounced every peer is alive and announces its pushes */
export function askIntervalMs(pushMs: number, syncIntervalMs: number, areAnnounced: boolean): number {
	return pushMs > 0 && areAnnounced ? Math.max(syncIntervalMs, Math.min(longestAskMs, askIntervals * syncIntervalMs)) : 0;
}

/** Milliseconds until the next cycle. @param postponedMs until the next permitted push of waiting commits; null: nothing waits */
export function waitAfterCycleMs(postponedMs: number | null, intervalMs: number): number {
	return Math.min(intervalMs, postponedMs ?? intervalMs);
}

/**
 * When this process may use the remote: pushes keep an interval, the first after a quiet period goes at once; questions keep one if
 * announced heads replace them; a remote that limits this node is avoided for at least a minute.
 */
export class HubPace {
	readonly #now: () => number;
	#pushMs = 0;
	#askMs = 0;
	#turn: PushTurn | null = null;
	#pushedAt = Number.NEGATIVE_INFINITY;
	#askedAt = Number.NEGATIVE_INFINITY;
	#limitedUntil = Number.NEGATIVE_INFINITY;
	#limits = 0;
	#pausedUntil: number | null = null;
	#pausesReadAt = Number.NEGATIVE_INFINITY;
	#pushesSinceRead = 0;

	/** @param now monotonic milliseconds */
	constructor(now: () => number = () => performance.now()) {
		this.#now = now;
	}

	/** Milliseconds between two pushes, and between two questions; 0: no limit. */
	configure(pushMs: number, askMs: number, turn: PushTurn | null = null): void {
		this.#pushMs = pushMs;
		this.#askMs = askMs;
		this.#turn = turn;
	}

	/** The remaining time of the limit, milliseconds. */
	limitedMs(): number {
		return Math.max(0, this.#limitedUntil - this.#now());
	}

	/** Milliseconds until a push is permitted. */
	waitToPushMs(): number {
		const until = Math.max(this.#nextTurn(), this.#pausedUntil ?? Number.NEGATIVE_INFINITY);
		return Math.max(0, this.limitedMs(), until - this.#now());
	}

	/**
	 * The remote's answer to whether a node that forgets asks the others not to push.
	 * @param leftMs how long, milliseconds; 0: none does
	 */
	pausesRead(leftMs: number): void {
		this.#pausesReadAt = this.#now();
		this.#pushesSinceRead = 0;
		this.#pausedUntil = leftMs > 0 ? this.#now() + Math.min(leftMs, pauseStepMs) : null;
	}

	/** Whether the remote is to be asked for pauses before a push: by its last answer there was one. */
	mustReadPauses(): boolean {
		return this.#pausedUntil !== null && this.#now() >= this.#pausedUntil;
	}

	/** Whether the remote is to be asked for pauses beside a push: this node pushes often, and its pushes need no other question. */
	shouldReadPauses(): boolean {
		const isOften = this.#pushMs === 0 && this.#pushesSinceRead >= pushesUntilRead;
		return isOften && this.#now() >= this.#pausesReadAt + readPausesMs;
	}

	/** The end of the interval since the last push; with turns, the next turn after that. */
	#nextTurn(): number {
		if (this.#turn === null || this.#pushMs === 0 || this.#pushedAt === Number.NEGATIVE_INFINITY) return this.#pushedAt + this.#pushMs;
		const { offsetMs, wallNow } = this.#turn;
		const toWall = wallNow() - this.#now();
		// A push at its turn begins a little later.
		const earliest = this.#pushedAt + this.#pushMs * (1 - turnTolerance) + toWall;
		return Math.ceil((earliest - offsetMs) / this.#pushMs) * this.#pushMs + offsetMs - toWall;
	}

	/** Whether the remote may be asked for its tip, without another reason than elapsed time. */
	mayAsk(): boolean {
		// A timer may fire a moment early.
		return this.limitedMs() === 0 && this.#now() >= this.#askedAt + this.#askMs - Math.min(1_000, this.#askMs / 10);
	}

	/** Records the start of a push, even of one that fails. @returns undoes that, if nothing was sent */
	pushes(): () => void {
		const before = this.#pushedAt;
		this.#pushedAt = this.#now();
		this.#pushesSinceRead++;
		return () => {
			this.#pushedAt = before;
		};
	}

	/** The remote reported its tip. */
	asked(): void {
		this.#askedAt = this.#now();
	}

	/**
	 * The remote limits us.
	 * @param retryAfterMs the remote's Retry-After; null: none
	 * @param random in [0, 1): nodes that were refused together do not return together
	 * @returns the length of the limit from now on, milliseconds
	 */
	limited(retryAfterMs: number | null, random: number): number {
		// The refusal of an attempt that was not made is no new information.
		const left = this.limitedMs();
		if (left > 0) return left;
		const window = Math.min(longestLimitMs, firstLimitMs * 2 ** Math.min(this.#limits, 16));
		this.#limits++;
		const waitMs = Math.round(Math.max(window, retryAfterMs ?? 0) + (random * window) / 10);
		this.#limitedUntil = this.#now() + waitMs;
		return waitMs;
	}

	/** Continues a limit of an earlier process. @param times number of refusals in a row */
	resume(waitMs: number, times: number): void {
		// The next refusal doubles the wait even if this one is over.
		this.#limits = Math.max(1, times);
		if (waitMs > 0) this.#limitedUntil = this.#now() + Math.min(waitMs, longestResumedMs);
	}

	/** The remote answered. */
	recovered(): void {
		this.#limits = 0;
		this.#limitedUntil = Number.NEGATIVE_INFINITY;
	}
}
