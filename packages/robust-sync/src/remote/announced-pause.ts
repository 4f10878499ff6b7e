import { createHmac, timingSafeEqual } from "node:crypto";

// A node that forgets while others push asks them to wait. All of that is in the name of a ref on the hub, so that the question for the tip brings it:
// when it was made, its seconds, and a signature. Each name counts once in a process, for these seconds at most: making it again has no effect.

/** The refs of such pauses are below it. */
export const pausesBelow = "refs/robust-sync/pause/";
/** The longest pause that a node accepts, seconds. */
export const longestPauseSeconds = 300;
/** Names that were made longer ago, or later than now, do not count. Clocks of nodes may differ by this much. */
const maxAgeMs = 300_000;
/** More names are not examined: everyone with push access can make some. */
const mostExamined = 100;

/** The purpose is part of the signed text: no map of what to forget, and no datagram of a heartbeat, is a pause. */
const signatureOf = (signed: string, key: string) => createHmac("sha256", key).update(`robust-sync pause 1\n${signed}`).digest("hex");

/** The name of the ref of a new pause. @param madeAt milliseconds since 1970 @param seconds whole */
export function pauseRef(madeAt: number, seconds: number, key: string): string {
	const signed = `${madeAt}-${seconds}`;
	return `${pausesBelow}${signed}-${signatureOf(signed, key)}`;
}

/** The parts of the name of such a ref, signed or not. */
function readName(
	ref: string,
): { readonly signed: string; readonly madeAt: number; readonly seconds: number; readonly signature: string } | null {
	const [, signed, madeAt, seconds, signature] = /^((\d{1,15})-(\d{1,5}))-([0-9a-f]{64})$/.exec(ref.slice(pausesBelow.length)) ?? [];
	if (!ref.startsWith(pausesBelow) || signed === undefined || signature === undefined) return null;
	return { signed, madeAt: Number(madeAt), seconds: Number(seconds), signature };
}

/** Whether a ref is a pause that no node takes into account any more. A name that is none is left alone. */
export function isPauseOver(ref: string, now: number): boolean {
	const read = readName(ref);
	return read !== null && now > read.madeAt + maxAgeMs;
}

/**
 * How long pushes are to wait.
 * @param refs names on the hub @param keys any of which may have signed it @param now milliseconds since 1970
 * @param seen when this process first saw each valid one; those that are gone are removed
 * @returns milliseconds; 0: not at all
 */
export function pauseLeftMs(refs: Iterable<string>, keys: readonly string[], now: number, seen: Map<string, number>): number {
	const valid = new Set<string>();
	let longest = 0;
	let examined = 0;
	for (const ref of refs) {
		const read = readName(ref);
		if (read === null || Math.abs(now - read.madeAt) > maxAgeMs || read.seconds > longestPauseSeconds) continue;
		if (++examined > mostExamined) break;
		const given = Buffer.from(read.signature);
		if (!keys.some((key) => timingSafeEqual(Buffer.from(signatureOf(read.signed, key)), given))) continue;
		valid.add(ref);
		const since = seen.get(ref) ?? now;
		seen.set(ref, since);
		longest = Math.max(longest, Math.min(since, now) + read.seconds * 1_000 - now);
	}
	// One that comes back within its age has to have run out.
	for (const [ref, since] of seen) if (!valid.has(ref) && Math.abs(now - since) > 2 * maxAgeMs) seen.delete(ref);
	return longest;
}
