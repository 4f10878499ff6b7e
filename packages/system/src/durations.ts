const units = [
	["d", 86_400_000],
	["h", 3_600_000],
	["min", 60_000],
	["s", 1_000],
] as const;

/** A length of time for people, the two largest units: `3 min`, `1 h 5 min`, `2 d 3 h`. Below a second: `0 s`. */
export function formatDuration(ms: number): string {
	let rest = Math.max(0, Math.round(ms / 1000)) * 1000;
	const parts: string[] = [];
	for (const [unit, length] of units) {
		const count = Math.floor(rest / length);
		rest -= count * length;
		if (count > 0) parts.push(`${count} ${unit}`);
		else if (parts.length > 0) break;
		if (parts.length === 2) break;
	}
	return parts.length === 0 ? "0 s" : parts.join(" ");
}

/** A time for people: `02:00:12 UTC`, with the date if it is not the day of `now`. */
export function formatTime(at: number, now: number): string {
	const iso = new Date(Number.isFinite(at) && Math.abs(at) < 8.64e15 ? at : 0).toISOString();
	const sameDay = Number.isFinite(now) && iso.slice(0, 10) === new Date(now).toISOString().slice(0, 10);
	return `${sameDay ? "" : `${iso.slice(0, 10)} `}${iso.slice(11, 19)} UTC`;
}

const suffixMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Reads `90s`, `30m`, `2h`, `1h30m`, `1d`, `2w`, or plain seconds. Milliseconds, or null when it is none of these or zero. */
export function parseDuration(text: string): number | null {
	const compact = text.trim().toLowerCase().replaceAll(/\s+/g, "");
	if (/^\d{1,10}$/.test(compact)) return Number(compact) * 1000 || null;
	if (!/^(\d{1,10}(s|min|m|h|d|w))+$/.test(compact)) return null;
	let ms = 0;
	for (const [, count, unit] of compact.matchAll(/(\d+)(s|min|m|h|d|w)/g)) ms += Number(count) * (suffixMs[unit ?? ""] ?? 0);
	return ms || null;
}
