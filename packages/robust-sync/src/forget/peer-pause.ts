import { setTimeout as sleep } from "node:timers/promises";
import { blobOid, changeRemoteRefs, openMergeStore, readRemoteRefs, writeObjects } from "@robust-sync/git";
import type { CycleContext } from "../context/cycle-context.ts";
import { isPauseOver, longestPauseSeconds, pauseRef, pausesBelow } from "../remote/announced-pause.ts";

/** A pause lasts as long as this many attempts like the one before, and at least `shortestSeconds`. */
const attemptsLong = 3;
const shortestSeconds = 15;
/** By then a node that pushes often has seen the first announcement. */
const noticeMs = 2_500;
/** What the ref of a pause refers to: its name has everything. */
const content = Buffer.from("robust-sync pause\n");

/** Asks the other nodes not to push for a while, once their pushes were faster than an attempt to replace the branch. */
export class PeerPause {
	readonly #context: CycleContext;
	readonly #key: string;
	#refs: readonly string[] = [];
	#renewAt = Number.NEGATIVE_INFINITY;

	/** @param key HEARTBEAT_KEY */
	constructor(context: CycleContext, key: string) {
		this.#context = context;
		this.#key = key;
	}

	/** Begins or prolongs it, after an attempt that lost a race. A hub that refuses it costs attempts only. @param attemptMs how long that took */
	async announce(attemptMs: number): Promise<void> {
		const { repository, config, log, now } = this.#context;
		if (performance.now() < this.#renewAt) return;
		const seconds = Math.min(longestPauseSeconds, Math.max(shortestSeconds, Math.ceil((attemptsLong * attemptMs) / 1_000)));
		const ref = pauseRef(now(), seconds, this.#key);
		try {
			await writeObjects(openMergeStore(repository), [{ type: "blob", content }]);
			await changeRemoteRefs(repository, config.syncRemote, [{ ref, oid: blobOid(content, repository.objectFormat) }], []);
		} catch (error) {
			log.info(`the hub has no ref for a pause (${error instanceof Error ? error.message : String(error)}): the other nodes go on pushing`);
			return;
		}
		const isFirst = this.#refs.length === 0;
		this.#refs = [...this.#refs, ref];
		this.#renewAt = performance.now() + seconds * 500;
		log.info(`other nodes are asked not to push for ${seconds} s`);
		if (isFirst) await sleep(noticeMs);
	}

	/** Ends it, and removes what killed commands left. A failure leaves it to run out. */
	async end(): Promise<void> {
		if (this.#refs.length === 0) return;
		const { repository, config, log, now } = this.#context;
		try {
			const there = [...(await readRemoteRefs(repository, config.syncRemote, [`${pausesBelow}*`])).keys()];
			await changeRemoteRefs(
				repository,
				config.syncRemote,
				[],
				there.filter((ref) => this.#refs.includes(ref) || isPauseOver(ref, now())),
			);
		} catch (error) {
			log.info(`the pause of the other nodes runs out by itself (${error instanceof Error ? error.message : String(error)})`);
		}
	}
}
