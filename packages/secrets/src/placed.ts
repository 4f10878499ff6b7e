import { base64Text, isPatterned, isUuid } from "./randomness.ts";
import type { NamedRule } from "./rule.ts";
import { looksDrawn, looksThoughtOut } from "./values.ts";

// Values that are secrets because of their place: an option of a command, a header, a line of a format.

const word = String.raw`[^\s"'\`\\,;<>(){}[\]|&$]`;
const end = String.raw`(?=[\s"'\`\\,;<)&}\]#|]|$)`;
/** A quote, also inside a string, and doubled as in CSV. */
const open = String.raw`\\{0,3}["'\`]{0,2}`;

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/** The text after an option of one letter: its value, in quotes or not. */
const afterOption = ` =:"'\`\\${letters}${letters.toLowerCase()}0123456789_.@%+-`;

const isDrawn = (need: number) => (match: RegExpExecArray) => looksDrawn(match.groups?.value ?? "", need);
/** Whether a text in base64 decodes to a name and a password. */
function isUserAndPassword(value: string): boolean {
	const decoded = base64Text(value);
	const password = decoded.slice(decoded.indexOf(":") + 1);
	return decoded.includes(":") && password.length >= 6 && (looksDrawn(password, 10) || looksThoughtOut(password));
}

/** Whether a value in base64 is a name and a password too short to be one, of which an example was made: `test:`, and four bytes. */
const isOfShortPassword = (value: string) => /^[\x20-\x7e]{1,64}:.{0,5}$/s.test(Buffer.from(value, "base64").toString("latin1"));

export const placedRules: readonly NamedRule[] = [
	{
		id: "command-password",
		literals: ["-u", "--user", "-U"],
		next: afterOption,
		notAfter: /[A-Za-z0-9_-]/,
		pattern: new RegExp(String.raw`(?:-[uU]|--(?:proxy-)?user)[ =]{0,2}${open}[\w.@%+-]{0,64}:(?<value>[^\s"'\`\\<>(){}]{6,200})`, "y"),
		acceptsNamed: isDrawn(11),
	},
	{
		id: "command-password",
		literals: [" -p", " -a ", " -w "],
		notAfter: null,
		pattern: new RegExp(` -(?:p ?|[aw] )${open}(?<value>${word}{8,200})${end}`, "y"),
		acceptsNamed: (match, before) =>
			/(?:mysql\w*|mariadb\w*|mycli|sshpass|login|redis-cli|ldap\w+|mongo\w*|sqlcmd|rabbitmq\w*)\b[^\n|;]{0,160}$/.test(before) &&
			isDrawn(10)(match),
	},
	{
		id: "encoded-credentials",
		literals: ['"auth', "_auth", "basic ", "auth:", "auth="],
		anyCase: true,
		notAfter: /[A-Za-z0-9]/,
		pattern: new RegExp(
			String.raw`(?:["']?_?auth${open}\s{0,3}[:=]\s{0,3}${open}|basic\s{1,2})(?<value>[A-Za-z0-9+/]{8,1200}={0,2})(?![A-Za-z0-9+/=])`,
			"iy",
		),
		acceptsNamed: (match) => isUserAndPassword(match.groups?.value ?? ""),
	},
	{
		id: "netrc-password",
		literals: ["password "],
		notAfter: /[A-Za-z0-9]/,
		pattern: /password\s{1,8}(?<value>[^\s"'`\\]{8,200})(?=[\s"'`\\]|$)/y,
		acceptsNamed: (match, before) =>
			/\b(?:login|account|machine|user)\s{1,8}\S{1,120}\s{1,8}$/.test(before) &&
			(isDrawn(8)(match) || looksThoughtOut(match.groups?.value ?? "")),
	},
	{
		id: "authorization-header",
		literals: ["authorization", "bearer "],
		anyCase: true,
		notAfter: /[A-Za-z]/,
		pattern: new RegExp(
			String.raw`(?:authorization${open}\]?\s{0,3}(?:[:=,]|=>)\s{0,3}[frbu@]{0,2}${open}(?:(?<scheme>[a-z][a-z0-9_-]{1,24})\s{1,2})?|bearer\s{1,2})(?<value>[A-Za-z0-9_.~+/!@#%^*=:?-]{12,2000})${end}`,
			"iy",
		),
		acceptsNamed: (match) => {
			const value = (match.groups?.value ?? "").replace(/[.:!?]+$/, "");
			// A JWT has a rule of its own, which recognizes an unsigned one.
			if (value.startsWith("eyJ") || /^https?:/.test(value)) return false;
			const scheme = match.groups?.scheme ?? "";
			// Of other schemes (AWS4-HMAC-SHA256, Digest), names and signatures follow.
			if (!/^(?:|bearer|token|basic|bot|apikey|key)$/i.test(scheme) && !/^[\w.~+/:-]+={0,2}$/.test(value)) return false;
			if (/key$/i.test(scheme) && isUuid(value)) return !isPatterned(value);
			return isUserAndPassword(value) || (!isOfShortPassword(value) && looksDrawn(value, 15));
		},
	},
	{
		id: "registry-token",
		literals: ["_authToken="],
		notAfter: null,
		pattern: new RegExp(`_authToken=${open}(?<value>[A-Za-z0-9_.~+/=-]{16,2000})${end}`, "y"),
		acceptsNamed: (match) => {
			const value = match.groups?.value ?? "";
			return looksDrawn(value, 15) || (isUuid(value) && !isPatterned(value));
		},
	},
	{
		id: "command-password",
		literals: ["convertto-securestring"],
		anyCase: true,
		notAfter: null,
		pattern: /convertto-securestring\s{1,4}(?:-string\s{1,4})?["'](?<value>[^\s"'`]{8,200})["']/iy,
		acceptsNamed: (match) => isDrawn(10)(match) || looksThoughtOut(match.groups?.value ?? ""),
	},
	{
		id: "access-signature",
		literals: ["sig="],
		notAfter: /[A-Za-z0-9]/,
		pattern: /sig=(?<value>(?:[A-Za-z0-9+/_-]|%2[BFbf]){36,90}(?:%3[Dd]|=){0,2})(?![A-Za-z0-9+/])/y,
		acceptsNamed: (match, before) => /\bs[vperi]=[^\s"']{1,200}$/.test(before) && isDrawn(30)(match),
	},
	{
		id: "pgpass-password",
		literals: [":5432:", ":5433:", ":*:"],
		notAfter: null,
		pattern: /:(?:543\d|\*):[^:\s"']{1,64}:[^:\s"']{1,64}:(?<value>[^\s"'`]{8,120})(?=\s|$)/y,
		acceptsNamed: isDrawn(12),
	},
	{
		id: "database-password",
		literals: ["identified by", "requirepass ", "masterauth ", "jdbc:oracle:"],
		anyCase: true,
		notAfter: /[A-Za-z0-9]/,
		pattern: new RegExp(
			String.raw`(?:identified by|requirepass|masterauth|jdbc:oracle:[a-z]{2,8}:[^/\s"']{1,64}/)\s{0,3}${open}(?<value>[^\s"'\`\\@;]{8,200})`,
			"iy",
		),
		acceptsNamed: isDrawn(11),
	},
	{
		id: "peer-password",
		literals: [' * "', '\t*\t"'],
		notAfter: null,
		back: /(?:^|\n)[^\s#"*/]{1,64}$/,
		pattern: /\n?[^\s"]{1,64}[ \t]\*[ \t]"(?<value>[^\s"]{8,200})"[ \t]{1,8}(?:\*|[\d.]{7,15}|-)[ \t]{0,8}(?=\r?\n|$)/y,
		acceptsNamed: (match) => isDrawn(10)(match) || looksThoughtOut(match.groups?.value ?? ""),
	},
	{
		id: "argument-password",
		literals: [
			"auth=(",
			"auth = (",
			"basicauth(",
			".auth(",
			"mysqli_connect(",
			"mysql_connect(",
			"new mysqli(",
			"new pdo(",
			"getconnection(",
		],
		anyCase: true,
		notAfter: null,
		pattern:
			/(?:auth(?: ?= ?)?\(\s{0,20}["'][^"'\n]{1,80}["']|(?:mysqli?(?:_connect)?|pdo|getconnection)\(\s{0,20}["'][^"'\n]{1,200}["']\s{0,3},\s{0,20}["'][^"'\n]{1,80}["'])\s{0,3},\s{0,20}["'](?<value>[^\s"'`\\]{8,200})["']/iy,
		acceptsNamed: (match) => isDrawn(10)(match) || looksThoughtOut(match.groups?.value ?? ""),
	},
	{
		id: "encoded-password",
		literals: ['<pass encoding="base64">'],
		anyCase: true,
		notAfter: null,
		pattern: /<pass encoding="base64">\s{0,8}(?<value>[A-Za-z0-9+/]{8,400}={0,2})\s{0,8}</iy,
		acceptsNamed: (match) => {
			const password = Buffer.from(match.groups?.value ?? "", "base64").toString("latin1");
			return looksDrawn(password, 10) || looksThoughtOut(password);
		},
	},
	{
		id: "login-password",
		literals: ["login", "credentials"],
		anyCase: true,
		notAfter: /[A-Za-z0-9_.-]/,
		pattern:
			/(?:login|credentials)[*_]{0,2}:[*_]{0,2}[ \t]{1,3}[\w.@+-]{1,64}(?:[ \t]{0,2}[/|][ \t]{0,2}|:)[`"']?(?<value>[^\s"'`\\,;<>(){}[\]|&$]{8,200})/iy,
		acceptsNamed: (match) => isDrawn(18)(match) && !/^[0-9a-f]+$/i.test(match.groups?.value ?? ""),
	},
	{
		id: "url-password",
		literals: [":x-oauth-basic@", ":x-oauth-token@"],
		back: /:\/\/[^\s/:@"'`]{12,200}$/,
		mostBack: 210,
		notAfter: null,
		pattern: /:\/\/(?<value>[^\s/:@"'`]{12,200}):x-oauth/y,
		acceptsNamed: isDrawn(14),
	},
];
