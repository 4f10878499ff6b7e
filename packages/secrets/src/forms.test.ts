import { expect, test } from "@jest/globals";
import { SecretFinder } from "./finder.ts";
import { generatedSecrets } from "./testing/generated-secrets.ts";
import { writtenSecrets } from "./testing/written-secrets.ts";

const finder = new SecretFinder();
const isFound = (content: string | Buffer) => finder.matches(Buffer.from(content), 1).length > 0;
const secrets = generatedSecrets(7);
const secretOf = (kind: string) => secrets.find((secret) => secret.kind === kind)?.value ?? "";
const base64 = (text: string) => Buffer.from(text).toString("base64");

test("random values: every form, alphabet, length → 98 in 100 are found", () => {
	const counts = new Map<string, { all: number; found: number }>();
	for (const { kind, content } of writtenSecrets(2).filter((_, index) => index % 10 === 0)) {
		const hit = isFound(content) ? 1 : 0;
		for (const key of ["", kind]) {
			const count = counts.get(key) ?? { all: 0, found: 0 };
			counts.set(key, { all: count.all + 1, found: count.found + hit });
		}
	}
	expect(counts.size).toBe(6);
	for (const [kind, { all, found }] of counts) expect([kind, found / all >= (kind === "" ? 0.98 : 0.96)]).toEqual([kind, true]);
});

const rsa = secretOf("rsa key");
const hub = secretOf("github personal");
const escaped = (text: string, write: (code: string) => string) =>
	[...text].map((c) => write(c.charCodeAt(0).toString(16).padStart(2, "0"))).join("");

test.each<[string, string | Buffer]>([
	[
		"a service account of Google",
		JSON.stringify({ type: "service_account", private_key_id: "a1", private_key: `${rsa}\n`, client_email: "a@b.io" }, null, 2),
	],
	["a kubeconfig with a key", `users:\n- name: a\n  user:\n    client-key-data: ${base64(rsa)}\n`],
	["a secret of Kubernetes with an address", `kind: Secret\ndata:\n  DATABASE_URL: ${base64(secretOf("database url"))}\n`],
	["a secret of Kubernetes with a token", `kind: Secret\ndata:\n  x: ${base64(`note ${hub}`)}\n`],
	["a token in base64, two bytes in", base64(`a:${hub}`)],
	["a private key, indented in YAML", `tls:\n  key: |\n${rsa.replaceAll(/^/gm, "      ")}\n`],
	["a private key in .env", `KEY="${rsa.replaceAll("\n", "\\n")}"\n`],
	["a token whose letters are escaped for JSON", `{"a": "${escaped(hub, (code) => `\\u00${code}`)}"}`],
	["a token whose first letters are escaped for JSON", `{"a": "${escaped(hub.slice(0, 2), (code) => `\\u00${code}`)}${hub.slice(2)}"}`],
	["a token whose letters are escaped for an address", `https://corp-net.io/?a=${escaped(hub, (code) => `%${code}`)}&b=1`],
	["a token whose letters are escaped for C", `char *a = "${escaped(hub, (code) => `\\x${code}`)}";`],
	["a token whose letters are escaped for HTML", `<p>${escaped(hub, (code) => `&#x${code};`)}</p>`],
	["a token in a folded block of YAML", `a:\n  b: >-\n    ${hub.slice(0, 17)}\n    ${hub.slice(17)}\n  c: d\n`],
	["a token that is put together in one line", `const a = "${hub.slice(0, 9)}" + "${hub.slice(9)}";`],
	[
		"credentials of AWS in a file",
		`[default]\naws_access_key_id = ${secretOf("aws access key")}\naws_session_token = ${secretOf("aws secret key").repeat(9)}\n`,
	],
	["a token in UTF-16", Buffer.from(`\ufeffpassword=${secretOf("generic token")}\r\n`, "utf16le")],
])("%s → found", (_name, content) => {
	expect(isFound(content)).toBe(true);
});

test("this machine's own secret: in base64 behind other text, or escaped → found", () => {
	const own = new SecretFinder([{ name: "X", value: "p7-Zk.w2Lxq" }]);
	const found = [base64("user:p7-Zk.w2Lxq"), base64("a:p7-Zk.w2Lxq"), escaped("p7-Zk.w2Lxq", (code) => `%${code}`)].map(
		(text) => own.matches(Buffer.from(`x ${text} y`))[0]?.rule,
	);
	expect(found).toEqual(["own:X", "own:X", "own:X"]);
});

test("escapes and base64 without end: 150 kB of each → ends in linear time", () => {
	const started = process.cpuUsage();
	const parts = [
		"\\u0070\\u0061",
		"%70%61%73",
		"c2Vj",
		'"a" + ',
		"password: >-\n  abcd\n",
		"-u a:",
		'token = ("',
		'\\\\\\\\"',
		"pass = = ",
		"LS0tLS1QUklWQVRFIEtFWQ",
	];
	for (const part of parts) finder.matches(Buffer.from(part.repeat(150_000 / part.length)));
	const { user, system } = process.cpuUsage(started);
	expect((user + system) / 1000).toBeLessThan(5_000);
});
