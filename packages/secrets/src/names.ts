// The names whose values are secret.

/** The kind of value that a name implies. */
type NameKind = "password" | "token" | "key";

/** Substrings of such names; each is searched, and then {@link secretNameAt} decides. */
export const nameLiterals = ["pass", "pwd", "psk", "kennwort", "secret", "token", "key", "credential"] as const;

export interface SecretName {
	readonly kind: NameKind;
	/** The whole name: `CI_HEROKU_API_KEY`. */
	readonly text: string;
	/** The characters before it: `Railway API ` of a token. */
	readonly before: string;
	/** The end of the name, with its suffix. */
	readonly end: number;
}

const stem = /pass(?:[_-]?(?:word|wd|phrase|wort|code))?|pwd|psk|kennwort|secret|token|key|credential/iy;
/** Suffixes that do not change the meaning of the name: `passwords`, `secretKey`, `TOKEN_PROD_2`. */
const appended = /(?:(?:key|value|val|string|str|text)(?![a-z]))?s?(?:[A-Z0-9_.-][A-Za-z0-9_.-]{0,48})?/y;

/** A word after a secret's name that marks its value as public, or as data about a secret. */
const publicWord =
	/^(?:hash|hashes|hashed|sha\d*|md5|digest|checksum|fingerprint|thumbprint|ids?|names?|type|kind|count|urls?|uri|path|file|filename|length|len|size|limit|expir\w*|ttl|at|fields?|param\w*|header|prefix|suffix|regex\w*|pattern|label|hint|policy|format|version|index|offset|pos\w*|range|usage|used|budget|address|contract|symbol|issuer|arn|ref|class|colou?r|alg|algorithm|salt|iv|nonce|endpoint|host|manager|provider|image|selector|placeholder|message|title|description|error|link|page|cursor|template|mask|public|pub|csrf|xsrf|schema|spec|test|tests|example|map|mapping|set|list|bytes|bits|code|codes|event|press|down|up|board|chain|frame|frames|word|words|pair|ring|store|signature|sig)$/i;
/** The word with the same meaning before a secret's name. */
const publicHead =
	/^(?:public|pub|authenticity|circle|badge|csrf|xsrf|next|page|continuation|cursor|sync|cancel\w*|max|min|num|total|prompt|completion|input|output|hash(?:ed)?|encrypted|sealed|cache|tokenizer|device|push|forgery|verification|update|change|sequence|grant|export|import|confirm\w*|unit|product|idempotency|request|delete|primary|foreign|sort|partition|row|map|dict|object|json|by|bot|eos|pad|unk|site|recaptcha|publishable|allow)$/i;
/** The same, as words of a text. */
const publicPhrase = /(?:^|[^A-Za-z])(?:page|paging|pagination|continuation|cursor|csrf|xsrf|badge)[ \t]$/i;
const badge = /(?:badge|shield)[^\s"'<>()]{0,160}\.svg\?[^\s"'<>()]{0,100}$/i;
/** The next line in the report of a test suite (POSIX 1003.3, DejaGnu, Automake). */
const resultBefore = /(?:^|\n)(?:X?PASS|X?FAIL|SKIP|ERROR|UNSUPPORTED|UNRESOLVED|UNTESTED): [^\n]{0,300}\n$/;
const resultAfter = /^: [^\n]{0,300}\r?\n(?:X?PASS|X?FAIL|SKIP|ERROR|UNSUPPORTED|UNRESOLVED|UNTESTED): /;
/** Words before `key` that make it a secret one. */
const secretKeyHead =
	/(?:api|access|auth|authorization|private|priv|sign|signing|encrypt|encryption|crypto|cipher|secret|master|account|shared|preshared|service|hmac|jwt|aes|admin|deploy|app|webhook|storage|subscription|license|licence|session|cookie|security|vault|client|maps|flask|django|rails)[ _.-]?$/i;
/** Words before `key` that hardly ever occur with anything but a secret. */
const namedKeyHead =
	/(?:(?:dd|datadog)[ _.-]?(?:app|application)|api|access|auth|authorization|private|secret|sign|signing|encryption|master|session|webhook|preshared|fernet|unseal|admin|recovery|decryption)[ _.-]?$/i;
/** Words before `tokens` that make them no parts of a text. */
const grantedHead = /(?:api|access|auth|bearer|refresh|deploy|bot|secret)[ _.-]?$/i;
/** A list behind `tokens`: parts of a text as well, but these are words. */
const listAfter = /["']?\s{0,3}(?::[ \t]{0,3}\r?\n[ \t]{0,24}- |[:=]>?\s{0,3}[[(]\s{0,40}["'])/y;

/** Whether a list of texts follows the name that ends at an offset. */
function hasList(text: string, end: number): boolean {
	listAfter.lastIndex = end;
	return listAfter.test(text);
}
const constantHead = /(?:^|[^A-Za-z0-9_])[A-Z][A-Z0-9_]{1,40}_$/;
/** Before `pass`, written together: `dbpass`, `smtppass`. */
const passHead = /(?:db|user|my|admin|root|smtp|ftp|ssh|sql|mail|app|login|new|old|pg|redis|key|store|ldap|proxy|bind)$/i;

const words = (name: string) => name.split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])/).filter(Boolean);
const isLower = (code: number) => code >= 0x61 && code <= 0x7a;
const isUpper = (code: number) => code >= 0x41 && code <= 0x5a;
const isLetter = (code: number) => isLower(code) || isUpper(code);

/** The characters that may follow a name with an assignment; most names in code are followed by others. */
const followers = new Set([..."\"'`\\:=><|([]*_}?!+-) \t\r\n"].map((character) => character.charCodeAt(0)));
/** The same after a blank; letters, for a type or a verb. */
const laterFollowers = new Set([..."\"'`\\:=>|?!+-&{*v\u00e2"].map((character) => character.charCodeAt(0)));

const isNameCharacter = (code: number) =>
	isLetter(code) || (code >= 0x30 && code <= 0x39) || code === 0x5f || code === 0x2e || code === 0x2d;

/** A word with letters and digits that is too long for a number with a unit. */
const longWord = /^\d[A-Za-z0-9!@#%^*_-]{11}$/;

/** Whether something may be assigned to the name at an offset; the cheapest check comes first. */
function mayBeAssigned(text: string, offset: number): boolean {
	let at = offset + 3;
	for (let most = at + 64; at < most && isNameCharacter(text.charCodeAt(at)); ) at++;
	let code = text.charCodeAt(at);
	if (code === 0x2c) return false;
	if (!followers.has(code)) return false;
	if (code === 0x28 || code === 0x29) {
		// A call or the end of one: only if a text or an assignment follows.
		for (code = text.charCodeAt(++at); code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09; ) code = text.charCodeAt(++at);
		return laterFollowers.has(code);
	}
	if (code !== 0x20 && code !== 0x09) return true;
	for (code = text.charCodeAt(++at); code === 0x20 || code === 0x09; ) code = text.charCodeAt(++at);
	if (!isLetter(code))
		return (
			laterFollowers.has(code) ||
			code === 0x0a ||
			code === 0x0d ||
			(code >= 0x30 && code <= 0x39 && (isOption(text, offset) || longWord.test(text.slice(at, at + 12))))
		);
	// `is`, `was`, `or`, a type before an equals sign; after an option or ENV, anything.
	const end = at + 40;
	for (let next = at; next < end; next++) {
		const following = text.charCodeAt(next);
		if (following === 0x3d) return true;
		if (following === 0x0a) break;
	}
	return (
		/(?:is|was|ist|has|or|value|default|for|of|on|at|in|to|now)\b/y.test(text.slice(at, at + 8)) ||
		isOption(text, offset) ||
		/\d/.test(text.slice(at, at + 24))
	);
}

/** The start of the name at the end of a text. */
function nameStart(text: string): number {
	let at = text.length;
	while (at > 0 && isNameCharacter(text.charCodeAt(at - 1))) at--;
	return at;
}

const lastCode = (text: string) => text.charCodeAt(text.length - 1);

/** The text before a name's word. The letter of an escape, as in `\\nTOKEN=`, is no part of the name. */
function headOf(text: string, offset: number): string {
	const head = text.slice(Math.max(0, offset - 48), offset);
	const start = nameStart(head);
	return head[start - 1] === "\\" && /[nrt]/.test(head[start] ?? "") ? `${head.slice(0, start)}\n${head.slice(start + 1)}` : head;
}

const isOption = (text: string, offset: number) => /(?:--|ENV|ARG|set|export)/.test(text.slice(Math.max(0, offset - 48), offset));

/** Whether the name is a parameter in the address of an image that shows a number to everyone. */
const isOfBadge = (text: string, offset: number, head: string) =>
	/[?&;][A-Za-z_-]*$/.test(head) && badge.test(text.slice(Math.max(0, offset - 300), offset));

/** Whether `PASS` is the result of a test: one of several, each in a line. */
const isTestResult = (text: string, offset: number, end: number) =>
	/(?:^|\n)$/.test(text.slice(Math.max(0, offset - 1), offset)) &&
	(resultAfter.test(text.slice(end, end + 340)) || resultBefore.test(text.slice(Math.max(0, offset - 340), offset)));

/** The secret's name around the word at an offset. Null: it is not a name, not secret, or nothing is assigned to it. */
export function secretNameAt(text: string, offset: number): SecretName | null {
	if (!mayBeAssigned(text, offset)) return null;
	stem.lastIndex = offset;
	const word = stem.exec(text)?.[0];
	if (word === undefined) return null;
	const wordEnd = offset + word.length;
	appended.lastIndex = wordEnd;
	const tail = (appended.exec(text)?.[0] ?? "").replace(/[.-]+$/, "");
	const end = wordEnd + tail.length;
	// The word goes on: `passing`, `tokenizer`, `keyboard`, `PASSIVE`.
	const isPlural = tail === "S" && hasList(text, end);
	if (isLetter(text.charCodeAt(end)) || (isUpper(text.charCodeAt(wordEnd - 1)) && isUpper(text.charCodeAt(wordEnd)) && !isPlural))
		return null;
	const kind: NameKind = /^(?:pass|pwd|psk|kenn)/i.test(word) ? "password" : /^key/i.test(word) ? "key" : "token";
	const head = headOf(text, offset);
	if (kind === "key" && !/[A-Za-z0-9_. -]$/.test(head)) return null;
	const last = lastCode(head);
	const isWithin = isLetter(last) && !(isLower(last) && !isLower(text.charCodeAt(offset)));
	if (isWithin && word.length <= 4 && kind !== "key" && !passHead.test(head)) return null;
	// Not secret: the address of a meeting, which is meant to be shared, and the key with which a page searches its own documents.
	if (/zoom\.us\/[^\s"']{1,40}[?&]$/i.test(head) || (kind === "key" && /docsearch/i.test(text.slice(Math.max(0, offset - 300), offset))))
		return null;
	// Of a list in parts, or of a badge.
	if (kind === "token" && (publicPhrase.test(head) || isOfBadge(text, offset, head))) return null;
	if (word === "PASS" && isTestResult(text, offset, end)) return null;
	// The name of a type: `AWS::ApiGateway::ApiKey`.
	if (/::[A-Za-z]*$/.test(head)) return null;
	const first = head.slice(nameStart(head));
	const name = first + text.slice(offset, end);
	const before = head.slice(0, head.length - first.length);
	const [secondLast = "", lastWord = ""] = ["", "", ...words(first)].slice(-2);
	if (publicHead.test(lastWord) || /^pub(?:lic)?$/i.test(secondLast) || words(tail).some((part) => publicWord.test(part))) return null;
	if (kind === "token" && /^token$/i.test(word) && /^s(?:[_\d]|$)/.test(tail) && !grantedHead.test(head) && !hasList(text, end))
		return null;
	if (kind !== "key") return { kind, text: name, before, end };
	const isList = /^s$/i.test(tail) && hasList(text, end);
	if (!isList && !/^(?:_?\d{0,2}|[_-]?(?:base|base64|data|material|value|string|pem|secret))$/i.test(tail)) return null;
	if (namedKeyHead.test(head)) return { kind: "token", text: name, before, end };
	return secretKeyHead.test(head) || (word === "KEY" && constantHead.test(head)) ? { kind, text: name, before, end } : null;
}
