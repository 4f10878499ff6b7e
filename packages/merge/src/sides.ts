/** The sides of a merge by age, so that nothing can depend on which of them is "ours". */
export interface Sides {
	/** Null: both sides added the path. */
	readonly base: Uint8Array | null;
	readonly older: Uint8Array;
	readonly later: Uint8Array;
}

/** The result of a merge by one kind. */
export interface Merged {
	readonly content: Uint8Array;
	/** Does the older (later) side contain something that it added or changed and that is not in the content? */
	readonly olderLost: boolean;
	readonly laterLost: boolean;
}
