import { randomBits } from "./likelihood.ts";
import { nameLiterals, type SecretName, secretNameAt } from "./names.ts";
import { inSentence, isTitle } from "./prose.ts";
import { isPatterned, isUuid } from "./randomness.ts";
import { looksDrawn, looksThoughtOut } from "./values.ts";

/** A value whose name marks it as a secret, and its place. */
export interface Assigned {
	readonly value: string;
	readonly start: number;
	readonly end: number;
}

/** A quote, also inside a string of JSON, and inside one of those. */
const quote = String.raw`\\{0,7}["'\`]`;
/** The end of a name: quotes, the bracket of an index, the asterisks of bold. */
const closing = String.raw`(?:${quote})?[\])}*_]{0,3}(?:${quote})?`;
/** `: string`, `: &'static str`, ` string`, ` As String`, `[]`: before `=`. */
const type = String.raw`(?:\s{0,3}:\s{0,3}|\s{1,3}(?:As\s)?)(?:&(?:'[a-z]{1,8}\s)?)?[A-Za-z][A-Za-z<>[\]?.*]{0,30}(?:\s{1,2}\|\s{1,2}[A-Za-z]{1,16})?\s{1,3}(?=:?=)|\[\d{0,4}\]`;
/** A line feed, plain or escaped as in JSON. */
const blank = String.raw`(?:\s|\\{1,3}[nrt])`;

/** The text between a name and a value that may be without quotes. */
const assigning = new RegExp(
	[
		// An output in the state of Terraform.
		String.raw`${quote}\s{0,3}:\s{0,3}\{${blank}{0,40}${quote}value${quote}\s{0,3}:\s{0,3}`,
		// Tags of HTML, XML and property lists, within a row of a table.
		String.raw`:?(?:</?(?!t(?:r|able|body|head)\b)[a-z][a-z0-9]{0,9}(?:\s[^<>]{0,120})?>:?${blank}{0,40}){1,6}`,
		String.raw`${closing}(?:${type})?${blank}{0,24}(?::\s{0,3}[>|][-+\d]{0,2}[ \t]{0,8}\r?\n\s{1,24}|:=|=>|->|={1,3}|!={1,2}|:-|:|\?\?=?|\?=|\+=|\|\|=?|\sor\s)\*{0,2}${blank}{0,24}(?:(?:&[\w-]{1,40}|!{1,2}[\w:.,/-]{0,40})[ \t]{1,3}){0,2}`,
		String.raw`${closing}\s{1,3}(?:is|was|ist):?\s{1,3}`,
		String.raw`(?:${quote})?\s?>\s{0,40}`,
		String.raw`(?:${quote})?[*_]{0,2}\s{0,20}\|\s{0,8}`,
		String.raw`(?:${quote})?\s{0,3}[,;{]?${blank}{0,40}(?:type\s{0,3}=\s{0,3}[a-z"]{1,10}\s{1,40}|(?:(?:type|description|sensitive)\s{0,12}=\s{0,3}[^\n]{1,120}\n\s{0,40}){1,3})?(?:${quote})?(?:value|default|content)(?:${quote})?\s{0,3}[:=]\s{0,3}`,
	].join("|"),
	"y",
);
/** The same before a value in quotes: an argument, a call, SQL, a preprocessor. */
const beside = new RegExp(String.raw`${quote}\)?\s{0,3},\s{0,24}|\(\s{0,24}|\[\s{0,24}|(?:${quote})?\s{1,12}`, "y");
/** A name that is the option of a command, or the first word after ENV: its value follows the blank. */
const optionHead =
	/(?:--[A-Za-z0-9_-]{0,40}|(?:^|\n)[ \t]{0,8}(?:ENV|ARG|set|setx|setenv|export)[ \t]{1,3}(?:-[A-Za-z]{1,4}[ \t]{1,3})?[A-Za-z0-9_]{0,40}|\bproxy_set_header[ \t]{1,3}[A-Za-z0-9_-]{0,40})$/;

/** The start of a quoted value may be: a bracket and a line end, a call, the prefix of a string, a scheme. */
const opening = new RegExp(
	String.raw`(?:\(${blank}{0,40}(?:\\{0,7}["'],\s{0,40}\\{0,7}["']\s{0,40})?)?(?:(?:new\s)?[A-Za-z_.:!]{1,30}\()?[brfuBRFU@$&]{0,2}#{0,3}(?<quote>""(?=[^\s"',;:)\]}])|${quote})(?:(?:Bearer|Basic|Token|Bot)\s)?(?:base64:)?`,
	"y",
);
const quotedPart = /(?:[^\s"'`\\]|\\{1,2}\/)+/y;
/** The seam of a string in several parts: `" "`, `" + "`, over lines, in the list of lines of a notebook. */
const seam = new RegExp(
	String.raw`(?:${quote})(?:\\{0,7}n${quote},\s{0,40}${quote})?\s{0,40}(?:[+.&]|\.\.|<>|\|\||\\)?\s{0,40}[brfuBRFU@]{0,2}(?:${quote})(?=[^\s"'\`\\,;:)\]}])`,
	"y",
);
const endQuote = new RegExp(quote, "y");
const barePart = /(?:(?:Bearer|Basic|Token)\s)?(?:base64:)?(?<value>[^\s"'`\\,;<>(){}[\]|&$]{8,2000})(?=[\s"'`\\,;<)&}\]#|]|$)/y;

/** The rest of a line: a value of symbols that end one elsewhere. */
const linePart = /[^\s"'`]{12,200}(?=\r?\n|$)/y;
/** The text before a name that has a line for itself. */
const lineHead = /^[ \t]{0,8}(?:export[ \t]{1,3})?[A-Za-z0-9_.-]{0,48}$/;

/** A password for one application of a Google account. */
const appPassword = new RegExp(`(?:${quote})?(?<value>[a-z]{4} [a-z]{4} [a-z]{4} [a-z]{4})(?![A-Za-z ])`, "y");

/** Services whose tokens are UUIDs, by what the names of variables call them. Elsewhere a UUID is an identifier. */
const uuidService =
	/heroku|railway|(?<![a-z])scw|scaleway|codecov|snyk|consul|nomad|postmark|(?<![a-z])wise|(?<![a-z])exa[_ ]?api|keycloak|vapi|cloudsmith|proxmox|(?<![a-z])pve|openvsx|(?<![a-z])ovsx|npm|confluent|lokalise|gitpod|coolify|portainer|livepeer|browserless/i;

/** Names that hold nothing but a secret, a UUID too: a secret of an application is one in several services. */
const certainName = /(?:client|app(?:lication)?|api|consumer|shared)[_.-]?secret(?:[_.-]?(?:key|value))?$/i;

const callResult = /^["'`]\s{0,3}\)\s{0,8}[=-]>/;

const longestValue = 2_000;

/** A string over several lines: `"""` of TOML and Python, `[[` of Lua. */
const longString =
	/(?:(?<mark>"""|''')\r?\n?\s{0,40}(?<triple>[^\s"'`\\]{8,2000})\s{0,40}\k<mark>|\[\[\s{0,40}(?<long>[^\s"'`\\[\]]{8,2000})\s{0,40}\]\])/y;

function longStringAt(text: string, at: number): Assigned | null {
	const first = text.charCodeAt(at);
	if ((first !== 0x5b && first !== 0x22 && first !== 0x27) || text.charCodeAt(at + 1) !== first) return null;
	longString.lastIndex = at;
	const { triple, long } = longString.exec(text)?.groups ?? {};
	const value = triple ?? long;
	if (value === undefined) return null;
	const start = text.indexOf(value, at);
	return { value, start, end: start + value.length };
}

/** The string literals that a value consists of. Null: no string begins here, or it contains something else. */
function quotedAt(text: string, at: number): Assigned | null {
	opening.lastIndex = at;
	const open = opening.exec(text);
	if (open === null) return null;
	const start = opening.lastIndex;
	const parts: string[] = [];
	for (let next = start, size = 0; ; ) {
		quotedPart.lastIndex = next;
		const [part = ""] = quotedPart.exec(text) ?? [];
		parts.push(part);
		size += part.length;
		const end = next + part.length;
		endQuote.lastIndex = end;
		if (size > longestValue || !endQuote.test(text)) return null;
		seam.lastIndex = end;
		// An empty text between two quotes: one is the end of a string, the other the beginning of the next.
		if (part === "" || parts.length > 64 || !seam.test(text)) return { value: parts.join("").replaceAll(/\\+\//g, "/"), start, end };
		next = seam.lastIndex;
	}
}

/** The name of the password of a mail account, which Google makes of 16 letters. */
const mailName = /smtp|mail|imap/i;
const isMailPassword = (value: string, { kind, text }: SecretName) =>
	kind === "password" && value.length === 16 && mailName.test(text) && /^[a-z]+$/.test(value) && randomBits(value) >= 18;

/** Words before a name in a sentence. */
const wordsBefore = /(?:[A-Za-z0-9_]{1,24} ){1,3}$/;

const isServiceUuid = (value: string, { text, before }: SecretName) =>
	isUuid(value) && (certainName.test(text) || uuidService.test((wordsBefore.exec(before)?.[0] ?? "") + text)) && !isPatterned(value);

function isQuotedSecret(value: string, name: SecretName): boolean {
	const { kind } = name;
	if (isServiceUuid(value, name) || isMailPassword(value, name)) return true;
	if (kind === "password") return looksDrawn(value, value.length < 12 ? 14 : 10) || looksThoughtOut(value);
	if (value.length < 12) return false;
	if (kind === "key") return value.length >= 20 && !/^[0-9a-fx]+$/i.test(value) && looksDrawn(value, 18);
	return looksDrawn(value, value.length < 16 ? 20 : 12);
}

/** The fingerprint of a key for signatures, as programs name it: `Adding signing key: d69a…`. */
const isFingerprint = (value: string, { before, text }: SecretName) =>
	/^[0-9a-f]{40}$/i.test(value) && /sign(?:ing)? key$/i.test(before.slice(-16) + text);

/** Whether a value without quotes is a secret, given that its name is one of a secret. */
export function acceptsBare(value: string, name: SecretName): boolean {
	const { kind } = name;
	if (isFingerprint(value, name)) return false;
	if (isServiceUuid(value, name) || isMailPassword(value, name)) return true;
	if (kind === "password") return looksDrawn(value, value.length < 12 ? 18 : 14);
	if (value.length < 14 || (kind === "key" && /^[0-9a-fx]+$/i.test(value))) return false;
	return looksDrawn(value, kind === "key" ? 22 : 16);
}

function accepted({ value, start, end }: Assigned, name: SecretName, isQuoted: boolean): Assigned | null {
	const trimmed = isQuoted ? value : value.replace(/[.:!?*_]+$/, "");
	// A signed token has a rule of its own, which recognizes unsigned ones.
	if (/^eyJ[\w-]+\.eyJ[\w-]+\./.test(trimmed)) return null;
	if (!(isQuoted ? isQuotedSecret(trimmed, name) : acceptsBare(trimmed, name))) return null;
	return { value: trimmed, start, end: isQuoted ? end : start + trimmed.length };
}

/** The match of a pattern at an offset. */
function partAt(pattern: RegExp, text: string, at: number): Assigned | null {
	pattern.lastIndex = at;
	const found = pattern.exec(text);
	if (found === null) return null;
	const value = found.groups?.value ?? found[0];
	return { value, start: pattern.lastIndex - value.length, end: pattern.lastIndex };
}

/** Four random groups of four letters: the password of an application. */
function appPasswordAt(text: string, { kind }: SecretName, at: number): Assigned | null {
	const words = kind === "password" ? partAt(appPassword, text, at) : null;
	return words !== null && randomBits(words.value.replaceAll(" ", "")) >= 8 ? words : null;
}

/** The text between the start of a line, but at most some characters, and an offset in it. */
function lineBefore(text: string, offset: number, most: number): string {
	const before = text.slice(Math.max(0, offset - most), offset);
	return before.slice(before.lastIndexOf("\n") + 1);
}

/** A line of nothing but a name and its value, which may have brackets and other symbols in it. */
function lineAt(text: string, offset: number, at: number): Assigned | null {
	if (!lineHead.test(lineBefore(text, offset, 72))) return null;
	const line = partAt(linePart, text, at);
	return line !== null && looksDrawn(line.value, 28) ? line : null;
}

/** A name alone in a line, as in a note or a console, and before it: a sign of a list, other words. */
const titleHead = /^[ \t#*>-]{0,8}(?:[A-Za-z0-9_.-]{1,24} ){0,4}[A-Za-z0-9_.-]{0,48}$/;
const nextLine = /[*_]{0,2}[ \t]{0,4}\r?\n(?:[ \t]{0,4}\r?\n)?[ \t>]{0,8}`{0,1}(?<value>[^\s`"']{12,200})`?(?=[ \t]{0,4}(?:\r?\n|$))/y;

/** The line after a name that is alone in its line. */
function belowAt(text: string, offset: number, { end, text: name }: SecretName): Assigned | null {
	if (!isTitle(name) || !titleHead.test(lineBefore(text, offset, 160))) return null;
	const below = partAt(nextLine, text, end);
	return below !== null && looksDrawn(below.value, 28) ? below : null;
}

/** The value assigned to the secret's name at an offset. Null: there is none. */
function assignedAt(text: string, offset: number): Assigned | null {
	const name = secretNameAt(text, offset);
	if (name === null) return null;
	assigning.lastIndex = name.end;
	const isAssigned = assigning.test(text);
	if (isAssigned) {
		const at = assigning.lastIndex;
		// The last argument of a call, and its result: `sign("", "secret") => "f7f9…"`.
		if (callResult.test(text.slice(name.end, at))) return null;
		const quoted = longStringAt(text, at) ?? quotedAt(text, at);
		if (quoted !== null) return accepted(quoted, name, true) ?? (quoted.value === "" ? inSentence(text, name) : null);
		const bare = partAt(barePart, text, at);
		return (bare && accepted(bare, name, false)) ?? appPasswordAt(text, name, at) ?? lineAt(text, offset, at) ?? inSentence(text, name);
	}
	const below = belowAt(text, offset, name);
	if (below !== null) return below;
	const said = inSentence(text, name);
	if (said !== null) return said;
	beside.lastIndex = name.end;
	if (!beside.test(text)) return null;
	const at = beside.lastIndex;
	// A list of lines of base64.
	if (!isTitle(name.text) && text.slice(name.end, at).includes("\n")) return null;
	const quoted = quotedAt(text, at);
	if (quoted !== null) return accepted(quoted, name, true);
	if (/\s/.test(text[name.end] ?? "") && optionHead.test(text.slice(Math.max(0, offset - 64), offset))) {
		const bare = partAt(barePart, text, at);
		if (bare !== null) return accepted(bare, name, false);
	}
	return appPasswordAt(text, name, at);
}

/** Values that are secrets because of the name that they are assigned to. */
export const assignments = { id: "assigned-secret", literals: nameLiterals, anyCase: true, next: "", find: assignedAt } as const;
