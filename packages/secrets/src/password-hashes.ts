import { entropy, isPatterned } from "./randomness.ts";
import type { NamedRule } from "./rule.ts";

// Passwords as files of accounts keep them (htpasswd, shadow(5)): a weak one is guessed from its hash. Elsewhere, as in code, a hash is no secret.

/** The start of a line, or of a string, and an account. */
const account = /(?:^|[\n"'`])[ \t]{0,8}[A-Za-z0-9_][A-Za-z0-9._@+-]{0,63}:$/;
const base64 = "[A-Za-z0-9./+]";

export const hashRules: readonly NamedRule[] = [
	{
		id: "password-hash",
		literals: ["$apr1$", "$2a$", "$2b$", "$2y$", "$1$", "$5$", "$6$", "$7$", "$y$", "$gy$", "$argon2", "{SHA}", "{SSHA"],
		notAfter: null,
		pattern: new RegExp(
			String.raw`(?:\$(?:apr1|1)\$[^\s:$]{1,8}\$(?<md5>${base64}{22})|\$2[aby]\$\d\d\$(?<bcrypt>${base64}{53})|\$[56]\$(?:rounds=\d{1,9}\$)?[^\s:$]{1,16}\$(?<sha>${base64}{43,86})|\$(?:7|y|gy)\$[^\s:$]{1,20}\$[^\s:$]{1,86}\$(?<scrypt>${base64}{43})|\$argon2(?:id|[id])\$[^\s:]{8,60}\$(?<argon>${base64}{20,90})|\{S?SHA(?:256|512)?\}(?<ldap>${base64}{27,120}={0,2}))(?=[\s:"'\\]|$)`,
			"y",
		),
		acceptsNamed: ({ groups = {} }, before) => {
			const hash = Object.values(groups).find((group) => group !== undefined) ?? "";
			return account.test(before) && !isPatterned(hash) && entropy(hash) > 3.3;
		},
	},
	{
		// The state of Terraform, in which passwords are results.
		id: "assigned-secret",
		literals: ['"random_password"'],
		notAfter: null,
		pattern: /"random_password"[\s\S]{0,2000}?"result"\s{0,3}:\s{0,3}"(?<value>(?:[^"\\\n]|\\.){8,300})"/y,
		acceptsNamed: ({ groups }) => entropy(groups?.value ?? "") > 2.5,
	},
];
