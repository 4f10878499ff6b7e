import { base64Spellings } from "./derived.ts";
import { characterClasses, entropy, isExampleValue, isIdentifier, isPatterned, isWords } from "./randomness.ts";

/** A secret of this machine, with its origin. It is in memory only. */
export interface OwnSecret {
	/** The name for reports: `HEARTBEAT_KEY`, `.netrc`. */
	readonly name: string;
	/** One character for each byte. */
	readonly value: string;
}

/** The prefix of the rules for this machine's own secrets. */
export const ownRule = "own:";

/** Shorter values occur in texts by chance. */
const shortest = 8;

/** Whether a variable's name marks its value as secret. */
export function isSecretName(name: string): boolean {
	return (
		/(?:^|[_-])(?:pass(?:word|wd|phrase)?|pwd|secrets?|tokens?|apikey|key|keys|pat|credentials?|auth|dsn|private|webhook|salt)(?:$|[_-])|(?:password|passwd|secret|token|apikey)$/i.test(
			name,
		) && !/^GPG_KEY$|(?:^|[_-])(?:public|sock|socket|file|path|dir|directory|name|user|id|url|uri|host|port|type|agent_info)$/i.test(name)
	);
}

/**
 * Whether a value can be searched as an exact string: long enough, and nothing that other files contain for other reasons. A word, a number,
 * a path or a host name would hold half of a workspace.
 * @param isNamed its name is one of a secret
 */
export function isSearchable(value: string, isNamed: boolean): boolean {
	if (value.length < shortest || /^[\s\d.,:+-]*$/.test(value) || isIdentifier(value) || isPatterned(value)) return false;
	if (/^(?:true|false|null|none|undefined|changeme|password|secret|default|development|production|localhost)\d*$/i.test(value))
		return false;
	if (isNamed) return !isWords(value) || value.length >= 20 || entropy(value) > 3.5;
	return (
		value.length >= 16 &&
		characterClasses(value) >= 2 &&
		/\d/.test(value) &&
		!isWords(value) &&
		!isExampleValue(value) &&
		entropy(value) > 3.3
	);
}

/** The password of an address, decoded; null: it has none. */
function passwordOf(address: string): string | null {
	const found = /^[a-z][a-z0-9+.-]*:\/\/[^:/@\s]*:([^@\s]+)@/i.exec(address)?.[1];
	if (found === undefined) return null;
	try {
		return decodeURIComponent(found);
	} catch {
		return found;
	}
}

/** Secrets among variables. @param where their origin for reports, before the name */
export function secretsOf(
	variables: Readonly<Record<string, string | undefined>>,
	where: string,
	names: ReadonlySet<string> = new Set(),
): OwnSecret[] {
	return Object.entries(variables).flatMap(([name, text = ""]) => {
		const isNamed = names.has(name) || isSecretName(name);
		const password = passwordOf(text.trim());
		const values = password !== null ? [password] : names.has(name) ? text.split(/[\s,]+/) : [text.trim()];
		return values.filter((value) => isSearchable(value, isNamed || password !== null)).map((value) => own(`${where}${name}`, value));
	});
}

/** Passwords of a `.netrc` (netrc(5)). */
export function netrcSecrets(text: string): OwnSecret[] {
	return [...text.matchAll(/(?:^|\s)password\s+(\S+)/g)].flatMap(([, value = ""]) =>
		isSearchable(value, true) ? [own(".netrc", value)] : [],
	);
}

/** Passwords of a `.git-credentials` (git-credential-store(1)). */
export function credentialSecrets(text: string): OwnSecret[] {
	return text.split(/\r?\n/).flatMap((line) => {
		const value = passwordOf(line.trim());
		return value !== null && isSearchable(value, true) ? [own(".git-credentials", value)] : [];
	});
}

const own = (name: string, value: string): OwnSecret => ({ name, value: Buffer.from(value, "utf8").toString("latin1") });

/** The spellings of a value: plain, in JSON, in an address, in base64, and in hexadecimal. @param value one character for each byte */
export function spellings(value: string): string[] {
	const bytes = Buffer.from(value, "latin1");
	const text = bytes.toString("utf8");
	const hexadecimal = bytes.toString("hex");
	const written = [
		JSON.stringify(text).slice(1, -1),
		encodeURIComponent(text),
		hexadecimal,
		hexadecimal.toUpperCase(),
		...base64Spellings(value).map(({ spelling }) => spelling),
	];
	const all = [value, ...written.map((spelling) => Buffer.from(spelling, "utf8").toString("latin1"))];
	return [...new Set(all)].filter((spelling) => spelling.length >= shortest);
}
