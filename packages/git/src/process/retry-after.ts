/** When a date of HTTP is, milliseconds since 1970; null: it is none (RFC 9110, section 5.6.7). */
function httpDate(text: string): number | null {
	const at = /^[A-Z][a-z]{2,8}, .* GMT$/.test(text) ? Date.parse(text) : Number.NaN;
	return Number.isNaN(at) ? null : at;
}

/**
 * Retry-After in milliseconds (RFC 9110, section 10.2.3): seconds, of which some services write fractions, or a date, which is read against the
 * server's own clock, if the answer has one; null: neither. Not bounded.
 * @param date the header Date of the same answer
 * @param now milliseconds since 1970
 */
export function parseRetryAfter(value: string | undefined, date: string | undefined, now: number): number | null {
	const text = value?.trim() ?? "";
	if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return Math.ceil(Number(text) * 1_000);
	const at = httpDate(text);
	return at === null ? null : Math.max(0, at - (httpDate(date?.trim() ?? "") ?? now));
}
