/** Of a limited remote is asked again after this long, twice as long each time, at most `longestLimitMs`. */
const firstLimitMs = 60_000;
const longestLimitMs = 3_600_000;
/** A wait that a state file claims to be left of an earlier one is never longer. */
const longestResumedMs = 24 * 3_600_000;
/** This many sync intervals may pass between two questions while every peer announces what it pushes, at most `longestAskMs`. */
const askIntervals = 5;
const longestAskMs = 600_000;
/** A push counts for its turn when it begins within this part of the round after it. */
const turnTolerance = 0.1;
/** What public hosts ask for: six pushes a minute for a repository (GitHub's "Repository limits"), shared by all nodes. */
const publicPushMs = 10_000;

/** Hosts that serve everybody, and the domains below them. */
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

/** The host of a remote's address, in lower case; null: a path, or nothing that names a host. */
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
 * @param nodes how many nodes push to the remote, this one included
 */
export function pushIntervalMs(setting: number | "auto", url: string, nodes: number): number {
	if (setting !== "auto") return setting * 1_000;
	const host = hostOf(url);
	const isPublic = host !== null && publicHosts.some((name) => host === name || host.endsWith(`.${name}`));
	return isPublic ? publicPushMs * nodes : 0;
}

/** When, in a round of all nodes, one of them pushes that has pushed before: else they would all wait for the same moment. */
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

/** Milliseconds between two questions where the remote's branch is. @param areAnnounced every peer is alive and announces what it pushes */
export function askIntervalMs(pushMs: number, syncIntervalMs: number, areAnnounced: boolean): number {
	return pushMs > 0 && areAnnounced ? Math.max(syncIntervalMs, Math.min(longestAskMs, askIntervals * syncIntervalMs)) : 0;
}

/** Milliseconds until the next cycle. @param postponedMs until something that waits here may be pushed; null: nothing waits */
export function waitAfterCycleMs(postponedMs: number | null, intervalMs: number): number {
	return Math.min(intervalMs, postponedMs ?? intervalMs);
}

/**
 * When this process may use the remote: pushes keep an interval, the first after a quiet period goes at once; questions keep one where
 * announced heads take their place; a remote that says it limits us is left alone for at least a minute.
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

	/** @param now monotonic milliseconds */
	constructor(now: () => number = () => performance.now()) {
		this.#now = now;
	}

	/** Milliseconds between two pushes, and between two questions; 0: as often as there is reason to. */
	configure(pushMs: number, askMs: number, turn: PushTurn | null = null): void {
		this.#pushMs = pushMs;
		this.#askMs = askMs;
		this.#turn = turn;
	}

	/** How long the remote is still left alone, milliseconds. */
	limitedMs(): number {
		return Math.max(0, this.#limitedUntil - this.#now());
	}

	/** How long until a push may go out, milliseconds. */
	waitToPushMs(): number {
		return Math.max(0, this.limitedMs(), this.#nextTurn() - this.#now());
	}

	/** When the interval since the last push is over; with turns, the next turn after that. */
	#nextTurn(): number {
		if (this.#turn === null || this.#pushMs === 0 || this.#pushedAt === Number.NEGATIVE_INFINITY) return this.#pushedAt + this.#pushMs;
		const { offsetMs, wallNow } = this.#turn;
		const toWall = wallNow() - this.#now();
		// A push at its turn begins a little later.
		const earliest = this.#pushedAt + this.#pushMs * (1 - turnTolerance) + toWall;
		return Math.ceil((earliest - offsetMs) / this.#pushMs) * this.#pushMs + offsetMs - toWall;
	}

	/** Whether the remote may be asked where its branch is, with no other reason than that time has passed. */
	mayAsk(): boolean {
		// A timer may fire a moment early.
		return this.limitedMs() === 0 && this.#now() >= this.#askedAt + this.#askMs - Math.min(1_000, this.#askMs / 10);
	}

	/** A push begins, whatever becomes of it. @returns takes that back, where nothing was sent */
	pushes(): () => void {
		const before = this.#pushedAt;
		this.#pushedAt = this.#now();
		return () => {
			this.#pushedAt = before;
		};
	}

	/** The remote said where its branch is. */
	asked(): void {
		this.#askedAt = this.#now();
	}

	/**
	 * The remote limits us.
	 * @param retryAfterMs what it asks for itself; null: it names no time
	 * @param random in [0, 1): nodes that were turned away together do not come back together
	 * @returns how long it is left alone from now on, milliseconds
	 */
	limited(retryAfterMs: number | null, random: number): number {
		// The refusal of an attempt that was not made says nothing new.
		const left = this.limitedMs();
		if (left > 0) return left;
		const window = Math.min(longestLimitMs, firstLimitMs * 2 ** Math.min(this.#limits, 16));
		this.#limits++;
		const waitMs = Math.round(Math.max(window, retryAfterMs ?? 0) + (random * window) / 10);
		this.#limitedUntil = this.#now() + waitMs;
		return waitMs;
	}

	/** Goes on with a wait that an earlier process began. @param times how often in a row it was turned away */
	resume(waitMs: number, times: number): void {
		// The next refusal doubles the wait also where this one is over.
		this.#limits = Math.max(1, times);
		if (waitMs > 0) this.#limitedUntil = this.#now() + Math.min(waitMs, longestResumedMs);
	}

	/** The remote answered. */
	recovered(): void {
		this.#limits = 0;
		this.#limitedUntil = Number.NEGATIVE_INFINITY;
	}
}
