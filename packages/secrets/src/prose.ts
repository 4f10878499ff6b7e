import type { Assigned } from "./assignments.ts";
import type { SecretName } from "./names.ts";
import { looksDrawn } from "./values.ts";

// A value in a sentence about a secret's name: only if it looks drawn, and is no checksum, as names occur in all texts about secrets.

/** To what a value belongs: `for staging`, `on the wiki`. */
const owner = String.raw`[ \t](?:for|of|on|at|in)(?:[ \t][\w.@/-]{1,30}){1,4}?`;
/** The end of the line, and below it an indented line or a fence. */
const below = String.raw`[ \t]{0,4}\r?\n(?:[ \t]{0,8}\r?\n)?[ \t>]{0,8}(?:\`\`\`\w{0,12}\r?\n[ \t]{0,8})?`;
const sentence = new RegExp(
	String.raw`["'*_)]{0,3}(?<verb>(?:${owner})?(?:[ \t](?:is|was)(?:[ \t](?:now|still|set to|changed to))?:?|[ \t]has been (?:re)?(?:set|changed) to:?|[ \t](?:now|to|=)|[ \t]?(?:\xe2\x86\x92|\xe2\x80[\x93\x94])|[ \t]-{1,2}>?|:)|)(?:[ \t]{1,3}|${below})[\`"'*]{0,2}(?<value>[^\s"'\`\\,;<>(){}[\]|&$]{10,200})(?=[\s"'\`*.,;)!?]|$)`,
	"y",
);
/** A checksum, also with a salt; a name and its value: another assignment. */
const pair = /^[\w-]{1,24}[=:]/;
const hexadecimal = /^(?:0x)?[0-9a-fA-F]+(?:[.:_-][0-9a-fA-F]+)*$/;
/** Digits of a token: 16, 20 or 32 bytes. */
const drawnHexadecimal = /^(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})$/;
const isVerb = /[ \t](?:is|was)\b/;

/** The longest name that is taken for one above its value. */
const longestTitle = 32;

/** Whether a name may be one above its value: wrapped base64 has every word at some line end. */
export const isTitle = (name: string): boolean => name.length <= longestTitle && !looksDrawn(name, 10);

/** The value of a secret's name in a sentence: `the password for staging is …`, `use password …`, `API key for the wiki:` and a line. */
export function inSentence(text: string, { kind, text: name, before, end }: SecretName): Assigned | null {
	if (kind === "key") return null;
	sentence.lastIndex = end;
	const { verb, value: all } = sentence.exec(text)?.groups ?? {};
	// Only a password is named without a verb: names of tokens are in columns and commands, too.
	if (all === undefined || (verb === "" && kind !== "password")) return null;
	const start = sentence.lastIndex - all.length;
	if (verb === "" && text.slice(end, start).includes("\n") && (!isTitle(name) || /[^\s"'`*_(#>-]$/.test(before))) return null;
	const value = all.replace(/[.:!?*_]+$/, "");
	// Checksums are in sentences as well, but not as what a token is.
	const isChecksum = hexadecimal.test(value) && (kind !== "token" || !drawnHexadecimal.test(value) || !isVerb.test(verb ?? ""));
	if (isChecksum || pair.test(value) || !looksDrawn(value, kind === "password" ? 24 : 30)) return null;
	return { value, start, end: start + value.length };
}
