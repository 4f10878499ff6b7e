import { characterClasses, entropy, isExampleValue, isPatterned } from "./randomness.ts";
import type { Rule } from "./rules.ts";
import { isRandom } from "./rules.ts";

/** Words in the names of what holds a secret. */
const words = [
	"password",
	"passwd",
	"passphrase",
	"pwd",
	"secret",
	"token",
	"api_key",
	"apikey",
	"api-key",
	"access_key",
	"accesskey",
	"access-key",
	"auth_key",
	"authkey",
	"private_key",
	"privatekey",
	"signing_key",
	"encryption_key",
	"credential",
] as const;

/** Names that end like this hold something about a secret, or something public. */
const publicTail =
	/^(?:[_-]?(?:hash|sha\d*|md5|digest|checksum|id|ids|name|type|kind|count|url|uri|path|file|length|size|limit|expir\w*|ttl|at|field|param\w*|header|prefix|suffix|regex\w*|pattern|label|hint|policy|format|version|index|offset|pos\w*|range|usage|used|budget|address|contract|symbol|issuer|arn|ref|class|color|colour))(?![a-z])|^(?:Hash|Sha|Digest|Id|Ids|Name|Type|Kind|Count|Url|Uri|Path|File|Length|Size|Limit|Expir\w*|Ttl|Field|Param\w*|Header|Prefix|Suffix|Regex|Pattern|Label|Hint|Policy|Format|Version|Index|Offset|Pos\w*|Range|Usage|Address|Class|Ref)|^s(?:_|\d|$)/;
const publicHead =
	/(?:public|circle|badge|csrf|xsrf|next|page|continuation|cursor|sync|cancel\w*|max|min|num|total|prompt|completion|input|output|hash(?:ed)?|encrypted|sealed|cache|tokenizer|device|push)[_.-]?$/i;

/** What is between a name and its value: `"name": "`, `NAME=`, `name := '`, `<name>`, `name is \``, `name: string = "`, also inside a JSON string. */
const separator = String.raw`(?<tail>[A-Za-z0-9_.-]{0,32})\\{0,3}["'\`\])*]{0,3}(?:\s{0,8}(?::\s{0,2}[A-Za-z]{2,16}\s{1,2}=|:=|=>|={1,3}|:)\*{0,2}|\s{1,3}(?:is|was):?|>)\s{0,8}(?:\((?:\\{1,4}n\\{0,3}["\'],\s{0,8}\\{0,3}["\'])?\s{0,8})?(?:[brfu]|Bearer\s)?`;
const value = String.raw`(?:\\{0,3}(?<quote>["'\`])(?<quoted>[^\s"'\`\\]{8,300})\\{0,3}\k<quote>|(?<bare>[^\s"'\`\\,;<>(){}[\]|&$]{12,300})(?=[\s"'\`\\,;<)&}\]#|]|$))`;
const flagValue = String.raw`(?<tail>[a-z-]{0,16})[ =](?<bare>[^\s"'\`\\,;<>(){}[\]|&$]{12,300})(?=[\s"'\`\\,;<)&}\]#|]|$)`;

const hexadecimal = /^(?:0x)?[0-9a-f]+$|^(?:0x)?[0-9A-F]+$/;

/** Whether a quoted value looks generated, or like a password that a person thought out. */
function isQuotedSecret(text: string, isPassword: boolean): boolean {
	if (hexadecimal.test(text)) return text.length >= 24 && !isPatterned(text) && entropy(text) > 2.9 && !isExampleValue(text);
	if (isPassword && text.length < 14) return text.length >= 8 && characterClasses(text) >= 3 && isRandom(text, 8, 2.7);
	if (text.length < 20) return characterClasses(text) >= 3 && isRandom(text, 14, 3.2);
	return isRandom(text, 20, 3.5) && digits(text) >= 2;
}

const digits = (text: string) => text.replaceAll(/\D/g, "").length;

/** The same without quotes, where it may as well be code. */
function isBareSecret(text: string, isPassword: boolean): boolean {
	const trimmed = text.replace(/[.:!?]+$/, "");
	if (/^[A-Za-z_$][\w$]*(?:[.:][A-Za-z_$][\w$]*)+$/.test(trimmed)) return false;
	if (hexadecimal.test(trimmed)) return trimmed.length >= 32 && isQuotedSecret(trimmed, false);
	if (/[*=!?%^~]{2}|[A-Za-z]=[A-Za-z]|[()]/.test(trimmed.replace(/={1,2}$/, "")))
		return isPassword && isQuotedSecret(trimmed, true) && characterClasses(trimmed) === 4;
	return characterClasses(trimmed) >= 3 && digits(trimmed) >= 2 && isRandom(trimmed, isPassword ? 12 : 16, 3.3);
}

function isSecretNamed(name: string, match: RegExpExecArray, before: string): boolean {
	const { tail = "", quoted, bare } = match.groups ?? {};
	if (publicTail.test(tail) || publicHead.test(before)) return false;
	// Bytes of a program beside a word of its texts.
	if (/[^\x20-\x7e\s]/.test(match[0])) return false;
	// It has a rule of its own, which knows an unsigned one.
	if (/^eyJ[\w-]+\.eyJ[\w-]+\./.test(quoted ?? bare ?? "")) return false;
	const isPassword = /^p/i.test(name) && !/^private/i.test(name);
	return quoted !== undefined ? isQuotedSecret(quoted, isPassword) : isBareSecret(bare ?? "", isPassword);
}

/** A rule that is given the text before the match, too. */
export interface NamedRule extends Rule {
	acceptsNamed(match: RegExpExecArray, before: string): boolean;
}

/** Values that are secrets because of the name that they are assigned to. */
export const assignmentRules: readonly NamedRule[] = [
	{
		id: "assigned-secret",
		literals: words,
		anyCase: true,
		notAfter: null,
		pattern: new RegExp(`(?<name>${words.join("|")})${separator}${value}`, "iy"),
		acceptsNamed: (match, before) => isSecretNamed(match.groups?.name ?? "", match, before),
	},
	{
		id: "assigned-secret",
		literals: ["--pass", "--token", "--secret", "--api-key", "--auth", "--access-key"],
		notAfter: /[A-Za-z0-9]/,
		pattern: new RegExp(`--(?<name>pass(?:word|wd)?|token|secret|api-key|auth|access-key)${flagValue}`, "y"),
		acceptsNamed: (match) => isSecretNamed(match.groups?.name ?? "", match, ""),
	},
	{
		id: "netrc-password",
		literals: ["password "],
		notAfter: /[A-Za-z0-9]/,
		pattern: /password\s{1,8}(?<value>[!-~]{8,200})(?=\s|$)/y,
		acceptsNamed: ({ groups }, before) => /\blogin\s{1,8}\S{1,64}\s{1,8}$/.test(before) && isRandom(groups?.value ?? "", 8, 2.7),
	},
	{
		id: "authorization-header",
		literals: ["authorization", "bearer "],
		anyCase: true,
		notAfter: null,
		pattern:
			/(?:authorization\\{0,3}["']?\s{0,3}[:=,]\s{0,3}\\{0,3}["'`]?)?(?:bearer|token|basic)\s{1,2}(?<value>[A-Za-z0-9_.~+/-]{20,2000}={0,2})(?=[\s"'`\\,;<)&}\]#|]|$)/iy,
		acceptsNamed: (match) => {
			const found = match.groups?.value ?? "";
			// A JWT has a rule of its own, which knows an unsigned one.
			return (
				!found.startsWith("eyJ") &&
				characterClasses(found) >= 2 &&
				(hexadecimal.test(found) ? isQuotedSecret(found, false) : digits(found) >= 2 && isRandom(found, 20, 3.5))
			);
		},
	},
];
