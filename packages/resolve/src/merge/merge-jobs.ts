import { type AttributeKind, hasLineConflict, type Kind, mergeContents } from "@robust-sync/merge";

/** Three versions of one file that are to be merged by its kind. */
export interface MergeJob {
	/** One character a byte. */
	readonly path: string;
	/** null: both sides added the path. */
	readonly base: Uint8Array | null;
	readonly a: Uint8Array;
	readonly b: Uint8Array;
	readonly later: "a" | "b";
	readonly attribute: AttributeKind | undefined;
}

/** The result of a job. */
export interface MergeAnswer {
	/** null: the winner's bytes. */
	readonly content: Uint8Array | null;
	readonly strategy: Kind;
	readonly winner: "merged" | "a" | "b";
	/** A side has something that is not in the result. */
	readonly lost: boolean;
	/** Something is lost, or a merge by lines would have had a conflict. */
	readonly reported: boolean;
}

/** Merges one file. Pure: the same on every thread and node. */
export function runJob({ path, base, a, b, later, attribute }: MergeJob): MergeAnswer {
	const { content, strategy, winner, lost: losses } = mergeContents({ path, base, a, b, later, attribute });
	const lost = losses.a || losses.b;
	const reported = lost || hasLineConflict(base, a, b);
	// A copy with memory of its own: a view would send its whole buffer to the other thread.
	return { content: winner === "merged" ? new Uint8Array(content) : null, strategy, winner, lost, reported };
}
