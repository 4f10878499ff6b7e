/** The units of sizes for people: powers of 1,000, as in MAX_FILE_MB. */
const units = ["kB", "MB", "GB", "TB", "PB"];

/**
 * A size for people: `1 byte`, `999 bytes`, `1.5 kB`, `95.0 MB`.
 * @param bytes not negative
 */
export function formatSize(bytes: number): string {
	// What would be rounded up to 1,000.0 is 1.0 of the next unit.
	let unit = -1;
	let value = bytes;
	for (; value >= (unit < 0 ? 1_000 : 999.95) && unit < units.length - 1; unit++) value /= 1_000;
	return unit < 0 ? `${bytes} ${bytes === 1 ? "byte" : "bytes"}` : `${value.toFixed(1)} ${units[unit]}`;
}
