import { randomBits } from "./likelihood.ts";
import {
	base64Text,
	countOf,
	entropy,
	hasExampleWord,
	isExampleValue,
	isIdentifier,
	isMashed,
	isPatterned,
	withoutExampleWords,
} from "./randomness.ts";

const hexadecimal = /^(?:0x)?(?:[0-9a-f]+|[0-9A-F]+)$/;
/** Public by its form: a key of SSH, a public key or certificate, a template, an expression, a fingerprint, the hash of a password. */
const publicForm =
	/^(?:AAAA[BCE][23]N|ssh-|ecdsa-|MIIBI[jTD]AN|MIGfMA0|MFkwEwYH|MCowBQYDK2V[uw]AyEA|LS0tLS1CRUdJTiBD|iVBOR|R0lGOD|data:|magnet:|sha\d+[-:$]|\$2[aby]\$|\$argon2|\$[156]\$|\$pbkdf2|pbkdf2_|scrypt[:$]|bcrypt|SCRAM-SHA-|\*[0-9A-F]{40}$|md5[0-9a-f]{32}$|\{(?:[A-Z]{0,6}SHA\d*|S?MD5|PLAIN-MD5|ARGON2|PBKDF2[\w-]{0,8}|CRYPT)\}|AQICA|amzn1\.account\.|ENC\[|vault:|arn:|urn:|projects\/|pk_|pk\.|pub[_-]|public)/;
const templated = /^[${}<>()[\]%]|[${][{(]|\{\{|%[({]|%[sd]\b|\$\w|<%|#\{|\$$/;
/** A value of more bits than this is random even if it looks like a template: symbols cause that by chance. */
const templateBits = 22;
/** A set of characters, as in a regular expression or an alphabet. */
const characterSet = /a-z0-9|A-Za-z0|a-zA-Z|\{\d+,?\d*\}/;
const codeLike =
	/^[A-Za-z_$][\w$]*(?:(?:\.|::|->)[A-Za-z_$][\w$]*)+$|^[A-Za-z_$]\w*[=!]=[^=]|\(\)|^--?[a-z]|^[A-Za-z_]\w*\[\w+\]|^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+(?:v\d{1,2})?)+$/;
/** Constants of C that are combined. */
const constants = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+(?:v\d{1,2})?)+(?:\|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+(?:v\d{1,2})?)+)+$/;
const colonPairs = /^(?:[0-9A-F]{2}[:-]){5,}[0-9A-F]{2}$/i;

/** The obfuscation of Jetty, which each reader can undo: four digits of base 36 for each character. */
const obfuscated = /^OBF:((?:[0-9a-z]{4}){1,100})$/;

/** The text that Jetty obfuscated. Null: it is not of that form. */
function deobfuscated(value: string): string | null {
	const groups = obfuscated.exec(value)?.[1]?.match(/.{4}/g);
	const codes = groups?.map((group) => Number.parseInt(group, 36)).map((number) => ((number >> 8) + (number & 0xff) - 254) >> 1);
	return codes === undefined ? null : String.fromCharCode(...codes.map((code) => code & 0xff));
}

/** Shorter values have no {@link hexadecimalRun}. */
const shortestRun = 32;
const hexadecimalRun = /[0-9a-f]{32,}|[0-9A-F]{32,}/;

/** The bits of a long hexadecimal run. Sources have pairs of digits as well, so pairs alone do not show that it is random. */
function hexadecimalBits(value: string): number {
	const run = hexadecimalRun.exec(value)?.[0] ?? "";
	const digits = run.replaceAll(/\D/g, "").length;
	return digits >= 10 && run.length - digits >= 6 && entropy(run) > 3 ? run.length : 0;
}

/** Whether too few bits are in a short value, and no other text in it counts: this rejects most values at little cost. */
const isCertainlyWritten = (value: string, need: number): boolean =>
	value.length < shortestRun && randomBits(value) < need && !value.startsWith("OBF:") && !hasExampleWord(value) && base64Text(value) === "";

/**
 * Whether a value that its name or place marks as a secret looks drawn at random.
 * @param need bits by which it must be likelier to be random than to be written by people (likelihood.ts)
 */
export function looksDrawn(value: string, need: number): boolean {
	if (value.length < 8 || /[^\x21-\x7e]/.test(value) || isCertainlyWritten(value, need)) return false;
	if (isIdentifier(value) || isPatterned(value) || publicForm.test(value) || characterSet.test(value)) return false;
	if (constants.test(value) || countOf(value, /[A-Za-z0-9]/g) < 0.4 * value.length) return false;
	if (colonPairs.test(value) || (value.length < 24 && !hexadecimal.test(value) && isMashed(value))) return false;
	const plain = deobfuscated(value);
	if (plain !== null) return looksDrawn(plain, need) || looksThoughtOut(plain);
	const decoded = base64Text(value);
	if (decoded !== "") {
		const secret = decoded.slice(decoded.indexOf(":") + 1);
		return randomBits(secret) >= 10 && looksDrawn(secret, need);
	}
	const rest = withoutExampleWords(value);
	if (rest === null) return false;
	const bits = Math.max(randomBits(rest), hexadecimalBits(rest));
	if (bits < templateBits && templated.test(value)) return false;
	if (bits < (rest === value ? need : need + 14) || (bits < 30 && codeLike.test(value) && !/[0-9a-f]{24}/.test(value))) return false;
	if (hexadecimal.test(value)) return value.length >= 12 && bits >= 12 && entropy(value) > 2.6;
	if (/\d/.test(value)) return /[A-Za-z]/.test(value);
	return bits >= (/[a-z]/.test(value) && /[A-Z]/.test(value) ? 24 : 34);
}

/** Whether it resembles a password that a person invented, with three classes of characters. */
export function looksThoughtOut(value: string): boolean {
	const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z0-9]/].filter((pattern) => pattern.test(value)).length;
	return (
		value.length >= 8 &&
		value.length < 20 &&
		kinds >= 3 &&
		/\d/.test(value) &&
		/[A-Za-z]/.test(value) &&
		!isIdentifier(value) &&
		!isExampleValue(value) &&
		!publicForm.test(value) &&
		!templated.test(value) &&
		!characterSet.test(value) &&
		!codeLike.test(value) &&
		entropy(value) >= 2.7 &&
		randomBits(value) >= 4
	);
}
