import { expect, test } from "@jest/globals";
import { covers, newSalt, notAllowed, parseAllowed, patternOf, withAllowed } from "./allowed.ts";
import { hashOf } from "./finder.ts";
import { credentialSecrets, isSearchable, isSecretName, netrcSecrets, secretsOf } from "./own-secrets.ts";

test.each([
	["a.md", "a.md", true],
	["a.md", "docs/a.md", true],
	["docs/a.md", "a.md", false],
	["docs/*.md", "docs/a.md", true],
	["docs/*.md", "docs/b/a.md", false],
	["docs/**/*.md", "docs/b/c/a.md", true],
	["docs/**/*.md", "docs/a.md", true],
	["messages/**", "messages/helios/2026-01-01/x", true],
	["messages/**", "messagesx/a", false],
	["a?.md", "ab.md", true],
	["a\\*.md", "a*.md", true],
	["a\\*.md", "ab.md", false],
	["a[b].md", "a[b].md", true],
])("a pattern: %s and %s → covered: %s", (glob, path, expected) => {
	expect(covers(glob, path)).toBe(expected);
});

test("a pattern: many wildcards on a long path → answers at once", () => {
	expect(covers(`${"**/*a".repeat(40)}b`, "a/".repeat(2_000))).toBe(false);
});

test("an allowed value: the same path, rule and value → allowed; another of each → not", () => {
	const salt = newSalt();
	const text = withAllowed("", [patternOf("docs/a*.md")], [{ rule: "jwt", hash: hashOf("value", salt) }], salt);
	const allowed = parseAllowed(text);
	const match = { rule: "jwt", value: "value" };
	expect(notAllowed(allowed, "docs/a*.md", [match])).toEqual([]);
	expect(notAllowed(allowed, "docs/ab.md", [match])).toEqual([match]);
	expect(notAllowed(allowed, "docs/a*.md", [{ ...match, rule: "other" }])).toHaveLength(1);
	expect(notAllowed(allowed, "docs/a*.md", [{ ...match, value: "another" }])).toHaveLength(1);
	expect(text).not.toContain("value\t");
});

test.each(["#notes#", "a*b?.md", "a\\b.md", "a\tb\n.md"])("an allowed value: at %j → allowed there", (path) => {
	const salt = newSalt();
	const text = withAllowed("", [patternOf(path)], [{ rule: "jwt", hash: hashOf("value", salt) }], salt);
	expect(notAllowed(parseAllowed(text), path, [{ rule: "jwt", value: "value" }])).toEqual([]);
});

test("this machine's own secret: allowed by a file that travels → held; here → allowed", () => {
	const salt = newSalt();
	const lines = ["own:.env A", "*"].map((rule) => `**\t${rule}\t${salt}.${hashOf("value", salt)}`).join("\n");
	const match = { rule: "own:.env A", value: "value" };
	expect(notAllowed(parseAllowed(lines), "a.md", [match])).toEqual([match]);
	expect(notAllowed(parseAllowed(lines, true), "a.md", [match])).toEqual([]);
});

test("an allow file: malformed lines → allow nothing", () => {
	expect(parseAllowed("# a\n\n**\t*\tall\n**\t*\n*\t*\t0.0\njust text\n")).toEqual([]);
});

test("own secrets: words, numbers, paths → none; keys and passwords → each", () => {
	expect(
		["true", "1234", "12345678", "/run/secret/file", "db.example.internal", "production", "helios"].filter((value) =>
			isSearchable(value, true),
		),
	).toEqual([]);
	expect(["API_KEY", "DB_PASSWORD", "GITHUB_TOKEN", "token", "SSH_AUTH_SOCK", "KEYBOARD", "PUBLIC_KEY_PATH"].map(isSecretName)).toEqual([
		true,
		true,
		true,
		true,
		false,
		false,
		false,
	]);
	const variables = {
		API_KEY: "q8Zk-27xLw",
		DATABASE_URL: "postgres://a:Xy7%2Bkq9Lm@db/x",
		LOG_LEVEL: "information",
		NODE_NAME: "helios-the-second-1",
	};
	expect(secretsOf(variables, "").map(({ name, value }) => `${name} ${value}`)).toEqual(["API_KEY q8Zk-27xLw", "DATABASE_URL Xy7+kq9Lm"]);
	expect(netrcSecrets("machine a login b password c7Kq-w9Zx1\n").map(({ value }) => value)).toEqual(["c7Kq-w9Zx1"]);
	expect(credentialSecrets("https://me:c7Kq-w9Zx1@git.corp\n").map(({ value }) => value)).toEqual(["c7Kq-w9Zx1"]);
});
