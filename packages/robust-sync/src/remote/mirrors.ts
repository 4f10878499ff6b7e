import {
	fetchBranch,
	GitError,
	isAncestor,
	mergeBases,
	type Oid,
	pushCommit,
	type Repository,
	readRef,
	readRemoteBranch,
	trackingRef,
} from "@robust-sync/git";
import { printable } from "@robust-sync/service/printable";
import { redact } from "@robust-sync/service/redact";
import { timestamp } from "@robust-sync/system/timestamps";
import type { Config, MirrorState } from "@robust-sync/workspace";
import { backOffMs } from "../context/back-off.ts";
import type { CycleContext } from "../context/cycle-context.ts";
import { SyncError, toSyncError } from "../context/sync-error.ts";
import { HubPace, pushIntervalMs } from "./hub-pace.ts";

/** The state of one mirror. */
interface Mirror {
	state: MirrorState;
	readonly pace: HubPace;
	failures: number;
	/** Monotonic milliseconds. */
	notBefore: number;
}

export interface MirrorsOptions {
	log: CycleContext["log"];
	/** Milliseconds since 1970. */
	now: () => number;
	random?: () => number;
	/** Monotonic milliseconds. */
	clock?: () => number;
}

/** The commit to push, and its repository. */
export interface MirrorPush {
	readonly repository: Repository;
	readonly config: Config;
	readonly branch: string;
	readonly head: Oid;
}

/**
 * Pushes the branch to further remotes after the hub has it: best effort, one after the other, never by force. A mirror that has commits
 * of its own is no failure of syncing: they are fetched, and the next cycle merges them.
 */
export class Mirrors {
	readonly #options: MirrorsOptions;
	readonly #clock: () => number;
	readonly #mirrors = new Map<string, Mirror>();
	/** Tips of mirrors that are not in our history, by name of the mirror. */
	readonly tips = new Map<string, Oid>();
	#running: Promise<void> | null = null;
	#next: MirrorPush | null = null;

	constructor(options: MirrorsOptions, before: readonly MirrorState[] = []) {
		this.#options = options;
		this.#clock = options.clock ?? (() => performance.now());
		for (const state of before) this.#mirror(state.name, state);
	}

	/** The states of the configured mirrors, in their order. */
	states({ syncMirrors }: Config): MirrorState[] {
		return syncMirrors.map((name) => this.#mirror(name).state);
	}

	#mirror(name: string, state: MirrorState = { name, head: null, pushed_at: null, error: null }): Mirror {
		const known = this.#mirrors.get(name);
		if (known) return known;
		const mirror = { state, pace: new HubPace(this.#clock), failures: 0, notBefore: Number.NEGATIVE_INFINITY };
		this.#mirrors.set(name, mirror);
		return mirror;
	}

	/** Pushes `head` to every mirror that lacks it and may be used now. Never throws; while it runs, only the newest call waits. */
	async push(what: MirrorPush): Promise<void> {
		this.#next = what;
		this.#running ??= this.#run().finally(() => {
			this.#running = null;
		});
		await this.#running;
	}

	async #run(): Promise<void> {
		for (let what = this.#next; what !== null; what = this.#next) {
			this.#next = null;
			for (const name of what.config.syncMirrors) await this.#pushTo(this.#mirror(name), what);
		}
	}

	async #pushTo(mirror: Mirror, what: MirrorPush): Promise<void> {
		const { repository, config, head } = what;
		const { name, error } = mirror.state;
		if ((mirror.state.head === head && error === null) || this.#clock() < mirror.notBefore || this.tips.has(name)) return;
		const url = repository.config.get(`remote.${name}.pushurl`) ?? repository.config.get(`remote.${name}.url`);
		mirror.pace.configure(url === undefined ? 0 : pushIntervalMs(config.syncPushInterval, url, config.peers.length + 1), 0);
		if (mirror.pace.waitToPushMs() > 0) return;
		mirror.pace.pushes();
		try {
			if (url === undefined)
				throw new SyncError(
					"NO_REMOTE",
					`there is no remote '${name}': run 'git remote add ${name} <url>', or remove it from SYNC_MIRRORS`,
				);
			if (!(await this.#bring(name, what))) return;
			if (error !== null) this.#options.log.info(`mirror ${name}: reached again`);
			mirror.failures = 0;
			mirror.pace.recovered();
			mirror.state = { name, head, pushed_at: timestamp(this.#options.now()), error: null };
		} catch (caught) {
			this.#failed(mirror, caught, config);
		}
	}

	/** @returns whether the mirror has `head` now; else its own commits are here, for a cycle to merge */
	async #bring(name: string, { repository, branch, head }: MirrorPush): Promise<boolean> {
		if ((await pushCommit(repository, name, branch, head)) === "pushed") return true;
		await fetchBranch(repository, name, branch);
		const tip = await readRef(repository, trackingRef(name, branch));
		if (tip === null || (await isAncestor(repository, tip, head))) return false;
		if (await isAncestor(repository, head, tip)) {
			this.tips.set(name, tip);
			return false;
		}
		if ((await mergeBases(repository, head, tip)).length === 0)
			throw new SyncError("PUSH_REJECTED", `mirror '${name}' holds another history: empty it, or remove it from SYNC_MIRRORS`);
		this.tips.set(name, tip);
		return false;
	}

	#failed(mirror: Mirror, caught: unknown, config: Config): void {
		const { name, head, pushed_at } = mirror.state;
		const failure =
			caught instanceof GitError || caught instanceof SyncError ? toSyncError(caught) : new SyncError("INTERNAL", String(caught));
		const { code, retryAfterMs } = failure;
		const random = (this.#options.random ?? Math.random)();
		mirror.failures++;
		const waitMs =
			code === "RATE_LIMITED"
				? mirror.pace.limited(retryAfterMs, random)
				: backOffMs(mirror.failures, config.syncIntervalSeconds * 1_000, random);
		mirror.notBefore = this.#clock() + waitMs;
		const message = printable(redact(failure.message, [...config.secrets]));
		// Logged once, not with every attempt.
		if (mirror.state.error?.code !== code) this.#options.log.warn(`mirror ${name}: ${code}: ${message}`);
		mirror.state = { name, head, pushed_at, error: { code, message } };
	}
}

/** Whether a mirror can become the hub now. @throws SyncError, GitError when it does not answer or lacks the branch */
export async function checkMirror(repository: Repository, name: string, branch: string): Promise<Oid> {
	const tip = await readRemoteBranch(repository, name, branch);
	if (tip === null) throw new SyncError("BRANCH_GONE", `mirror '${name}' has no branch '${branch}': choose another one`);
	return tip;
}
