/**
 * One child of a merged container: where it is in each version's children, NONE where it is not. In the older or later version it always is.
 */
export interface Entry {
	readonly base: number;
	readonly older: number;
	readonly later: number;
}
