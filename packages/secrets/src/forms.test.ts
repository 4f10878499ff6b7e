import { createHash } from "node:crypto";
import { expect, test } from "@jest/globals";
import { SecretFinder } from "./finder.ts";
import { keyTextRules } from "./key-texts.ts";
import { objectRules } from "./objects.ts";
import { placedRules } from "./placed.ts";
import { rules } from "./rules.ts";
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

/** Looks generated, but is no token of any service. */
const drawn = "kR7vQ2xWm9TzB4nLp8Hd";
const obfuscated = (text: string) =>
	`OBF:${[...text]
		.map((c, at) =>
			[127 + c.charCodeAt(0) + text.charCodeAt(text.length - 1 - at), 127 + c.charCodeAt(0) - text.charCodeAt(text.length - 1 - at)]
				.map((part, high) => (high === 0 ? part * 256 : part))
				.reduce((a, b) => a + b)
				.toString(36)
				.padStart(4, "0"),
		)
		.join("")}`;
const image = "iVBORw0KGgoAAAANSUhEUgAAAAUAQVNaAAAFCAYAAACNbyblAAAAHElEQVQI12P4BxRw09";
const utf32 = (text: string) =>
	Buffer.concat([...text].map((character) => Buffer.from([character.charCodeAt(0), character.charCodeAt(0) >> 8, 0, 0])));
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
	["a token of any prefix in base64", base64(`a: ${secretOf("digitalocean")}`)],
	["the same at another place of three bytes", base64(`ab: ${secretOf("linear")}`)],
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
	["a token in UTF-32", utf32(`\ufefftoken=${secretOf("generic token")}\n`)],
	["a token in UTF-32, high byte first", utf32(`\ufefftoken=${secretOf("generic token")}\n`).swap32()],
	["a token behind a checksum", `${"3fa9c1b27d5e".repeat(5)}\n${hub}\n`],
	["a token behind a long path", `cp /home/Anna/Projects2024/Backups/keys/prodEast/${hub} /mnt\n`],
	["a password in a column of a CSV", `user,password,mail\nanna,${drawn},a@b.c\n`],
	["a key in a column of a CSV, quoted", `"name";"api_key"\r\n"prod; eu";"${drawn}"\r\n`],
	["a token in a column of a note's table", `# a\n\n| host | API token |\n| --- | --- |\n| a | ${drawn} |\n`],
	["the same without outer bars, quoted", `> host | password\n> --- | ---\n> a | ${drawn}\n`],
	["the same in Org", `| host | password |\n|------+----------|\n| a | ${drawn} |\n`],
	["the same in reStructuredText", `+---+---+\n| a | password |\n+===+===+\n| b | c |\n+---+---+\n| d | ${drawn} |\n+---+---+\n`],
	["the same as a database prints it", `select 1;\n host | password \n------+----------\n a    | ${drawn}\n(1 row)\n`],
	["the same in AsciiDoc", `.Hosts\n|===\n|host |API token\n\n|a |x\n|b |${drawn}\n|===\n`],
	[
		"the same in HTML",
		`<tr><th>a</th><th><b>password</b></th></tr>\n<tr><td>b</td><td>c</td></tr>\n<tr><td>d</td>\n<td>${drawn}</td></tr>`,
	],
	["a column of a CSV with bars, behind a comment", `# accesses\nhost|password\na|${drawn}\n`],
	["the first column of a CSV with a mark", `\ufeffpassword,mail\n${drawn},a@b.c\n`],
	["a column behind one with quotes within", `sep=,\n"name","password"\n"a ""b"", c","${drawn}"\n`],
	["a random value in a secret of Kubernetes", `kind: Secret\nmetadata:\n  name: x\ndata:\n  stripe: ${base64(drawn)}\n`],
	["the same in JSON", JSON.stringify({ apiVersion: "v1", kind: "Secret", data: { stripe: base64(drawn) } }, null, 2)],
	["a private key in wrapped base64", `key: |\n${base64(rsa).replaceAll(/(.{76})/g, "  $1\n")}\n`],
	["a session in a header", `Cookie: theme=dark; sessionid=${drawn}; a=b\n`],
	["a session that a server sets", `set-cookie: __Host-sid=${drawn}; Secure; HttpOnly\n`],
	["a session of a command", `curl https://corp-net.io -b 'JSESSIONID=${drawn}'\n`],
	["a session in a file of cookies", `.corp-net.io\tTRUE\t/\tFALSE\t1790000000\tsessionid\t${drawn}\n`],
	["a token in long brackets of Lua", `return { token = [[${drawn}]] }\n`],
	["a token in a long string of TOML", `token = """\n${drawn}"""\n`],
	["the default of a variable of Terraform", `variable "api_key" {\n  type    = string\n  default = "${drawn}"\n}\n`],
	["a token in a property list", `<key>APIToken</key>\n<string>${drawn}</string>\n`],
	["a pair of name and value", `{"key":"token","value":"${drawn}"}`],
	["a token of fish", `set -gx API_TOKEN ${drawn}\n`],
	["a password of PowerShell", `ConvertTo-SecureString "${drawn}" -AsPlainText -Force\n`],
	["a token of a registry that is a UUID", "//npm.corp-net.io/:_authToken=3f9c52d1-7b0e-4c8a-9e61-d27ab84f5c03\n"],
	["the key of a network", `network={\n  ssid="home"\n  psk="${drawn}"\n}\n`],
	["a session in the cookies of a HAR", JSON.stringify({ log: { entries: [{ request: { cookies: [{ name: "sid", value: drawn }] } }] } })],
	["the same in a saved state of a browser", JSON.stringify({ cookies: [{ name: "a" }, { name: "session", value: drawn }] }, null, 2)],
	["the same in an export of an extension", JSON.stringify([{ domain: "a.io", httpOnly: true, name: "auth_token", value: drawn }])],
	["a JSON Web Key", JSON.stringify({ kty: "EC", crv: "P-256", x: `${drawn}a`, d: `${drawn}Zx7` })],
	["the same, in alphabetical order", JSON.stringify({ crv: "P-256", d: `${drawn}Zx7`, kty: "EC", x: `${drawn}a` })],
	["the same in a string", JSON.stringify({ key: JSON.stringify({ kty: "oct", k: `${drawn}Zx7` }) })],
	["a key of PuTTY in JSON", JSON.stringify({ a: `Private-Lines: 1\r\n${drawn.repeat(3)}\r\nPrivate-MAC: 1` })],
	["a static key of a VPN", `<tls-auth>\n-----BEGIN OpenVPN Static key V1-----\n${"3fa9c1b27d5e84a06b17\n".repeat(12)}-----END`],
	["a private key in an attribute", `<a key="${rsa.replaceAll("\n", "&#10;")}"/>\n`],
	["a token in HTML in JSON", JSON.stringify({ html: `<input name="api_key" value="${drawn}">`.replaceAll('"', "&quot;") })],
	["a token as the user of an address", `git clone https://${drawn}@git.corp-net.io/a.git\n`],
	["a configuration in a secret of Kubernetes", `kind: Secret\ndata:\n  a.ini: ${base64(`[x]\nhost = a\npassword = ${drawn}\n`)}\n`],
	["a hexadecimal key in a secret of Kubernetes", `kind: Secret\ndata:\n  api_key: ${base64("3fa9c1b27d5e84a06b17")}\n`],
	["a password of symbols on a line of its own", "A=1\nexport DB_PASSWORD=(kR7$vQ2&xWm9{Tz;B4|nLp\n"],
	["a key of symbols", "SECRET_KEY = '$kr7(vq2&xw%m9t^z=b4nl)p8hd_x3c'\n"],
	["the password of a mail account", "SMTP_PASS=qzvkwmxrtbhpjfgd\n"],
	["a password without digits", "DB_PASSWORD=kRvQxWmTzBnLpHdXw\n"],
	["a password for an application", "SMTP_PASSWORD: qzvk wmxr tbhp jfgd\n"],
	["a token that is a UUID", `${"HEROKU"}_API_KEY=3f9c52d1-7b0e-4c8a-9e61-d27ab84f5c03\n`],
	["the same in words", "- Railway API token: `3f9c52d1-7b0e-4c8a-9e61-d27ab84f5c03`\n"],
	["the same in SQL", "INSERT INTO settings (a, consul_token) VALUES ('x', '3f9c52d1-7b0e-4c8a-9e61-d27ab84f5c03');\n"],
	["a key in base64 that begins like a path", `signing_key = "/${drawn}${drawn}c="\n`],
	["a token behind a zero", `ACCESS_TOKEN="0.${drawn}${drawn}:${drawn}"\n`],
	["the token of a hypervisor", "Authorization: PVEAPIToken=root@pam!ci=3f9c52d1-7b0e-4c8a-9e61-d27ab84f5c03\n"],
	["a value that Jetty obfuscated", `keyStorePassword=${obfuscated(drawn)}\n`],
	["a password called PASS", `PASS: ${drawn}\nUSER: anna\n`],
	["a header with another scheme", `Authorization: GenieKey ${drawn}\n`],
	["a plain value in a secret of Kubernetes", `kind: Secret\nmetadata:\n  name: x\nstringData:\n  a: ${drawn}\n`],
	["the same on one line of JSON", JSON.stringify({ kind: "Secret", stringData: { a: drawn } })],
	["a sensitive output of Terraform", JSON.stringify({ outputs: { db: { value: drawn, type: "string", sensitive: true } } }, null, 2)],
	["the same as a command prints it", JSON.stringify({ db: { sensitive: true, type: "string", value: drawn } }, null, 2)],
	["a secret variable of Postman", JSON.stringify({ values: [{ key: "db", value: drawn, type: "secret" }] })],
	["a value before its name", JSON.stringify({ value: drawn, name: "DB_PASSWORD" }, null, 2)],
	["the same in YAML", `- value: ${drawn}\n  name: DB_PASSWORD\n`],
	["a key that seals", `unseal_key = '${base64(drawn + drawn)}'\n`],
	["a key of an administrator, hexadecimal", 'const searchAdminKey = "3fa9c1b27d5e84a06b173fa9c1b27d5e";\n'],
	["a value behind an anchor", `db_password: &pw ${drawn}\n`],
	["a value behind a tag", `db_password: !!str "${drawn}"\n`],
	["a list of YAML", `passwords:\n  - none\n  - ${drawn}\n`],
	["a list of JSON", JSON.stringify({ api_tokens: ["none", `${drawn}${drawn}`] })],
	["a variable of make", `DEPLOY_TOKEN ?= ${drawn}\n`],
	["the same, appended", `DEPLOY_TOKEN += ${drawn}\n`],
	["a string in a template", `const a = \`\${"${hub.slice(0, 15)}"}${hub.slice(15)}\`;\n`],
	["a list that is joined", `const a = ["${hub.slice(0, 15)}", "${hub.slice(15)}"].join("");\n`],
	["the same in Python", `a = "".join(["${hub.slice(0, 15)}", "${hub.slice(15)}"])\n`],
	["a value in a colour of a terminal", `\x1b[32mapi_token\x1b[0m=\x1b[33m${drawn}\x1b[0m\n`],
	["the password of a mail program", `host smtp.corp-net.io\nuser anna@corp-net.io\npassword ${drawn}\n`],
	["the password of a dialled connection", `anna * "${drawn}" *\n`],
	["the password of a file transfer program", `<User>a</User><Pass encoding="base64">${base64(drawn)}</Pass>\n`],
	["credentials as an argument", `requests.get("https://corp-net.io", auth=("anna", "${drawn}"))\n`],
	["the arguments of a connection", `mysqli_connect("db", "app", "${drawn}", "shop");\n`],
	["a filled field of a form", `<form><input name="pw" value="${drawn}" type="password"></form>\n`],
	["a header that a server adds", `proxy_set_header X-Api-Key ${drawn};\n`],
	["a private key without its frame", `KEY=${rsa.replaceAll(/-----[^-]+-----|\s/g, "")}\n`],
	["the same over lines", `${rsa.replaceAll(/-----[^-]+-----/g, "")}\n`],
	["a key of a cluster", `[client.admin]\n\tkey = AQ${`${drawn}${drawn}`.slice(0, 36)}==\n`],
	["a password for something", `The password for staging is ${drawn}\n`],
	["a password that is new", `The admin password is now \`${drawn}\`.\n`],
	["a password that was changed", `Changed the root password to ${drawn} today.\n`],
	["a password to use", JSON.stringify({ role: "user", content: `use password ${drawn} to log in` })],
	["a password behind an arrow", `- password \u2192 ${drawn}\n`],
	["a password behind a dash", `- Password - ${drawn}\n`],
	["a password behind a blank", `pwd ${drawn}\n`],
	["a login", `Login: anna / ${drawn}\n`],
	["a token that was set", `I set the API token to ${drawn}${drawn}.\n`],
	["a key in a fence", `The API key:\n\n\`\`\`\n${drawn}${drawn}\n\`\`\`\n`],
	["a key of something, indented", `New API key for Mistral:\n\n    ${drawn}${drawn}\n`],
	["the address of a chat's hook", "curl https://chat.corp-net.io/hooks/x3kqz7mwp9bj4rtn8hdvc5gf2y\n"],
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

test("objects, tables, frames without end: 100 kB of each → ends in linear time", () => {
	const started = process.cpuUsage();
	const parts = [
		"httponly",
		'kty":"EC","d":"',
		"<tr><th>password</th>",
		'"cookies":[{"name":"sid","value":"',
		"OpenVPN Static key V1-----",
		"INSERT INTO x (password,",
		"|===\n|host |token\n",
		"A\0",
		"https://abcdefghijklmnopqrstu",
	];
	for (const part of parts) finder.matches(Buffer.from(part.repeat(100_000 / part.length)));
	const { user, system } = process.cpuUsage(started);
	expect((user + system) / 1000).toBeLessThan(6_000);
});

test("lines of allowed values: of each rule → not found", () => {
	const ids = [...rules, ...placedRules, ...keyTextRules, ...objectRules].map(({ id }) => id);
	const lines = ids.map((id, index) => {
		const hash = createHash("sha256").update(`${id}${index}`).digest("hex");
		return `notes/example.md\t${id}\t${hash.slice(0, 24)}.${createHash("sha256").update(hash).digest("hex")}\n`;
	});
	expect(finder.matches(Buffer.from(lines.join("")))).toEqual([]);
	expect(finder.matches(Buffer.from("a\tnpm-token-2\tv2.kR7vQ2xWm9TzB4nLp8HdZx\n"))).toEqual([]);
});

const drawnUuid = "3f9c52d1-7b0e-4c8a-9e61-d27ab84f5c03";
const drawnHex = createHash("sha1").update(drawn).digest("hex");
test.each([
	["a UUID of a variable", `AZURE_CLIENT_SECRET=${drawnUuid}\n`],
	["a UUID in JSON", `{"client_secret": "${drawnUuid}"}`],
	["a UUID in code", `const clientSecret = '${drawnUuid}';`],
	["a UUID in a column", `name,client_secret\nanna,${drawnUuid}\n`],
	["a UUID in an address", `https://corp-net.io/token?client_secret=${drawnUuid}`],
	["hexadecimal in a sentence", `The token is ${drawnHex}.\nall is well\n`],
	["a list of tokens in JSON", `{"tokens": ["${drawn}${drawn}", "x"]}`],
	["a list of tokens in YAML", `tokens:\n  - ${drawn}${drawn}\n`],
	["a list of tokens in code", `TOKENS = [\n    "${drawn}${drawn}",\n]\n`],
	["a list of keys", `api_keys:\n  - ${drawnHex}\n`],
	["a variable with its type in words", `Dim password As String = "${drawn}"\n`],
	["a password that was reset", `Your password has been reset to ${drawn}.\n`],
])("the name of nothing but secrets: %s → found", (_name, content) => {
	expect(isFound(content)).toBe(true);
});

test.each([
	["the same words in a column", "user,password,mail\nanna,see-the-safe,a@b.c\nbert,change me,b@b.c\n"],
	["a column beside it in HTML", `<tr><th>id</th><th>password</th></tr><tr><td>${drawn}</td><td>none</td></tr></table>${drawn}`],
	["text behind a table of AsciiDoc", `|===\n|a |password\n\n|b |none\n|===\n\n|b |${drawn}\n`],
	["a column of counts", "token,count\nthe,31244\nof,2211\n"],
	["settings of a Kubernetes document that is no secret", `kind: ConfigMap\ndata:\n  stripe: ${base64(drawn)}\n`],
	["the checksum of a Kubernetes secret", `kind: Secret\nmetadata:\n  annotations:\n    a: ${"3fa9c1b27d5e".repeat(4)}\ndata: {}\n`],
	["an image of a notebook in base64", `{"image/png": "${`${image}\\n`.repeat(3)}BSA${drawn}Kx7Qb\\n${image}"}`],
	["the same over lines of a message", `${`${image}\n`.repeat(3)}BSA${drawn}Kx7Qb\n${image}\n`],
	["the same behind a sign of base64", `{"image/png": "${image}\\n${image.slice(0, 30)}/BSA${drawn}Kx7Qb"}`],
	["the name of a model", "now you can use the 16,000 token `gpt-3.5-turbo-16k`\ntoken: claude-3-5-sonnet-20241022\n"],
	["the address of a torrent", `token = "magnet:?xt=urn:btih:${"3fa9c1b27d5e84a06b17".repeat(2)}"\n`],
	["a UUID made by hand", 'ACCESS_KEY: "8312341g-5678-abcd-4a2b2c-33bcsd655"\n'],
	["an example that counts twice", 'signingKey = "1A2B3C4D5E6F7G8H"\n'],
	["a word in base64", `password_in: ${base64("mpass")}\n`],
	["a UUID of no service", "PROJECT_TOKEN=3f9c52d1-7b0e-4c8a-9e61-d27ab84f5c03\n"],
	["words of four letters", "password: this must have been\npassword: then just read more\n"],
	["where a program reports errors", "dsn: https://3fa9c1b27d5e84a06b173fa9c1b27d5e@o123.ingest.sentry.io/4501\n"],
	["a template", `password: "$${"{env:DB_PASS_1}"}"\ntoken: "{{secrets.X9}}"\napi_key = "%(API_KEY_2)s"\n`],
	["a line of code", "token=tokens[i]&0xff|mask;\nsecret=items.map(x=>x.id)\n"],
	["a cookie that lets nobody in, in a list", JSON.stringify({ cookies: [{ name: "_ga", value: drawn, httpOnly: true }] })],
	["a public JSON Web Key", JSON.stringify({ kty: "EC", crv: "P-256", x: `${drawn}a`, y: `${drawn}b` })],
	["the address of a meeting", `[call](https://zoom.us/j/916508932?pwd=${drawn})\n`],
	["the key with which a page searches", `docsearch({\n  appId: "A",\n  apiKey: "50fe39c839958dfad797000f33e2ec17",\n})\n`],
	["the token of a form in a saved page", `<input type="hidden" name="authenticity_token" value="${drawn}">\n`],
	["a cookie that lets nobody in", `Cookie: theme=dark; _ga=GA1.2.${drawn}\n`],
	["plain values of a Kubernetes document that is no secret", `kind: ConfigMap\nstringData:\n  a: ${drawn}\n`],
	["an output that is not sensitive", JSON.stringify({ a: { value: drawn, sensitive: false }, b: { sensitive: true } }, null, 2)],
	["a signed header", `Authorization: Digest username="a", response="${"3fa9c1b27d5e".repeat(3)}"\n`],
	["lists of words", "passwords:\n  - see-the-safe\n  - changeme\ntokens: ['the', 'of']\n"],
	["a field of a form without a value", `<input type="password" name="a"><p title="${drawn}">\n`],
	["a comment that looks like a dialled connection", ' * "kubernetes-secret" *\n a * "b" * c\n'],
	["text that begins like a wallet's key", `Kw${"3fa9c1b27d5e84a6b17".repeat(2)}${drawn.slice(0, 12)}\n`],
	[
		"a checksum in a sentence",
		`the secret in commit ${"3fa9c1b27d5e84a06b17".repeat(2)} and the token is ${"3fa9c1b27d5e84a6".repeat(2)}\n`,
	],
	[
		"words in a sentence",
		"the password for the database of staging is somewhere-in-the-safe2024, use token handleTokenRefreshV2Callback\n",
	],
	["a login without a password", "Login: anna / see-the-safe-2024\n"],
	["words as long as the password of a mail account", "MAIL_PASSWORD=somethingsecrets\nSMTP_PASSWORD=thisisnotwritten\n"],
	["a name in code", "password: handleUserInputChange, passphrase = getUserDefinedPassphrase;\n"],
	["results of tests", "PASS: ld-i386/iamcu-1\nPASS: ld-i386/iamcu-2\nFAIL: ld-x86/pr24151a-x32\n"],
	["constants of C", "it is not sufficient to pass `SSL_OP_NO_TLSv1`, one has to pass\n`SSL_OP_NO_TLSv1|SSL_OP_NO_SSLv3`.\n"],
	["the result of a call with a secret", `* - sign('', 'test_secret') => '${"f7f9bd47fb98".repeat(4)}a7'\n`],
	["the token of a badge", `<img src="https://badges.corp-net.io/js/rating/x.svg?token=${drawn}${drawn}">\n`],
	["the token of a page, in words", `    Next page token: ${drawn}\n`],
	["credentials that are cut off", `[("Authorization", "Basic ${base64("test:te")}60")]\n`],
	["words that Jetty obfuscated", "keyStorePassword=OBF:1vny1zlo1x8e1vnw1vn61x8g1zlu1vn4\n"],
	["a word written with digits", "http_proxy=http://john.doe:p4ssw0rd@127.0.0.1:8180\n"],
	["a file in a command of robust-sync", "robust-sync --allow-secret w/s3cfg0/.s3cfg, robust-sync --allow-secret k8sdataok/17.yaml\n"],
	["the hash of a password of MariaDB", `GRANT ALL ON a.* TO b IDENTIFIED BY PASSWORD '*${drawnHex.toUpperCase()}'\n`],
	[
		"the hash of a password of PostgreSQL",
		`CREATE USER a PASSWORD 'md5${drawnHex.slice(0, 32)}';\npassword: SCRAM-SHA-256$4096:${base64(drawn)}\n`,
	],
	["the hash of a password of LDAP", `userPassword: {SSHA}${base64(`${drawn}abcd`)}\n`],
	["bytes that count", `secret=0x${Array.from({ length: 32 }, (_, byte) => byte.toString(16).padStart(2, "0")).join("")}\n`],
	["names of drivers", "| key id | driver |\n|---|---|\n| 1 | dvb-usb-vp702x |\npassword: dvb-usb-rtl28xxu\ntoken: dvb-usb-nova-t-usb2\n"],
	["the fingerprint of a key for signatures", `Loaded X.509 cert 'Fedora kernel signing key: ${drawnHex}'\n`],
	["letters typed at random", 'secret: "skjghskdjfhbqigohqdiouk"\n'],
	["lists of parts of a text", 'tokens: ["transformer-xl-wt103", "##ing", "2024"]\nkeys: ["0a1b2c", "user_id"]\n'],
	["a cookie of an example", "Set-Cookie: sessionid=38afes7a8; HttpOnly; Path=/\n"],
])("no secret: %s → not found", (_name, content) => {
	expect(isFound(content)).toBe(false);
});
