/** The text that replaces a secret in a log. */
export const redacted = "[redacted]";

// Shorter values would match ordinary words and numbers and make every record unreadable; the contract's secrets are longer.
const shortestSecret = 4;

// `user:password@` after `scheme://` up to the last @ before the path: a password may hold an unescaped @.
const urlCredentials = /([a-z][a-z0-9+.-]{0,30}):\/\/([^\s/?#"'<>`\\]*)@/gi;

/**
 * The forms in which a secret can appear in text: plain, URL-encoded and escaped inside a JSON string.
 *
 * @param secret the value; shorter than 4 characters yields nothing
 * @returns the distinct forms
 */
export function secretForms(secret: string): string[] {
	if (secret.length < shortestSecret) return [];
	const forms = new Set([secret, JSON.stringify(secret).slice(1, -1)]);
	try {
		forms.add(encodeURIComponent(secret));
	} catch {
		// a lone surrogate has no URL form
	}
	return [...forms];
}

/**
 * Redacts secrets, and the credentials in any URL, in a string.
 * A lone user name stays (`ssh://git@host`) except in http and https URLs, where it may be an access token.
 *
 * @param text any text, also a line of JSON
 * @param secrets values that must not appear; shorter than 4 characters are ignored
 * @returns the text with `[redacted]` in their place
 */
export function redact(text: string, secrets: Iterable<string> = []): string {
	const forms = [...secrets].flatMap(secretForms);
	// One pass, the longest form first: no form leaves a part of a longer one behind, or matches inside the replacement.
	const any = forms.sort((a, b) => b.length - a.length).map((form) => form.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
	const clean = any.length > 0 ? text.replace(new RegExp(any.join("|"), "g"), redacted) : text;
	if (!clean.includes("://")) return clean;
	return clean.replace(urlCredentials, (whole, scheme: string, user: string) =>
		user.includes(":") || /^https?$/i.test(scheme) ? `${scheme}://${redacted}@` : whole,
	);
}
