import { createHash } from "node:crypto";
import { expect, describe as group, test } from "@jest/globals";
import { describe, SecretFinder } from "./finder.ts";
import { secretlintMatches } from "./secretlint.ts";
import { excerptsAround } from "./secretlint-literals.ts";
import { formats, generatedSecrets } from "./testing/generated-secrets.ts";

const finder = new SecretFinder();
const holds = (content: string | Buffer) => finder.matches(Buffer.from(content)).length > 0;

group("kinds", () => {
	const secrets = generatedSecrets(1);

	test("the table: at least 80 kinds of secrets → each has a generator of its own", () => {
		expect(new Set(secrets.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(80);
	});

	test.each(Object.keys(formats))("every kind of secret: written into %s → found, on its line", (format) => {
		const write = formats[format]!;
		const missed = [1, 2].flatMap((seed) =>
			generatedSecrets(seed).flatMap(({ kind, name = "value", value }) => {
				const content = Buffer.from(write(name, value));
				const found = describe(content, finder.matches(content));
				const lines = content.toString().split("\n").length;
				return found.length > 0 && found.every(({ line }) => line >= 1 && line <= lines)
					? []
					: [`${kind}: ${content.toString().slice(0, 90)}`];
			}),
		);
		expect(missed).toEqual([]);
	});

	test("a secret: behind an escape, a colour or a percent sign → found", () => {
		const missed = secrets
			.filter(({ kind, name, value }) => name === undefined && kind !== "netrc" && !value.includes("\n"))
			.flatMap(({ kind, value }) =>
				[`{"a":"x\\n${value}"}`, `\x1b[32m${value}\x1b[0m`, `"\\u001b[1;32m${value}\\u001b[0m"`, `a\t${value}`, `(${value})`]
					.filter((content) => !holds(content))
					.map((content) => `${kind}: ${content}`),
			);
		expect(missed).toEqual([]);
	});

	test("a secret: split over lines that the format joins → found, on its first line", () => {
		const missed = secrets
			.filter(({ kind, name, value }) => name === undefined && kind !== "netrc" && !/\n|:\/\//.test(value))
			.flatMap(({ kind, value }) => {
				const half = value.length >> 1;
				const [a, b] = [value.slice(0, half), value.slice(half)];
				return [
					`first\nx="${a}\\\n    ${b}"\n`,
					`first\nx = ("${a}"\n     "${b}")\n`,
					`first\nx = '${a}' +\n  '${b}';\n`,
					`first\r\nx = "${a}\\\r\n${b}"\r\n`,
				]
					.filter((content) => describe(Buffer.from(content), finder.matches(Buffer.from(content)))[0]?.line !== 2)
					.map((content) => `${kind}: ${JSON.stringify(content)}`);
			});
		expect(missed).toEqual([]);
	});

	test("a secret: in UTF-16 with and without a mark → found", () => {
		const text = `token = "${secrets[0]?.value}"\r\n`;
		const little = Buffer.from(text, "utf16le");
		expect(holds(little)).toBe(true);
		expect(holds(Buffer.concat([Buffer.from([0xff, 0xfe]), little]))).toBe(true);
		expect(holds(Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(little).swap16()]))).toBe(true);
	});

	test("a secret: among bytes that are no text → found", () => {
		const bytes = Buffer.concat([Buffer.alloc(5_000), Buffer.from(secrets[0]?.value ?? ""), Buffer.alloc(5_000)]);
		expect(holds(bytes)).toBe(true);
	});

	test("a secret: behind the length that a database writes before it → found", () => {
		const missed = secrets
			.filter(({ name, value }) => name === undefined && !/[\n ]|:\/\//.test(value))
			.filter(({ value }) => !holds(Buffer.concat([Buffer.from([0, 0, 0x81, 0x65]), Buffer.from(value), Buffer.alloc(9)])));
		expect(missed.map(({ kind }) => kind)).toEqual([]);
	});

	test("secretlint: what it knows, far inside a long file → found", async () => {
		const [token] = secrets.filter(({ kind }) => kind === "github personal");
		const content = Buffer.from(`${"a line of text\n".repeat(20_000)}x ${token?.value}\n`);
		const offset = content.indexOf(token?.value ?? "");
		const [found] = await secretlintMatches(content, excerptsAround(content.toString("latin1"), [offset], []));
		expect(found?.value).toBe(token?.value);
		expect(finder.inspect(content).excerpts).toEqual([]);
	});

	test("secretlint: a constant that begins like a token of npm → not found", async () => {
		const content = Buffer.from("a npm_install_D_types_Slashnode_6290Ensure b\n");
		expect(await secretlintMatches(content, [{ start: 0, end: content.length }])).toEqual([]);
	});

	test("secretlint: a comment that switches rules off → counts for nothing", async () => {
		const [token] = secrets.filter(({ kind }) => kind === "github personal");
		const content = Buffer.from(`// secretlint-disable\nx ${token?.value}\n`);
		expect(await secretlintMatches(content, [{ start: 0, end: content.length }])).toHaveLength(1);
	});
});

group("no secrets", () => {
	const id = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b";
	const rows: readonly (readonly [string, string])[] = [
		["a placeholder", `token = "${"gh"}p_${"x".repeat(36)}"`],
		["a documented AWS key", `aws_access_key_id = ${"AK"}IAIOSFODNN7EXAMPLE`],
		["a variable", `password: "${"$"}{DB_PASSWORD}"`],
		["a call", "const token = await getToken(user1, session2Id);"],
		["a word", 'secret: "correct-horse-battery"'],
		["an example password", 'password = "changeme123"'],
		["a public key of a curve", `VAPID_KEY = "BDOU99-h67HcA6JeFXHbSNMu7e2yNNu3RzoMj8TM4W88jITfq7ZmPvIM1Iv-4_l2LxQcYwhqby2xGpWwzjfAnG4"`],
		["a test password", 'password: "Test1234!"'],
		["a UUID", 'token: "550e8400-e29b-41d4-a716-446655440000"'],
		["a git id", `commit ${id}`],
		["a hash of a token", `token_hash: "${id}"`],
		["a lock file", `integrity sha512-${Buffer.from(id.repeat(2)).toString("base64")}`],
		["an image", `![](data:image/png;base64,${Buffer.from(id.repeat(40)).toString("base64")})`],
		["an unsigned JWT", `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from('{"sub":"a"}').toString("base64url")}.`],
		[
			"a JWT of a format's documents",
			`${Buffer.from('{"alg":"ES256"}').toString("base64url")}.${Buffer.from('{"sub":"johndoe"}').toString("base64url")}.T_SYLQV3A5_kFDDVNuoadoURSEtuSOR-dG2CMmrP`,
		],
		["a counting API", '"usage": {"prompt_tokens": 1234567890123, "total_tokens": 1234567890456}'],
		[
			"an RSA key of 512 bits",
			`-----BEGIN RSA ${"PRIVATE"} KEY-----\nMIIBOgIBAAJB${"k3vQ9xZr7LmW".repeat(34)}\n-----END RSA ${"PRIVATE"} KEY-----`,
		],
		["a token of counted digits", `slack://${"xoxp"}-1234-1234-1234-4ddbc191d40ee098`],
		["an address with an escaped example", "http://user%40name:p%40ss%3Aword@db.corp.io:80/"],
		["a password of a package's documents", "var password = 'Mai9ohgh6ahxee0jutheew0pungoozil';"],
		["a path", 'token_file = "/run/secrets/app-token-2026.txt"'],
		["a public key", `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${"Jk3v".repeat(10)} a@b`],
		["a certificate", `-----BEGIN CERTIFICATE-----\n${Buffer.from(id.repeat(9)).toString("base64")}\n-----END CERTIFICATE-----`],
		["a key's frame without a key", `-----BEGIN ${"PRIVATE"} KEY-----\n...\n-----END ${"PRIVATE"} KEY-----`],
		["an address without a password", "https://git@example.com/a.git http://localhost:8080/a:b@c"],
		["an example address", "postgres://user:password@localhost:5432/db"],
		["a token of a continued page", `"nextPageToken": "${Buffer.from(id).toString("base64")}"`],
		["a constant in a list", 'names = ["AI_PASSIVE", "AI_V4MAPPED", "TR31_D0_SYMMETRIC_DATA_ENCRYPTION_KEY", "TR31_E0_EMV_MKEY_APP"]'],
		["keys that were hit at hand", "oauth_token=sdf0o9823sjdfsdf&access_token='lsdkfol23w54jlksdef'"],
		["a pattern", "APP_TOKEN = re.compile(r'^[a-z0-9]{80,}==$', re.I)"],
		["a type that ends in Authorization", '"AWS::Config::AggregationAuthorization": "af318b77aaceeeaa"'],
		["a type of a schema", '"AWS::ApiGateway::ApiKey": "48205d4ffd7feba3"'],
		["a public key's token", 'publicKeyToken="1fc8b3b9a1e18e3b"'],
		["a signature of a token", `--token-signature "${Buffer.from(id).toString("base64")}"`],
		["a fingerprint", 'private_key: "E4:1A:48:03:98:EA:22:6A:BD:8B:93:16:0F:2E"'],
		["an address of IPv6", 'access_key = "2001:db8:85a3::8a2e:370:7334"'],
		["a time", 'token: "2019-06-22T03:36:54.583Z"'],
		["a name with a version", 'access_key = "projects/alpha-2/locations/eu-west1/keyRings/ring-7"'],
		["a user and a group", "docker run -u 1000:1000 image; chown --user=app:app2024 f"],
		["a counter with a key", '"cacheKey": "9f86d081884c7d659a2f", "rowKey": "k8sEfW3jP0qLmZ2xC9vB"'],
		["a header without a token", `Authorization: Bearer ${"$"}{TOKEN} and Authorization: Basic <base64>`],
		["text in base64", `password: ${Buffer.from("changeme-please").toString("base64")}`],
		["escaped text", '"caf\\u00e9 \\u0026 token=\\u0022none\\u0022 \\x1b[0m %20%2F"'],
		["code that compares", "if (token.kind === SyntaxKind.Token2 && password.length >= 12) {"],
	];
	test("a published example: one character is another → found", () => {
		expect(holds("var password = 'Mai9ohgh6ahxee0jutheew0pungoozilk';")).toBe(true);
		expect(holds("var password = 'Mai9ohgh6ahxeekjutheew0pungoozil';")).toBe(true);
	});

	test.each(rows)("finder: %s → nothing is found", (_name, content) => {
		expect(finder.matches(Buffer.from(content)).map(({ rule }) => rule)).toEqual([]);
	});

	test.each<readonly [string, string, RegExp, string]>([
		["64 characters", "base64", /(.{64})/g, "$1\n"],
		["76 characters, CR LF", "base64", /(.{76})/g, "$1\r\n"],
		["76 characters, indented", "base64", /(.{76})/g, "  $1\n"],
		["76 characters, in a diff", "base64", /(.{76})/g, "+$1\n"],
		["76 characters, in an address", "base64url", /(.{76})/g, "$1\n"],
		["70 characters, in quotes", "base64", /(.{70})/g, '"$1",\n'],
	])("random bytes in base64: lines of %s → nothing is found", (_name, encoding, line, written) => {
		const found = Array.from({ length: 150 }, (_, number) => {
			const digests = Array.from({ length: 94 }, (_, index) => createHash("sha256").update(`${number} ${index}`).digest());
			return finder.matches(
				Buffer.from(
					Buffer.concat(digests)
						.toString(encoding as BufferEncoding)
						.replace(line, written),
				),
			);
		});
		expect(found.flat().filter(({ rule }) => rule === "assigned-secret")).toEqual([]);
	});

	test("a password below its name, as in a note: each form → found", () => {
		const value = ["Kq7", "xV2mR9tLw4Zp"].join("");
		for (const text of [`Password\n${value}\n`, `db password\n\n${value}\n`, `- password\n  ${value}\n`, `DB_PASSWORD\n${value}\n`])
			expect([text, holds(text)]).toEqual([text, true]);
	});
});

group("own secrets", () => {
	const own = new SecretFinder(
		[{ name: "X", value: 'p"ß/7Kq+w9Z' }].map(({ name, value }) => ({ name, value: Buffer.from(value).toString("latin1") })),
	);
	const isFound = (text: string) =>
		own
			.matches(Buffer.from(text))
			.map(({ rule }) => rule)
			.includes("own:X");

	test("a secret of this machine: as it is, in JSON, in an address, in base64 → found", () => {
		const value = 'p"ß/7Kq+w9Z';
		const base64 = Buffer.from(value).toString("base64");
		const written = [value, JSON.stringify(value), encodeURIComponent(value), `x ${base64} y`, Buffer.from(value).toString("hex")];
		expect(written.map(isFound)).toEqual(written.map(() => true));
		expect(isFound("another text")).toBe(false);
	});

	const token = generatedSecrets(3).find(({ kind }) => kind === "github personal")?.value ?? "";
	const [start, end] = [token.slice(0, 10), token.slice(10)];
	test.each([
		["as it is", token],
		["put together", `x = "${start}" + "${end}"\n`],
		["on two lines", `x = "${start}" +\n  "${end}"\n`],
		["folded", `token: >-\n  ${start}\n  ${end}\n`],
		["escaped", `x = "\\x67${token.slice(1)}"\n`],
		["in an address", `x=%67${token.slice(1)}\n`],
		["in base64", Buffer.from(`token = ${token} of a text`).toString("base64")],
	])("own secret: %s, its other rules allowed → found", (_form, content) => {
		const finder = new SecretFinder([{ name: "X", value: token }]);
		const { matches } = finder.inspect(Buffer.from(content), undefined, ({ rule }) => !rule.startsWith("own:"));
		expect(new Set(matches.map(({ rule }) => rule))).toEqual(new Set(["own:X"]));
	});
});

test("allowed values: more than are compared at once → the next one is still found", () => {
	const token = generatedSecrets(3).find(({ kind }) => kind === "github personal")?.value ?? "";
	const isAllowed = ({ value }: { value: string }) => value.startsWith(`${"gh"}p_A`);
	const allowed = Array.from({ length: 60 }, (_, index) => `${"gh"}p_A${token.slice(5, -2)}${index + 10}`).join("\n");
	const found = finder.inspect(Buffer.from(`${allowed}\n${token.replace("p_A", "p_B")}\n`), 5, isAllowed).matches;
	expect(found.map(({ value }) => value)).toEqual([token.replace("p_A", "p_B")]);
});

test("an allowed value: every kind → no other rule finds it, secretlint's neither", () => {
	const secrets = generatedSecrets(5).map(({ name = "value", value }) => Buffer.from(`${name} = "${value}"\n`));
	const left = secrets.flatMap((content) => {
		const values = new Set(finder.matches(content).map(({ rule, value }) => rule + value));
		const { matches, excerpts } = finder.inspect(content, 5, ({ rule, value }) => values.has(rule + value));
		return [...matches.map(({ rule }) => rule), ...excerpts.map(() => content.toString().slice(0, 40))];
	});
	expect(left).toEqual([]);
});

test("the search: half a MB of literals → ends in linear time, and finds nothing", () => {
	const line = "lorem secret: token = password, api_key (sk- AKIA eyJ :// ghp_ -----BEGIN PRIVATE KEY----- ) ";
	const started = process.cpuUsage();
	expect(finder.matches(Buffer.from(line.repeat(5_000)))).toEqual([]);
	const { user, system } = process.cpuUsage(started);
	expect((user + system) / 1000).toBeLessThan(5_000);
});
