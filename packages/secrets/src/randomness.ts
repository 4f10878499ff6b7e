/** Shannon entropy in bits for each character. */
export function entropy(text: string): number {
	const counts = new Map<string, number>();
	for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
	let sum = 0;
	for (const count of counts.values()) sum -= (count / text.length) * Math.log2(count / text.length);
	return sum;
}

/** The number of matches of a global pattern. */
export const countOf = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

/** The number of character classes in a text: lower case, upper case, digits and others. */
export function characterClasses(text: string): number {
	return [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z0-9]/].filter((pattern) => pattern.test(text)).length;
}

const sequences = [
	"0123456789012345678901234567890",
	"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
	"qwertyuiopasdfghjklzxcvbnm",
	"0123456789abcdef0123456789abcdef",
];

/** The number of characters that continue the one before: the same, the next or the previous one. */
function predictable(text: string): number {
	let count = 0;
	for (let at = 1; at < text.length; at++) if (Math.abs(text.charCodeAt(at) - text.charCodeAt(at - 1)) <= 1) count++;
	return count;
}

/** The number of characters that follow the one two places before them in the alphabet. */
function countsInTurn(text: string): number {
	let count = 0;
	for (let at = 2; at < text.length; at++) if (text.charCodeAt(at) - text.charCodeAt(at - 2) === 1) count++;
	return count;
}

/** Characters of a text that show whether it is a pattern. */
const enoughForPattern = 400;

/** Whether most bytes of a text in hexadecimal follow the one before: `000102…`. */
function countsBytes(text: string): boolean {
	if (!/^(?:0x)?(?:[0-9a-f]{2}){8,}$/i.test(text)) return false;
	const bytes = Buffer.from(text.replace(/^0x/, ""), "hex");
	let count = 0;
	for (let at = 1; at < bytes.length; at++) if (Math.abs(bytes[at]! - bytes[at - 1]!) === 1) count++;
	return count >= 0.8 * (bytes.length - 1);
}

/** Whether a text is repetition or counting: no key generator makes that. */
export function isPatterned(whole: string): boolean {
	const text = whole.slice(0, enoughForPattern);
	if (new Set(text).size < Math.min(6, text.length / 2)) return true;
	if (text.length >= 8 && predictable(text) >= text.length * 0.55) return true;
	// Two interleaved sequences: 1A2B3C4D.
	if (text.length >= 8 && countsInTurn(text) >= (text.length - 2) * 0.8) return true;
	if (countsBytes(text)) return true;
	const lower = text.toLowerCase();
	// At least two parts between hyphens are sequences: 1234-abcd.
	const isSequence = (part: string) => sequences.some((sequence) => sequence.includes(part));
	if (lower.includes("-") && lower.split("-").filter((part) => part.length >= 4 && isSequence(part)).length >= 2) return true;
	for (let period = 1; period <= lower.length / 2 && period <= 16; period++) if (repeats(lower, period)) return true;
	const alphanumeric = lower.replaceAll(/[^a-z0-9]/g, "");
	return alphanumeric.length >= 6 && isSequence(alphanumeric);
}

/** Whether nine in ten characters of a text equal the one a period before. */
function repeats(text: string, period: number): boolean {
	const mostOthers = (text.length - period) * 0.1;
	let others = 0;
	for (let at = period; at < text.length; at++)
		if (text.charCodeAt(at) !== text.charCodeAt(at - period) && ++others > mostOthers) return false;
	return true;
}

const longPlaceholder =
	/x{4}|\*{3}|\.{3}|example|placehold|change-?_?me|replace|redacted|1234-1234|dummy|insert|sample|not-?_?a-?_?real|not-?_?real|your[-_ ]|<[a-z]|todo|fixme|0{8}|installation|personal|access|secret|passw|token/i;

/** Whether a value with a well-known form was written as an example of the form: `ghp_xxxxxxxx`, `AKIA…EXAMPLE`. */
export function isPlaceholder(value: string): boolean {
	return longPlaceholder.test(value) || published.test(value) || isPatterned(value);
}

const placeholderWords =
	/x{3}|\*{2}|\.{3}|\u2026|example|placehold|change|replace|redact|dummy|insert|sample|real|your|my[-_]|todo|fixme|test|fake|mock|demo|foo|bar|baz|passw|secret|token|hunter|letmein|default|admin|root|user|guest|public|hello|world|undefined|null|none|qwert|asdf|abc|1234|4321|0000|1111|lorem|ipsum|key/i;

/** Values that standards and manuals print. */
const published =
	/s6BhdRkqt3|gX1fBat3bV|2YotnFZFEjr1zCsicMWpAA|tGzv3JOkF0XG5Qx2TlKWIA|7Fjfp0ZBr1KtDRbnfVdmIw|SlAV32hkKG|mF_9\.B5f|wJalrXUtnFEMI|QWxhZGRpbjpvcGVuIHNlc2FtZQ|h480djs93hd8|ad180jjd733klru7|kd94hf93k423kf44|pfkkdhi9sl3r4s00|nnch734d00sl2jdk|hh5s93j4hdidpola|hdhd0244k9j7ao03|Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUz|45ghiukldjahdnhzdauz/;

/** The text that base64 represents; "": it is not text. */
export function base64Text(value: string): string {
	if (value.length < 8 || !/^[A-Za-z0-9+/]{6,400}={0,2}$/.test(value)) return "";
	const text = Buffer.from(value, "base64").toString("latin1");
	return /^[\x20-\x7e]+$/.test(text) ? text : "";
}

/** Whether a value that only its name marks as a secret was written as an example. Such values are shorter, and people write more of them. */
export function isExampleValue(value: string): boolean {
	if (published.test(value)) return true;
	const text = base64Text(value);
	if (text !== "" && (placeholderWords.test(text) || published.test(text))) return true;
	return (
		placeholderWords.test(value) || isPatterned(value) || /[${}<>()[\]]/.test(value.slice(0, 2)) || /[${][{(]|\{\{|%\(|%[sd]\b/.test(value)
	);
}

/** Words of example values: no generated value has them by chance. */
const certainExample =
	/p(?:[a4@]|%40)[s5$]{2}\W{0,6}w[o0]rd|x{5}|\*{3}|\.{3}|\u2026|example|placehold|change[-_]?me|redact|dummy|lorem|ipsum|your[-_ ]|very[-_]?long|1234567|abcdef|qwerty|foobar/i;
const exampleWords =
	/insert|replace|change|sample|real|your|todo|fixme|test|fake|mock|demo|passw(?:or)?d?|secret|token|hunter|letmein|default|admin|root|user|guest|public|hello|world|undefined|null|none|login|access|private|client|server|super|some|this|valid|api[-_]?key|(?<![A-Za-z])(?:my|foo|bar|baz|key|abc|the)(?![A-Za-z])/gi;

const anyExampleWord = new RegExp(exampleWords.source, "i");
/** Whether {@link withoutExampleWords} would change it. */
export const hasExampleWord = (value: string): boolean => anyExampleWord.test(value);

/** Whether a text in lower case was typed at random: most of its letters are on the home row. */
export function isMashed(text: string): boolean {
	const letters = text.replaceAll(/[^a-z]/gi, "");
	const share = letters.length < 20 ? 0.75 : 0.65;
	return (
		letters === letters.toLowerCase() && letters.length >= 6 && letters.replaceAll(/[^asdfghjkl]/g, "").length >= letters.length * share
	);
}

/** A value without the words of examples: of a generated value with a prefix, most remains. Null: it is an example. */
export function withoutExampleWords(value: string): string | null {
	if (published.test(value) || certainExample.test(value)) return null;
	return value.replaceAll(exampleWords, "");
}

/** The pattern of a UUID. */
export const uuid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const wholeUuid = new RegExp(`^${uuid}$`, "i");
export const isUuid = (value: string): boolean => wholeUuid.test(value);
const uuidOrBraced = new RegExp(`^\\{?${uuid}\\}?$`, "i");

/** The parts of the name of a driver or device: words, and at the end its type. */
const isDriver = (parts: readonly string[]) =>
	/^[a-z]{1,4}\d{1,4}[a-z]{0,3}$/.test(parts.at(-1) ?? "") && parts.slice(0, -1).every((part) => /^[a-z]{1,8}$/.test(part));

/** Words, numbers and versions between hyphens: the name of a model or a package. */
function isKebab(value: string): boolean {
	const parts = value.split("-");
	return (
		parts.length >= 3 &&
		parts.some((part) => /^[a-z]{3,}$/.test(part)) &&
		(parts.every((part) => /^(?:[a-z]{2,16}|v?\d{1,4}(?:\.\d{1,3})*[a-z]?|\d{8})$/.test(part)) || isDriver(parts))
	);
}

/** A path begins with a slash as well, but has more of them, and fewer digits and capitals. */
function isBase64WithSlash(value: string): boolean {
	return (
		/^\/[A-Za-z0-9+/]{19,}={0,2}$/.test(value) &&
		countOf(value, /\//g) <= 1 + value.length / 16 &&
		countOf(value, /[A-Z]/g) >= 3 &&
		countOf(value, /\d/g) >= 2
	);
}

/** Whether the form of a value is that of an identifier or a checksum: a UUID, an integrity hash, a date, a version, a path, an address, a number, words. */
export function isIdentifier(value: string): boolean {
	return (
		uuidOrBraced.test(value) ||
		/^(?:sha\d+|md5|blake\w+|crc32)[-:]/i.test(value) ||
		/^\d{4}-\d\d-\d\d/.test(value) ||
		/^v?\d+(?:\.\d+)+(?:[-+._~]?[A-Za-z0-9.+_~-]{0,32})?$/.test(value) ||
		isKebab(value) ||
		/^[\d.,:+-]+$/.test(value) ||
		(/^(?:[a-z][a-z0-9+.-]*:\/\/|\.{0,2}\/|~\/|[A-Za-z]:\\)/.test(value) && !isBase64WithSlash(value)) ||
		/^data:/.test(value) ||
		/^[A-Za-z_]\w{0,40}=[^&=]*(?:&[A-Za-z_]\w{0,40}=[^&=]*)+$/.test(value) ||
		/^(?=.*:.*:)[0-9a-f:.]{6,45}$/i.test(value) ||
		/^[\w.+-]+@[\w-]+(\.[\w-]+)*\.[a-z]{2,}$/i.test(value) ||
		/^[\w-]+(\.[\w-]+)*\.(?:json|ya?ml|toml|txt|md|js|ts|py|env|pem|key|html?|css|png|svg|conf|ini|com|org|net|io|dev|local|internal)$/i.test(
			value,
		)
	);
}

/** Whether every part of a value between separators and capitals consists of letters: so in names and sentences, not in keys. */
export function isWords(value: string): boolean {
	const parts = value.split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])/).filter(Boolean);
	// A generated value has many short parts, and more digits.
	return (
		parts.length <= value.length / 4 &&
		value.replaceAll(/\D/g, "").length <= 4 &&
		parts.every((part) => (/^[A-Za-z]+\d{0,4}$/.test(part) && /[aeiouy]|^[^aeiouy]{1,2}\d*$/i.test(part)) || /^\d{1,4}$/.test(part))
	);
}
