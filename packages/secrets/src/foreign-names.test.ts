import { createHash } from "node:crypto";
import { expect, test } from "@jest/globals";
import { SecretFinder } from "./finder.ts";
import { generatedSecrets } from "./testing/generated-secrets.ts";

const finder = new SecretFinder();
const rulesIn = (content: string | Buffer) => finder.matches(Buffer.from(content)).map(({ rule }) => rule);
const secrets = generatedSecrets(11);
const secretOf = (kind: string) => secrets.find((secret) => secret.kind === kind)?.value ?? "";
const hub = secretOf("github personal");
const aws = secretOf("aws secret key");
/** Look generated, and are no tokens of any service. */
const drawn = "kR7vQ2xWm9TzB4nLp8Hd";
const short = "xK9#mQ2vL7pR";
/** Characters of a hash, made of nothing secret. */
const hashed = (count: number) => createHash("sha512").update(`n${count}`).digest("base64").replaceAll(/[+=]/g, ".").slice(0, count);

const names = ["Passwort", "contraseña", "CONTRASEÑA", "mot de passe", "Mot de passe", "senha", "hasło", "wachtwoord", "lösenord", "clave"];
const others = ["пароль", "Пароль", "ПАРОЛЬ", "密码", "パスワード", "비밀번호", "סיסמה", "κωδικός", "şifre", "токен", "clave_api"];

test.each([...names, ...others])("name in another language: %s, in notes, code, JSON → found", (name) => {
	const written = [
		`${name}: ${drawn}\n`,
		`- **${name}**: ${drawn}\n`,
		`${name} = "${short}"\n`,
		`{"a": 1, "${name}": "${drawn}"}\n`,
		`${name}：${drawn}\n`,
		`${name}\u00a0: ${drawn}\n`,
		`| ${name} | ${drawn} |\n`,
	];
	expect(written.filter((content) => rulesIn(content).length === 0)).toEqual([]);
});

test.each<[string, string]>([
	["a zero-width space in a token", `a ${hub.slice(0, 10)}\u200b${hub.slice(10)}\n`],
	["one in its prefix", `a ${hub.slice(0, 2)}\u200b${hub.slice(2)}\n`],
	["joiners between all characters", `${[...hub].join("\u200d")}\n`],
	["a soft hyphen in a token", `${hub.slice(0, 14)}\u00ad${hub.slice(14)}\n`],
	["a byte order mark in a token", `a\n${hub.slice(0, 14)}\ufeff${hub.slice(14)}\n`],
	["a word joiner before a value", `password=\u2060${drawn}\n`],
	["a zero-width space in a name", `pass\u200bword=${drawn}\n`],
	["a no-break space before a value", `password:\u00a0${drawn}\n`],
	["a wide colon", `password：${drawn}\n`],
])("invisible characters: %s → found", (_what, content) => {
	expect(rulesIn(content)).not.toEqual([]);
});

test.each<[string, string]>([
	["MD5 of Apache", `alice:$apr1$Zk3hQ9rX$${hashed(22)}\n`],
	["bcrypt", `bob:$2y$10$${hashed(53)}\n`],
	["SHA-1", `# users\ncarol:{SHA}${hashed(27)}=\n`],
	["yescrypt, in shadow", `root:$y$j9T$F5Jx5fExrKuPp53xLKQ..1$${hashed(43)}:19700:0:99999:7:::\n`],
	["SHA-512 with rounds, in shadow", `daemon:*:1:::\ndeploy:$6$rounds=5000$usesomesillystri$${hashed(86)}:19700:0:99999:7:::\n`],
	["in a string of YAML", `users:\n  - "admin:$apr1$Zk3hQ9rX$${hashed(22)}"\n`],
])("password hash: %s → found", (_what, content) => {
	expect(rulesIn(content)).toEqual(["password-hash"]);
});

test.each<[string, string]>([
	["an output", `{"outputs": {"db_password": {\n  "value": "${drawn}",\n  "type": "string", "sensitive": true}}}\n`],
	["an attribute", `{"attributes": {"username": "admin", "password": "${short}", "port": 5432}}\n`],
	["a random password", `{"type": "random_password", "name": "p", "instances": [{"attributes": {"length": 16, "result": "${short}"}}]}\n`],
])("state of Terraform: %s → found", (_what, content) => {
	expect(rulesIn(content)).not.toEqual([]);
});

test.each<[string, string]>([
	["a variable and its sign", `aws_secret_access_key =\n  ${aws}\n`],
	["a variable alone", `aws_secret_access_key\n${aws}\n`],
	["words of a console, an empty line", `Secret access key\n\n${aws}\n`],
	["a heading", `## Token\n${drawn}${drawn.slice(0, 9)}\n`],
])("value in the next line: %s → found", (_what, content) => {
	expect(rulesIn(content)).not.toEqual([]);
});

test.each<[string, string]>([
	["names without values", "Passwort: erforderlich\ncontraseña: obligatoria\nпароль: обязательно\n密码：必填项目\n"],
	["translations of an interface", `{"password": "Mot de passe", "senha": "Digite sua senha", "clave": "Introduzca-su-clave-1"}\n`],
	["words in place of values", `mdp = get_password()\nsenha = os.environ["SENHA"]\nparola: $PAROLA_2024\nclave: primary_key_column\n`],
	["a hash in code", `expect(hash).toBe("$2y$10$${hashed(53)}");\n`],
	["a hash of one character", `alice:$apr1$Zk3hQ9rX$${"a".repeat(22)}\n`],
	["texts with invisible characters", "foo\u200bbar\u00adbaz: کتاب\u200cخانه\u00a0: une phrase\u00a0: deux-mots\n"],
	["headings and their texts", "## Token\n\nauthentication-token-of-the-service\n\nPassword\ncorrect-horse-battery-staple\n"],
])("no secret: %s → nothing", (_what, content) => {
	expect(rulesIn(content)).toEqual([]);
});
