/** A time in the form of all our files: RFC 3339, UTC, milliseconds (`2026-02-18T02:00:00.000Z`). */
export type Timestamp = string;

/** Formats milliseconds since the epoch as RFC 3339 UTC with milliseconds. */
export function timestamp(epochMs: number): Timestamp {
	return new Date(epochMs).toISOString();
}

/** The compact form for file names: `20260218T020000.000Z`. Sorts by time. */
export function compactTimestamp(epochMs: number): string {
	return timestamp(epochMs).replaceAll(/[-:]/g, "");
}

/** Milliseconds since the epoch of a compact timestamp, or null when `text` is not one. */
export function parseCompactTimestamp(text: string): number | null {
	const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d\.\d{3})Z$/.exec(text);
	if (!match) return null;
	const [, year, month, day, hour, minute, second] = match;
	const epochMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
	return Number.isNaN(epochMs) ? null : epochMs;
}
