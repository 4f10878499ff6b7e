import { alternatives, type NamedRule } from "./rule.ts";
import { looksDrawn, looksThoughtOut } from "./values.ts";

// Names of passwords, keys and tokens in other languages than English. Contents are searched byte by byte: one character for each byte of UTF-8.

const bytesOf = (text: string) => Buffer.from(text).toString("latin1");

/** Written with letters of ASCII; capitals are found as well. */
const plainNames = [
	...["contrasena", "clave", "secreto", "mot de passe", "mot_de_passe", "motdepasse", "mdp", "senha", "palavra-passe", "chave", "segredo"],
	...["haslo", "parola", "parolachiave", "wachtwoord", "losenord", "adgangskode", "passord", "salasana", "sifre", "heslo", "jelszo"],
	...["geheimnis", "zugangsdaten", "zugangscode", "schluessel"],
];
/** With other letters. Capitals of these are in no range of their own: each spelling counts. */
const otherNames = [
	...[
		"contraseña",
		"hasło",
		"lösenord",
		"løsenord",
		"şifre",
		"jelszó",
		"schlüssel",
		"clé secrète",
		"clé api",
		"clé d'api",
		"пароль",
		"токен",
		"секрет",
		"ключ",
	],
	...[
		"κωδικός",
		"лозинка",
		"гасло",
		"סיסמה",
		"كلمة المرور",
		"گذرواژه",
		"密码",
		"密碼",
		"口令",
		"密钥",
		"密鑰",
		"令牌",
		"パスワード",
		"暗証番号",
		"비밀번호",
		"암호",
	],
	...["mật khẩu", "รหัสผ่าน", "पासवर्ड"],
].flatMap((name) => [...new Set([name, `${name[0]?.toUpperCase()}${name.slice(1)}`, name.toUpperCase()])]);

const blank = String.raw`(?:\xc2\xa0|[ \t])`;
const quote = String.raw`\\{0,7}["'\`]`;
/** `:`, `=`, `=>`, `|`; the wide ones of East Asian texts. */
const sign = String.raw`(?:=>|:=|->|[:=|]|\xef\xbc[\x9a\x9d])`;

function ruleFor(names: readonly string[], anyCase: boolean): NamedRule {
	const longestFirst = names.toSorted((a, b) => b.length - a.length);
	const pattern = String.raw`(?:${alternatives(longestFirst)})s?(?:[_. -]{1,2}[^\s"'\`:=<>|\\]{1,24}){0,2}(?:${quote})?[\])}*_]{0,3}(?:${quote})?${blank}{0,8}${sign}\*{0,2}(?:${blank}|\r?\n){0,16}(?<quote>${quote})?(?<value>[^\s"'\`\\<>]{8,200})`;
	return {
		id: "assigned-secret",
		literals: names,
		anyCase,
		pattern: new RegExp(pattern, anyCase ? "iy" : "y"),
		acceptsNamed: (match) => {
			const value = (match.groups?.value ?? "").replace(/[.:!?*_,;)\]}]+$/, "");
			return looksDrawn(value, value.length < 12 ? 18 : 14) || (match.groups?.quote !== undefined && looksThoughtOut(value));
		},
	};
}

export const foreignRules: readonly NamedRule[] = [ruleFor(plainNames, true), ruleFor(otherNames.map(bytesOf), false)];
