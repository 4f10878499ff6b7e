import { base58, isImportFormat } from "./key-files.ts";
import { entropy, isPatterned } from "./randomness.ts";
import type { NamedRule } from "./rule.ts";

// Private keys as text without a frame: base64 of their DER, and formats of their own.

/** Base64, also over lines. */
const body = String.raw`(?:[A-Za-z0-9+/]|\\{1,3}[rn]|\r?\n[ \t]{0,12}(?=[A-Za-z0-9+/]))`;
const framed = /(?:PRIVATE KEY(?: BLOCK)?|BEGIN [A-Z ]{1,40}) ?-{4,5}(?:\\+[nrt]|[\s"'`+,>#*|])*$/;

/** The beginning of a key in DER, and the characters that follow at least. */
const starts: readonly (readonly [literal: string, back: RegExp | undefined, rest: number])[] = [
	["IBADANBgkqhkiG9w0BAQEFAASC", /MII[C-Z][A-Za-z0-9+/]{2}$/, 700],
	["ADANBgkqhkiG9w0BAQEFAASC", /MII[C-Z][A-Za-z0-9+/]{2}IB$/, 700],
	["IBAAKC", /MII[C-Z][A-Za-z0-9+/]{2}$/, 700],
	["AgEAMBMGByqGSM49AgEG", /MIG[A-Za-z0-9+/]$/, 120],
	["AgEAMBAGByqGSM49AgEG", /MIG[A-Za-z0-9+/]$/, 120],
	["MHcCAQEEI", undefined, 110],
	["MIGkAgEBBD", undefined, 150],
	["MC4CAQAwBQYDK2V", undefined, 46],
	["b3BlbnNzaC1rZXktdjEA", undefined, 200],
];

const isMaterial = (value: string) => {
	const whole = value.replaceAll(/\\+[nr]|[^A-Za-z0-9+/]/g, "");
	return entropy(whole.slice(-200)) > 4 && !isPatterned(whole.slice(-100));
};

export const keyTextRules: readonly NamedRule[] = [
	...starts.map(
		([literal, back, rest]): NamedRule => ({
			id: "private-key",
			literals: [literal],
			notAfter: /[A-Za-z0-9+/]/,
			...(back === undefined ? {} : { back }),
			// Bounded by the length of the key: the whole pattern may be tried at each of many beginnings.
			pattern: new RegExp(`[A-Za-z0-9+/]{0,8}${literal}${body}{${rest},${Math.min(6_000, 30 * rest)}}={0,2}`, "y"),
			// What a frame is around has been judged with it.
			acceptsNamed: (match, before) => !framed.test(before) && isMaterial(match[0]),
		}),
	),
	{
		id: "nats-seed",
		literals: ["SUA", "SAA", "SOA", "SNA", "SCA", "SXA"],
		pattern: /S[UAONCX]A[A-Z2-7]{55}(?![A-Za-z0-9])/y,
		acceptsNamed: ([value = ""]) => /\d.*\d/.test(value) && entropy(value) > 3.8 && !isPatterned(value),
	},
	{
		id: "ceph-key",
		literals: ["key = AQ", "key=AQ", "key: AQ"],
		notAfter: null,
		pattern: /key\s?[=:]\s?(?<value>AQ[A-Za-z0-9+/]{36}==)(?![A-Za-z0-9+/=])/y,
		acceptsNamed: ({ groups }) => entropy(groups?.value ?? "") > 3.8 && !isPatterned(groups?.value ?? ""),
	},
	{
		id: "signify-key",
		literals: ["RWRCSwAA"],
		pattern: /RWRCSwAA[A-Za-z0-9+/]{128,136}={0,2}(?![A-Za-z0-9+/=])/y,
		acceptsNamed: ([value = ""]) => entropy(value) > 4,
	},
	{
		id: "bitcoin-key",
		literals: ["5H", "5J", "5K", "Kw", "Kx", "Ky", "Kz", "L1", "L2", "L3", "L4", "L5"],
		next: base58,
		pattern: /[5KL][1-9A-HJ-NP-Za-km-z]{50,51}(?![A-Za-z0-9])/y,
		acceptsNamed: ([value = ""]) => isImportFormat(value),
	},
];
