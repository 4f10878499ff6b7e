/**
 * Three-way choice of something indivisible: the side that changed it decides; if both changed it, the later one.
 * Without a base (`undefined`) both count as having changed it.
 */
export function choose<T>(base: T | undefined, older: T, later: T): T {
	return later === base ? older : later;
}
