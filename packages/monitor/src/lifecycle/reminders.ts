const hour = 3_600_000;
const day = 24 * hour;
/** Time from firing to each reminder that the alert still fires, milliseconds. Then daily. */
const firstReminders: readonly number[] = [hour, 4 * hour, 12 * hour];

/** How many reminder times have passed `elapsedMs` after the alert began to fire. */
export function remindersDue(elapsedMs: number): number {
	const first = firstReminders.filter((at) => elapsedMs >= at).length;
	return first < firstReminders.length ? first : first + Math.floor((elapsedMs - (firstReminders.at(-1) ?? 0)) / day);
}

/** Milliseconds from the beginning of the alert to the first reminder that has not passed after `elapsedMs`. */
export function nextReminder(elapsedMs: number): number {
	const last = firstReminders.at(-1) ?? 0;
	return firstReminders.find((at) => at > elapsedMs) ?? last + (Math.floor((elapsedMs - last) / day) + 1) * day;
}
