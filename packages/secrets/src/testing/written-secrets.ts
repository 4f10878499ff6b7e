// Random values as people, programs and tools write them down: names × forms × alphabets × lengths. None is written here.
import { createHash } from "node:crypto";
import { seeded } from "./generated-secrets.ts";

const lower = "abcdefghijklmnopqrstuvwxyz";
const upper = lower.toUpperCase();
const digits = "0123456789";

/** Alphabets of generators of passwords and keys. */
export const alphabets = {
	alphanumeric: lower + upper + digits,
	"lower case and digits": lower + digits,
	hexadecimal: `${digits}abcdef`,
	base64: `${lower}${upper}${digits}+/`,
	base64url: `${lower}${upper}${digits}-_`,
	symbols: `${lower}${upper}${digits}!@#%^*-_=+?.`,
} as const;
export type Alphabet = keyof typeof alphabets;

/** Names of variables, keys and options that hold a password. */
export const passwordNames = [
	"password",
	"passwd",
	"PASSWORD",
	"db_password",
	"DB_PASSWORD",
	"dbPassword",
	"DB_PASS",
	"smtpPass",
	"adminPwd",
	"passphrase",
	"REDIS_PASSWORD",
] as const;
/** Names of variables with a token or key. */
export const tokenNames = [
	"token",
	"secret",
	"api_key",
	"apiKey",
	"API_KEY",
	"apikey",
	"api-key",
	"access_token",
	"accessToken",
	"refresh_token",
	"client_secret",
	"clientSecret",
	"SECRET_KEY",
	"secretKey",
	"SESSION_SECRET",
	"WEBHOOK_SECRET",
	"auth_token",
	"AUTH_TOKEN",
	"signing_key",
	"encryption_key",
	"private_token",
	"access_key",
	"MY_SERVICE_TOKEN",
] as const;

/** 32 bytes in base64, like keys of services. */
const keyOf = (value: string) => createHash("sha256").update(value).digest("base64");

type Write = (name: string, value: string) => string;
const json = (value: unknown) => JSON.stringify(value);

/** A value in quotes of the form, or delimited as well. */
export const quotedForms: Readonly<Record<string, Write>> = {
	json: (name, value) => `{\n  "a": 1,\n  ${json(name)}: ${json(value)}\n}\n`,
	"json, one line": (name, value) => `{"a":1,${json(name)}:${json(value)},"b":2}`,
	"json in json": (name, value) => json({ body: json({ [name]: value }) }),
	"yaml, double quotes": (name, value) => `a: b\n${name}: "${value}"\n`,
	"yaml, single quotes": (name, value) => `  - ${name}: '${value}'\n`,
	toml: (name, value) => `[a]\n${name} = "${value}"\n`,
	shell: (name, value) => `export ${name.replaceAll("-", "_")}='${value}'\n`,
	dotenv: (name, value) => `${name.toUpperCase()}="${value}"\n`,
	python: (name, value) => `${name} = "${value}"\n`,
	"python, typed": (name, value) => `${name}: str = '${value}'\n`,
	"python, argument": (name, value) => `connect("db", ${name.replaceAll("-", "_")}="${value}", port=5)\n`,
	"python, environment": (name, value) => `os.environ["${name}"] = "${value}"\n`,
	"python, default": (name, value) => `x = os.getenv("${name}", "${value}")\n`,
	"python, dictionary": (name, value) => `config = {'${name}': '${value}'}\n`,
	javascript: (name, value) => `const ${name.replaceAll("-", "_")} = '${value}';\n`,
	"javascript, template": (name, value) => `const ${name.replaceAll("-", "_")} = \`${value}\`;\n`,
	"javascript, default": (name, value) => `const x = process.env.${name.replaceAll("-", "_")} || "${value}";\n`,
	"javascript, nullish": (name, value) => `const x = process.env.${name.replaceAll("-", "_")} ?? '${value}';\n`,
	"javascript, comparison": (name, value) => `if (${name.replaceAll("-", "_")} === "${value}") {\n`,
	typescript: (name, value) => `private readonly ${name.replaceAll("-", "_")}: string = "${value}";\n`,
	go: (name, value) => `${name} := "${value}"\n`,
	"go, constant": (name, value) => `const ${name} string = "${value}"\n`,
	"go, structure": (name, value) => `Config{Host: "a", ${name}: "${value}"}\n`,
	rust: (name, value) => `const ${name}: &str = "${value}";\n`,
	"rust, raw": (name, value) => `const ${name}: &str = r#"${value}"#;\n`,
	"sql, insert": (name, value) => `INSERT INTO users (id, ${name.replaceAll("-", "_")}, mail) VALUES (1, '${value}', 'a@b.c');\n`,
	"csv in a string": (name, value) => `a,"${name}=""${value}""",b\n`,
	java: (name, value) => `private static final String ${name} = "${value}";\n`,
	"java, setter": (name, value) => `config.set${name[0]!.toUpperCase()}${name.slice(1)}("${value}");\n`,
	"java, property": (name, value) => `props.setProperty("${name}", "${value}");\n`,
	kotlin: (name, value) => `val ${name}: String = "${value}"\n`,
	c: (name, value) => `#define ${name.toUpperCase()} "${value}"\n`,
	"c, array": (name, value) => `static const char ${name}[] = "${value}";\n`,
	"c#": (name, value) => `string ${name} = @"${value}";\n`,
	php: (name, value) => `$${name} = '${value}';\n`,
	"php, array": (name, value) => `'${name}' => '${value}',\n`,
	"php, constant": (name, value) => `define('${name.toUpperCase()}', '${value}');\n`,
	ruby: (name, value) => `  ${name}: "${value}",\n`,
	"ruby, symbol": (name, value) => `:${name} => '${value}'\n`,
	elixir: (name, value) => `config :app, ${name}: "${value}"\n`,
	lua: (name, value) => `local ${name} = "${value}"\n`,
	perl: (name, value) => `my $${name} = '${value}';\n`,
	terraform: (name, value) => `variable "${name}" {\n  default = "${value}"\n}\n`,
	"terraform, argument": (name, value) => `  ${name}      = "${value}"\n`,
	"terraform state": (name, value) => `          "attributes": {\n            "${name}": "${value}",\n            "id": "a"\n`,
	"xml, element": (name, value) => `<config><${name}>${value}</${name}></config>\n`,
	"xml, attribute": (name, value) => `<user name="a" ${name}="${value}"/>\n`,
	"xml, key and value": (name, value) => `<add key="${name}" value="${value}" />\n`,
	"xml, property": (name, value) => `<property name="${name}">${value}</property>\n`,
	"json, name and value": (name, value) => `{"name": "${name}", "value": "${value}"}\n`,
	"kubernetes environment": (name, value) => `        - name: ${name}\n          value: "${value}"\n`,
	sql: (name, value) => `CREATE USER a WITH ${name.toUpperCase()} '${value}';\n`,
	"notes, code": (name, value) => `- the ${name}: \`${value}\`\n`,
	"notes, is": (name, value) => `The ${name} is \`${value}\` for now.\n`,
	"notes, bold": (name, value) => `**${name}**: \`${value}\`\n`,
	"notes, table": (name, value) => `| ${name} | \`${value}\` |\n`,
	log: (name, value) => `2026-02-18T02:00:00Z INFO started ${name}="${value}" in 12 ms\n`,
	notebook: (name, value) => json({ cells: [{ source: ["import os\n", `${name} = "${value}"\n`, "print(1)\n"] }] }),
	option: (name, value) => `tool --${name} '${value}' --verbose\n`,
	"go, joined": (name, value) => `${name} := "${value.slice(0, 5)}" + "${value.slice(5)}"\n`,
	"python, joined in a line": (name, value) => `${name} = "${value.slice(0, 6)}" "${value.slice(6)}"\n`,
	"python, joined over lines": (name, value) => `${name} = (\n    "${value.slice(0, 7)}"\n    "${value.slice(7)}"\n)\n`,
	"javascript, joined over lines": (name, value) =>
		`const ${name.replaceAll("-", "_")} =\n  "${value.slice(0, 7)}" +\n  "${value.slice(7)}";\n`,
	"java, joined, plus first": (name, value) => `String ${name} = "${value.slice(0, 7)}"\n    + "${value.slice(7)}";\n`,
	"php, joined": (name, value) => `$${name} = '${value.slice(0, 7)}' . '${value.slice(7)}';\n`,
	"notebook, joined": (name, value) =>
		json({ cells: [{ source: [`${name} = (\n`, `    "${value.slice(0, 7)}"\n`, `    "${value.slice(7)}")\n`] }] }),
	"notebook, indented": (name, value) =>
		JSON.stringify({ cells: [{ source: [`${name} = ("${value.slice(0, 7)}"\n`, `    "${value.slice(7)}")\n`] }] }, null, 1),
	"escaped as unicode": (name, value) =>
		`{"${name}": "${[...value].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")}"}\n`,
	"escaped as bytes": (name, value) => `${name} = "${[...value].map((c) => `\\x${c.charCodeAt(0).toString(16)}`).join("")}"\n`,
};

/** A value with blanks and separators as its only delimiters. */
export const bareForms: Readonly<Record<string, Write>> = {
	yaml: (name, value) => `a: b\n${name}: ${value}\n`,
	"yaml, folded": (name, value) => `${name}: >-\n  ${value}\nb: c\n`,
	"yaml, folded over lines": (name, value) => `${name}: >-\n  ${value.slice(0, 8)}\n  ${value.slice(8)}\nb: c\n`,
	"yaml, comment": (name, value) => `${name}: ${value} # since May\n`,
	dotenv: (name, value) => `A=1\n${name.toUpperCase()}=${value}\n`,
	shell: (name, value) => `export ${name.replaceAll("-", "_")}=${value}\n`,
	"shell, before a command": (name, value) => `${name.replaceAll("-", "_")}=${value} ./run.sh --fast\n`,
	"shell, continued": (name, value) => `export ${name.replaceAll("-", "_")}=${value.slice(0, 8)}\\\n${value.slice(8)}\n`,
	dockerfile: (name, value) => `ENV ${name} ${value}\n`,
	compose: (name, value) => `    environment:\n      - ${name.toUpperCase()}=${value}\n`,
	"kubernetes environment": (name, value) => `        - name: ${name}\n          value: ${value}\n`,
	ini: (name, value) => `[a]\n${name}=${value}\nb=c\n`,
	"ini, blanks": (name, value) => `[a]\n${name} = ${value}\n`,
	properties: (name, value) => `spring.datasource.${name}=${value}\n`,
	"option, equals": (name, value) => `tool --${name}=${value} --verbose\n`,
	"option, blank": (name, value) => `tool --${name} ${value} --verbose\n`,
	query: (name, value) => `curl "https://api.corp-net.io/v1?${name}=${encodeURIComponent(value)}&page=2"\n`,
	form: (name, value) => `grant_type=x&${name}=${encodeURIComponent(value)}&a=b\n`,
	"json lines of a tool": (name, value) => `${json({ role: "tool", content: `$ env\n${name}=${value}\nA=1\n` })}\n`,
	"html, row": (name, value) => `<tr><th>${name}</th><td>${value}</td></tr>\n`,
	"html, list": (name, value) => `<p><strong>${name}:</strong> <code>${value}</code></p>\n`,
	"a file in base64": (name, value) => `${Buffer.from(`A=1\n${name}=${value}\n`).toString("base64")}\n`,
	"appended in UTF-16": (name, value) =>
		Buffer.concat([Buffer.from("a log\r\n"), Buffer.from(`${name}=${value}\r\n`, "utf16le")]).toString("latin1"),
	header: (name, value) => `curl -H "X-${name}: ${value}" https://corp-net.io\n`,
	"notes, colon": (name, value) => `${name}: ${value}\n`,
	"notes, sentence": (name, value) => `The ${name} is ${value}\n`,
	"notes, bold": (name, value) => `- **${name}:** ${value}\n`,
	"notes, table": (name, value) => `| ${name} | ${value} |\n`,
	"notes, next line": (name, value) => `${name}:\n${value}\n`,
	"xml, element": (name, value) => `<${name}>${value}</${name}>\n`,
	log: (name, value) => `INFO started with ${name}=${value} in 12 ms\n`,
	ado: (name, value) => `Server=db;User Id=app;${name}=${value};Timeout=5\n`,
	jdbc: (name, value) => `jdbc:postgresql://db.corp-net.io/a?user=app&${name}=${encodeURIComponent(value)}\n`,
};

/** A value that its place marks as a secret, without a name. */
export const placedForms: Readonly<Record<string, (value: string) => string>> = {
	"curl -u": (value) => `curl -u deploy:${value} https://api.corp-net.io/\n`,
	"curl -u, quoted": (value) => `curl -fsSL -u 'deploy:${value}' https://api.corp-net.io/\n`,
	"curl --user": (value) => `curl --user "deploy:${value}" https://api.corp-net.io/\n`,
	"curl --user=": (value) => `curl --user=deploy:${value} https://api.corp-net.io/\n`,
	"curl, continued": (value) => `curl https://api.corp-net.io/ \\\n  -u deploy:${value}\n`,
	wget: (value) => `wget --user=a --password=${value} https://corp-net.io/\n`,
	"docker auths": (value) => `{"auths": {"registry.corp-net.io": {"auth": "${Buffer.from(`deploy:${value}`).toString("base64")}"}}}\n`,
	"npmrc _auth": (value) => `//npm.corp-net.io/:_auth=${Buffer.from(`deploy:${value}`).toString("base64")}\n`,
	"npmrc _authToken": (value) => `//npm.corp-net.io/:_authToken=${value}\n`,
	"npmrc _password": (value) => `//npm.corp-net.io/:_password=${Buffer.from(value).toString("base64")}\n`,
	pypirc: (value) => `[pypi]\nusername = deploy\npassword = ${value}\n`,
	"netrc, one line": (value) => `machine git.corp-net.io login deploy password ${value}\n`,
	"netrc, lines": (value) => `machine git.corp-net.io\n  login deploy\n  password ${value}\n`,
	"netrc, default": (value) => `default login deploy password ${value}\n`,
	"netrc, password first": (value) => `machine git.corp-net.io password ${value} login deploy\n`,
	"authorization basic": (value) => `Authorization: Basic ${Buffer.from(`deploy:${value}`).toString("base64")}\n`,
	"authorization basic, json": (value) => `{"headers": {"Authorization": "Basic ${Buffer.from(`deploy:${value}`).toString("base64")}"}}\n`,
	"authorization bearer": (value) => `curl -H 'Authorization: Bearer ${value}' https://corp-net.io\n`,
	"authorization bearer, json": (value) => `{"Authorization":"Bearer ${value}"}\n`,
	"authorization bearer, python": (value) => `headers = {"Authorization": f"Bearer ${value}"}\n`,
	"authorization token": (value) => `headers["Authorization"] = "Token ${value}"\n`,
	"authorization, bare": (value) => `Authorization: ${value}\n`,
	"bearer in notes": (value) => `use Bearer ${value} for it\n`,
	"postgres url": (value) => `postgres://app:${encodeURIComponent(value)}@db.corp-net.io:5432/main\n`,
	"mysql url": (value) => `mysql://app:${encodeURIComponent(value)}@10.0.0.5/main\n`,
	"mongodb+srv url": (value) => `mongodb+srv://app:${encodeURIComponent(value)}@cluster0.ab12c.mongodb.net/?retryWrites=true\n`,
	"redis url": (value) => `redis://:${encodeURIComponent(value)}@cache:6379/0\n`,
	"rediss url": (value) => `rediss://default:${encodeURIComponent(value)}@cache.corp-net.io:6380\n`,
	"amqp url": (value) => `amqp://app:${encodeURIComponent(value)}@mq:5672/%2f\n`,
	"sqlalchemy url": (value) => `create_engine("postgresql+psycopg2://app:${encodeURIComponent(value)}@db/main")\n`,
	"https url": (value) => `git clone https://deploy:${encodeURIComponent(value)}@git.corp-net.io/a.git\n`,
	"https url, token": (value) => `https://${encodeURIComponent(value)}:x-oauth-basic@git.corp-net.io/a.git\n`,
	"smtp url": (value) => `smtp://mailer:${encodeURIComponent(value)}@mail.corp-net.io:587\n`,
	"jdbc, user and password": (value) => `jdbc:mysql://db/main?user=app&password=${encodeURIComponent(value)}\n`,
	"jdbc oracle": (value) => `jdbc:oracle:thin:app/${encodeURIComponent(value)}@db.corp-net.io:1521/x\n`,
	"psql keywords": (value) => `psql "host=db user=app password=${value} dbname=main"\n`,
	"ado password": (value) => `Server=tcp:db;Database=a;Uid=app;Pwd=${value};Encrypt=yes\n`,
	"account key": (value) => `AccountName=a;AccountKey=${createHash("sha512").update(value).digest("base64")};EndpointSuffix=x\n`,
	"shared access signature": (value) => `https://a.blob.core.windows.net/c?sv=2022-11-02&sp=r&sig=${encodeURIComponent(keyOf(value))}\n`,
	pgpass: (value) => `db.corp-net.io:5432:main:app:${value}\n`,
	"mysql -p": (value) => `mysql -u app -p'${value}' main\n`,
	"mysql -p, bare": (value) => `mysqldump -h db -uapp -p${value} main\n`,
	sshpass: (value) => `sshpass -p '${value}' ssh a@b\n`,
	"sshpass, bare": (value) => `sshpass -p ${value} ssh a@b\n`,
	"docker login": (value) => `docker login -u deploy -p ${value} registry.corp-net.io\n`,
	"redis-cli -a": (value) => `redis-cli -h cache -a ${value} ping\n`,
	requirepass: (value) => `requirepass ${value}\n`,
	"identified by": (value) => `ALTER USER app IDENTIFIED BY '${value}';\n`,
	"openssl pass": (value) => `openssl enc -aes-256-cbc -pass pass:${value} -in a\n`,
	wireguard: (value) => `[Interface]\nPrivateKey = ${keyOf(value)}\nAddress = 10.0.0.1\n`,
	"kubernetes secret": (value) => `kind: Secret\ndata:\n  password: ${Buffer.from(value).toString("base64")}\n`,
	"laravel key": (value) => `APP_KEY=base64:${keyOf(value)}\n`,
};

/** Forms of tokens, which are longer than passwords. */
const tokenForms = /bearer|token|authorization, bare/;

/** A content with one random value, and its ingredients. */
export interface RecallRow {
	readonly kind: string;
	readonly form: string;
	readonly alphabet: Alphabet;
	readonly length: number;
	readonly content: string;
}

/** Lengths that generators use. */
export const lengths = [12, 16, 20, 24, 32, 40, 64] as const;

/** Every form with every alphabet and length, with names of each kind in turn. @param seed other values and names for another */
export function writtenSecrets(seed: number): RecallRow[] {
	const random = seeded(seed);
	const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
	const make = (alphabet: Alphabet, length: number): string => {
		const letters = alphabets[alphabet];
		for (;;) {
			const value = Array.from({ length }, () => letters[Math.floor(random() * letters.length)]).join("");
			// Generators with symbols begin and end with a letter or digit here: the text around a value begins and ends with symbols as well.
			if (/^[A-Za-z0-9].*[A-Za-z0-9]$/.test(value) && /\d/.test(value) && /[a-z]/i.test(value)) return value;
		}
	};
	const rows: RecallRow[] = [];
	for (const alphabet of Object.keys(alphabets) as Alphabet[])
		for (const length of lengths) {
			const named = { quoted: quotedForms, bare: bareForms };
			for (const [kind, forms] of Object.entries(named))
				for (const [form, write] of Object.entries(forms))
					for (const names of [passwordNames, tokenNames]) {
						if (names === tokenNames && length < 16) continue;
						rows.push({
							kind: `${names === passwordNames ? "password" : "token"}, ${kind}`,
							form,
							alphabet,
							length,
							content: write(pick<string>(names), make(alphabet, length)),
						});
					}
			for (const [form, write] of Object.entries(placedForms))
				if (length >= 16 || (alphabet !== "hexadecimal" && !tokenForms.test(form)))
					rows.push({ kind: "by its place", form, alphabet, length, content: write(make(alphabet, length)) });
		}
	return rows;
}
