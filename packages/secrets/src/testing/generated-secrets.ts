// Generated secrets of every kind: none is in a source, so that no scanner of a git host refuses this repository.

const lower = "abcdefghijklmnopqrstuvwxyz";
const upper = lower.toUpperCase();
const digits = "0123456789";
const alphanumeric = lower + upper + digits;
const hex = `${digits}abcdef`;
const url = `${alphanumeric}_-`;

/** A generator of numbers that gives the same ones for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}

type Random = () => number;
const text = (random: Random, alphabet: string, length: number) =>
	Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join("");
/** A text with letters of both cases and digits, like generated keys of some length. */
function mixed(random: Random, alphabet: string, length: number): string {
	for (;;) {
		const made = text(random, alphabet, length);
		if (/[a-z]/.test(made) && /[A-Z]/.test(made) && /\d.*\d/.test(made) && /^[A-Za-z0-9]/.test(made) && /[A-Za-z0-9]$/.test(made))
			return made;
	}
}

const base64url = (value: string) => Buffer.from(value).toString("base64url");
const uuid = (random: Random) => [8, 4, 4, 4, 12].map((length) => text(random, hex, length)).join("-");
function pem(random: Random, label: string, start: string, length: number): string {
	const body = start + text(random, `${alphanumeric}+/`, length - start.length);
	return `-----BEGIN ${label}-----\n${body.replaceAll(/.{64}/g, "$&\n").trim()}\n-----END ${label}-----`;
}

const plain: readonly (readonly [kind: string, parts: readonly string[], alphabet: string, length: number, rest?: string])[] = [
	["anthropic", ["sk-", "ant-", "api03-"], url, 93, "AA"],
	["anthropic admin", ["sk-", "ant-", "admin01-"], url, 93, "AA"],
	["anthropic oauth", ["sk-", "ant-", "oat01-"], url, 90],
	["openai project", ["sk-", "proj-"], url, 120],
	["openai service account", ["sk-", "svcacct-"], url, 120],
	["openai classic", ["sk-"], alphanumeric, 48],
	["openrouter", ["sk-", "or-", "v1-"], hex, 64],
	["deepseek", ["sk-"], hex, 32],
	["hugging face", ["hf", "_"], lower + upper, 34],
	["groq", ["gsk", "_"], alphanumeric, 52],
	["replicate", ["r8", "_"], alphanumeric, 37],
	["perplexity", ["pplx", "-"], alphanumeric, 48],
	["xai", ["xai", "-"], alphanumeric, 80],
	["tavily", ["tvly", "-"], alphanumeric, 32],
	["firecrawl", ["fc", "-"], hex, 32],
	["e2b", ["e2b", "_"], hex, 40],
	["elevenlabs", ["sk", "_"], hex, 48],
	["brave", ["BS", "A"], url, 27],
	["notion", ["secret", "_"], alphanumeric, 43],
	["aiven", ["AVN", "S_"], url, 18],
	["browserbase", ["bb_", "live_"], url, 27],
	["cursor", ["key", "_"], hex, 64],
	["xata", ["xau", "_"], alphanumeric, 33],
	["yandex oauth", ["y0", "_"], url, 55],
	["intra42", ["s-s4", "t2ud-"], hex, 64],
	["lob", ["live", "_"], hex, 35],
	["mandrill", ["md", "-"], url, 22],
	["rootly", ["root", "ly_"], hex, 64],
	["dropbox short-lived", ["sl", ".B"], url, 134],
	["okta", ["SSWS ", "00"], url, 40],
	["nats", ["SU", "A"], "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 55],
	["signify", ["RWRC", "SwAA"], alphanumeric, 130],
	["google api", ["AI", "za"], url, 35],
	["google oauth client", ["GOC", "SPX-"], url, 28],
	["google access token", ["ya", "29."], url, 120],
	["aws access key", ["AK", "IA"], `${upper}234567`, 16],
	["aws temporary key", ["AS", "IA"], `${upper}234567`, 16],
	["github personal", ["gh", "p_"], alphanumeric, 36],
	["github oauth", ["gh", "o_"], alphanumeric, 36],
	["github server", ["gh", "s_"], alphanumeric, 36],
	["github fine-grained", ["github", "_pat_"], alphanumeric, 22, `_`],
	["gitlab personal", ["gl", "pat-"], alphanumeric, 20],
	["gitlab runner", ["gl", "rt-"], alphanumeric, 20],
	["bitbucket", ["AT", "BB"], alphanumeric, 32],
	["atlassian", ["ATATT3", "xFfG", "F0"], url, 180],
	["npm", ["np", "m_"], alphanumeric, 36],
	["pypi", ["pypi-", "AgEIcHlwaS5vcmc"], url, 120],
	["rubygems", ["ruby", "gems_"], hex, 48],
	["crates", ["ci", "o"], alphanumeric, 32],
	["docker", ["dckr", "_pat_"], url, 27],
	["slack bot", ["xo", "xb-"], digits, 12, "-"],
	["stripe live", ["sk", "_live_"], alphanumeric, 24],
	["stripe restricted", ["rk", "_live_"], alphanumeric, 24],
	["stripe webhook", ["wh", "sec_"], alphanumeric, 32],
	["square", ["sq0", "atp-"], alphanumeric, 22],
	["shopify", ["shp", "at_"], hex, 32],
	["mailgun", ["ke", "y-"], hex, 32],
	["twilio", ["S", "K"], hex, 32],
	["digitalocean", ["dop", "_v1_"], hex, 64],
	["fly.io", ["fo", "1_"], url, 43],
	["heroku", ["HR", "KU-"], url, 60],
	["vercel", ["vc", "p_"], alphanumeric, 56],
	["netlify", ["nf", "p_"], alphanumeric, 40],
	["render", ["rn", "d_"], alphanumeric, 32],
	["supabase", ["sb", "p_"], hex, 40],
	["planetscale", ["pscale", "_tkn_"], alphanumeric, 43],
	["databricks", ["da", "pi"], hex, 32],
	["vault", ["hv", "s."], url, 95],
	["pulumi", ["pu", "l-"], hex, 40],
	["doppler", ["dp.", "pt."], alphanumeric, 43],
	["age", ["AGE-", "SECRET-", "KEY-1"], "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58],
	["grafana", ["gl", "sa_"], alphanumeric, 32, "_"],
	["new relic", ["NR", "AK-"], `${upper}${digits}`, 27],
	["sentry", ["sntr", "yu_"], hex, 64],
	["linear", ["lin", "_api_"], alphanumeric, 40],
	["figma", ["fig", "d_"], url, 43],
	["contentful", ["CF", "PAT-"], url, 43],
	["sonar", ["sq", "u_"], hex, 40],
	["typeform", ["tf", "p_"], alphanumeric, 44],
	["tailscale", ["ts", "key-", "auth-"], alphanumeric, 12, "-"],
	["artifactory", ["AK", "Cp"], alphanumeric, 70],
	["nvidia", ["nv", "api-"], url, 64],
	["cerebras", ["cs", "k-"], `${lower}${digits}`, 48],
	["together", ["tgp", "_v1_"], url, 43],
	["llamaindex", ["ll", "x-"], alphanumeric, 48],
	["runpod", ["rp", "a_"], `${upper}${digits}`, 44],
	["modal", ["a", "k-"], alphanumeric, 22],
	["apify", ["apify", "_api_"], alphanumeric, 36],
	["voyage", ["p", "a-"], url, 43],
	["alibaba", ["LT", "AI"], alphanumeric, 20],
	["tencent", ["AK", "ID"], alphanumeric, 32],
	["yandex", ["AQ", "VN"], alphanumeric, 36],
	["openshift", ["sha", "256~"], url, 43],
	["deno deploy", ["dd", "p_"], alphanumeric, 36],
	["neon", ["na", "pi_"], `${lower}${digits}`, 64],
	["gitlab runner registration", ["GR", "1348941"], url, 20],
	["sourcegraph", ["sg", "p_"], hex, 40],
	["nuget", ["oy", "2"], `${lower}${digits}`, 43],
	["clojars", ["CLO", "JARS_"], `${lower}${digits}`, 60],
	["prefect", ["pn", "u_"], alphanumeric, 36],
	["readme", ["rd", "me_"], `${lower}${digits}`, 70],
	["infracost", ["ic", "o-"], alphanumeric, 32],
	["posthog", ["ph", "x_"], alphanumeric, 43],
	["honeycomb", ["hc", "aik_"], `${lower}${digits}`, 58],
	["razorpay", ["rzp", "_live_"], alphanumeric, 14],
	["flutterwave", ["FLW", "SECK-"], `${lower}${digits}`, 32, "-X"],
	["shippo", ["shippo", "_live_"], hex, 40],
	["easypost", ["EZ", "AK"], alphanumeric, 54],
	["duffel", ["duffel", "_live_"], url, 43],
	["polar", ["polar", "_oat_"], url, 43],
	["mailersend", ["ml", "sn."], hex, 64],
	["adafruit", ["ai", "o_"], alphanumeric, 28],
	["adobe", ["p8", "e-"], url, 32],
	["dropbox", ["s", "l.u."], url, 140],
	["azure devops", [], alphanumeric, 52, "JQQJ99"],
];

/** The rest of a secret after the parts in the table, for kinds with two random parts. */
const tails: Readonly<Record<string, (random: Random) => string>> = {
	"github fine-grained": (random) => mixed(random, alphanumeric, 59),
	"slack bot": (random) => `${text(random, digits, 13)}-${mixed(random, alphanumeric, 24)}`,
	grafana: (random) => text(random, hex, 8),
	"azure devops": (random) => mixed(random, alphanumeric, 26),
	tailscale: (random) => mixed(random, alphanumeric, 32),
};

/** A secret of one kind; it may have several lines. */
export interface GeneratedSecret {
	readonly kind: string;
	readonly value: string;
	/** It is a secret only with a name beside it. */
	readonly name?: string;
}

/** One secret of each kind. @param seed another seed gives other secrets */
export function generatedSecrets(seed: number): GeneratedSecret[] {
	const random = seeded(seed);
	const simple = plain.map(([kind, parts, alphabet, length, rest = ""]): GeneratedSecret => {
		const isMixed = /[a-z]/.test(alphabet) && /[A-Z]/.test(alphabet) && /\d/.test(alphabet);
		const body = isMixed ? mixed(random, alphabet, length) : text(random, alphabet, length);
		return { kind, value: `${parts.join("")}${body}${rest}${tails[kind]?.(random) ?? ""}` };
	});
	const bot = base64url(text(random, "123456789", 18));
	const header = base64url(JSON.stringify({ alg: "HS256", typ: "JWT" }));
	const claims = base64url(JSON.stringify({ sub: text(random, lower, 9), iat: 1_700_000_000 + Math.floor(random() * 1e7) }));
	return [
		...simple,
		{ kind: "hubspot", value: `${"pat-"}na1-${uuid(random)}` },
		{ kind: "asana", value: `${"1/"}12${text(random, digits, 14)}:${text(random, hex, 32)}` },
		{ kind: "bitwarden", value: `bws 0.${uuid(random)}.${text(random, alphanumeric, 30)}:${text(random, alphanumeric, 22)}==` },
		{ kind: "ghost", value: `ghost ${text(random, hex, 24)}:${text(random, hex, 64)}` },
		{ kind: "mailgun sending", value: `mailgun ${text(random, hex, 32)}-${text(random, hex, 8)}-${text(random, hex, 8)}` },
		{ kind: "telnyx", value: `${"KEY"}0${text(random, hex, 31).toUpperCase()}_${mixed(random, alphanumeric, 22)}` },
		{ kind: "wakatime", value: `${"wa"}ka_${uuid(random)}` },
		{ kind: "azure openai", value: `${mixed(random, alphanumeric, 52)}${"JQQ"}J99BD${mixed(random, alphanumeric, 24)}` },
		{
			kind: "jfrog reference",
			value: Buffer.from(`${"ref"}tkn:01:17${text(random, digits, 8)}:${mixed(random, alphanumeric, 28)}`).toString("base64"),
		},
		{ kind: "convex", value: `${"pro"}d:happy-otter-123|${text(random, alphanumeric, 80)}` },
		{ kind: "zoho", value: `${"10"}00.${text(random, hex, 32)}.${text(random, hex, 32)}` },
		{ kind: "snyk", value: `${"snyk"}_uat.${text(random, hex, 8)}.${mixed(random, alphanumeric, 80)}` },
		{ kind: "launchdarkly", value: `${"sd"}k-${uuid(random)}` },
		{ kind: "feishu webhook", value: `https://open.feishu.cn/${"open-apis"}/bot/v2/hook/${uuid(random)}` },
		{ kind: "curl", value: `curl -u deploy:${mixed(random, alphanumeric, 16)} https://api.corp-net.io` },
		{
			kind: "docker registry",
			value: `{"auths":{"r.corp-net.io":{"auth":"${Buffer.from(`a:${mixed(random, alphanumeric, 16)}`).toString("base64")}"}}}`,
		},
		{ kind: "basic header", value: `Authorization: Basic ${Buffer.from(`a:${mixed(random, alphanumeric, 16)}`).toString("base64")}` },
		{ kind: "telegram", value: `${text(random, "123456789", 10)}:AA${mixed(random, url, 33)}` },
		{ kind: "discord bot", value: `${bot}.${mixed(random, alphanumeric, 6)}.${mixed(random, alphanumeric, 38)}` },
		{
			kind: "discord webhook",
			value: `https://discord.com/api/webhooks/${text(random, "123456789", 18)}/${mixed(random, alphanumeric, 68)}`,
		},
		{
			kind: "slack webhook",
			value: `https://hooks.slack.com/${"services"}/T${text(random, upper, 9)}/B${text(random, upper, 9)}/${mixed(random, alphanumeric, 24)}`,
		},
		{ kind: "sendgrid", value: `${"SG"}.${mixed(random, alphanumeric, 22)}.${mixed(random, alphanumeric, 43)}` },
		{ kind: "jwt", value: `${header}.${claims}.${mixed(random, alphanumeric, 43)}` },
		{ kind: "basic-auth url", value: `https://deploy:${mixed(random, alphanumeric, 16)}@git.intern.corp-net.io/a.git` },
		{ kind: "database url", value: `postgresql://app:${mixed(random, alphanumeric, 18)}@db.corp-net.io:5432/main` },
		{ kind: "one-time password", value: `otpauth://totp/helios?secret=${text(random, `${upper}234567`, 32)}&issuer=a` },
		{ kind: "netrc", value: `machine git.corp login deploy password ${mixed(random, alphanumeric, 20)}` },
		{ kind: "azure storage", value: `AccountName=store;${"Account"}Key=${text(random, `${alphanumeric}+/`, 86)}==` },
		{ kind: "mailchimp", value: `${text(random, hex, 32)}-us12` },
		{ kind: "rsa key", value: pem(random, `RSA ${"PRIVATE"} KEY`, "MIIEpAIBAAKCAQEA", 1_592) },
		{ kind: "pkcs8 key", value: pem(random, `${"PRIVATE"} KEY`, "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQ", 1_624) },
		{ kind: "ed25519 key", value: pem(random, `${"PRIVATE"} KEY`, "MC4CAQAwBQYDK2VwBCIEI", 64) },
		{ kind: "ec key", value: pem(random, `EC ${"PRIVATE"} KEY`, "MHcCAQEEI", 164) },
		{ kind: "openssh key", value: pem(random, `OPENSSH ${"PRIVATE"} KEY`, "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ", 400) },
		{ kind: "pgp key", value: pem(random, `PGP ${"PRIVATE"} KEY BLOCK`, "lQOYBF", 900) },
		{ kind: "aws secret key", name: "aws_secret_access_key", value: mixed(random, alphanumeric, 40) },
		{ kind: "password", name: "password", value: `${mixed(random, alphanumeric, 15)}!` },
		{ kind: "generic token", name: "service_token", value: mixed(random, alphanumeric, 32) },
		{ kind: "generic secret", name: "client_secret", value: text(random, hex, 40) },
		{ kind: "generic api key", name: "api_key", value: mixed(random, alphanumeric, 24) },
	];
}

const quoted = (value: string) => JSON.stringify(value);
const indented = (value: string, by: string) => value.split("\n").join(`\n${by}`);

/** Formats into which a secret is written. */
export const formats: Readonly<Record<string, (name: string, value: string) => string>> = {
	json: (name, value) => `{\n  "other": [1, 2],\n  ${quoted(name)}: ${quoted(value)}\n}\n`,
	"json in json": (name, value) => quoted(JSON.stringify({ note: `see below\n${name}: "${value}"`, [name]: value })),
	yaml: (name, value) =>
		value.includes("\n") ? `a: b\n${name}: |\n  ${indented(value, "  ")}\nc: d\n` : `a: b\n${name}: ${quoted(value)}\nc: d\n`,
	toml: (name, value) => (value.includes("\n") ? `[a]\n${name} = """\n${value}\n"""\n` : `[a]\n${name} = ${quoted(value)}\n`),
	notes: (name, value) => `# Monday\n\n- the ${name}: \`${value}\`\n- bread\n`,
	code: (name, value) => `const ${name} = ${quoted(value)};\nuse(${name});\n`,
	shell: (name, value) => `#!/bin/sh\nexport ${name.toUpperCase()}="${value}"\n`,
	log: (name, value) => `2026-02-18T02:00:00Z INFO [worker-3] started with ${name}="${value}" in 12 ms\n`,
	notebook: (name, value) =>
		quoted({ cells: [{ source: [`${name} = (\n`, ...`"${value}"`.split("\n").map((line) => `${line}\n`)] }] } as never),
	crlf: (name, value) => `a\r\n${name} = "${value.replaceAll("\n", "\r\n")}"\r\nb\r\n`,
};
