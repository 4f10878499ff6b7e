import type { GitPath, Oid } from "@robust-sync/git";
import { containsAddition, inferBase, mayDeriveFrom } from "@robust-sync/merge";
import type { CycleContext } from "../context/cycle-context.ts";
import { type Replacement, replacementsWindowMs, staleWriteWindowMs } from "./replaced-files.ts";

// The version that a program's write was made from, by the evidence of docs/design/concurrent-writes.md.

/** The version that replaced one or several versions of a path. */
export interface Step {
	readonly after: string;
	placed: Replacement["placed"];
	/** The likeliest first. */
	readonly befores: readonly string[];
	/** Within 10 s before the write: its writer may have read the version before. */
	readonly isRecent: boolean;
}

/**
 * The latest replacements of a path, oldest first, whose version the writer may not have read: it was placed within 10 s
 * before the write, or no program has read it since. An older version counts only if we placed its successor, too.
 * @param writtenMs age of the first write @param byReads whether access times show reads
 */
export function unseenSteps(
	{ memory, repository }: CycleContext,
	name: GitPath,
	replacements: readonly Replacement[],
	writtenMs: number,
	byReads: boolean,
): Step[] {
	const steps: (Step & { readonly befores: string[] })[] = [];
	for (const { before, after, ageMs, placed } of replacements) {
		const last = steps.at(-1);
		const isRecent = ageMs <= replacementsWindowMs && ageMs - writtenMs <= staleWriteWindowMs;
		if (last?.after === after && last.isRecent === isRecent) {
			last.befores.unshift(before);
			last.placed ??= placed;
		} else steps.push({ after, placed, befores: [before], isRecent });
	}
	const isUnread = (index: number) => {
		const [step, next] = [steps[index] as Step, steps[index + 1]];
		const isFollowed = next === undefined || next.befores.includes(step.after);
		return byReads && isFollowed && step.placed !== undefined && memory.placed.isUnread(repository, name, step.placed);
	};
	let first = steps.length;
	while (first > 0 && (steps[first - 1]?.isRecent === true || isUnread(first - 1))) first--;
	return steps.slice(first);
}

/** The version that a write was made from, and the reason why its writer cannot have read the newest one. */
export interface Origin {
	readonly content: Buffer;
	readonly oid: Oid;
	readonly reason: string;
}

/**
 * The version that `written` was made from: walks back over the latest replacements of the path while `written` contains
 * nothing of them. If one version replaced several, each of them is possible. Null: the newest.
 * @param newest the version that its writer could have read
 * @param replaced the content that a checkout took away before the write; null: none, it was written at its path
 */
export function originOf(
	name: GitPath,
	written: Buffer,
	{ newest, replaced }: { readonly newest: Buffer; readonly replaced: Buffer | null },
	steps: readonly Step[],
	contents: ReadonlyMap<string, Buffer>,
): Origin | null {
	let origin: Pick<Origin, "content" | "oid"> | null = null;
	let reason: string | null = null;
	let later = replaced;
	const file = Buffer.from(name, "latin1");
	// Another program's version has replaced ours: whether that was read is unknown.
	const isOurs = contents.get(steps.at(-1)?.after ?? "")?.equals(newest) === true;
	for (const [index, { befores, after, isRecent }] of [...steps.entries()].reverse()) {
		if (!isRecent && !isOurs) break;
		const newer = contents.get(after);
		const olders = befores.flatMap((before) => contents.get(before) ?? []);
		const older = newer ? inferBase(olders, newer, written, file) : null;
		if (older === null) break;
		// Between the two another program may have written a version of its own: its readers do not have an older one.
		if (later !== null && containsAddition(older, later, written, file)) break;
		later = older;
		reason ??= isRecent ? "written within 10 s of a checkout" : "no program has read the newest version";
		origin = { content: older, oid: befores.find((before) => contents.get(before) === older) ?? "" };
		// A version that a program wrote at that moment: its readers do not have the version before.
		const previous = steps[index - 1]?.after;
		if (previous !== undefined && previous !== origin.oid && befores.includes(previous)) break;
	}
	// A write that replaces the whole file is not a lost update.
	return origin && reason && mayDeriveFrom(origin.content, written, file) ? { ...origin, reason } : null;
}

/** The version that a checkout had placed, if `written` was made from that, and another program has written `origin` over it since. Null: it was not. */
export function placedOrigin(name: GitPath, written: Buffer, origin: Buffer, placed: Pick<Origin, "content" | "oid">): Origin | null {
	const file = Buffer.from(name, "latin1");
	const hasPlaced = containsAddition(origin, placed.content, written, file);
	if (!hasPlaced || containsAddition(placed.content, origin, written, file)) return null;
	return { ...placed, reason: "it has what another program took away" };
}
