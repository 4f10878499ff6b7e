import { isToyKey } from "./published.ts";
import { characterClasses, entropy, isPatterned, isPlaceholder, uuid } from "./randomness.ts";
import { hasVariety, prefixed, type Rule } from "./rule.ts";
import { serviceRules } from "./service-rules.ts";
import { looksDrawn, looksThoughtOut } from "./values.ts";

const isJson = (part: string): Record<string, unknown> | null => {
	try {
		const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
		return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
	} catch {
		return null;
	}
};

const isSignedJwt = (value: string): boolean => {
	const [header = "", payload = "", signature = ""] = value.split(".");
	const algorithm = isJson(header)?.alg;
	if (typeof algorithm !== "string" || algorithm.toLowerCase() === "none" || isPlaceholder(signature)) return false;
	const claims = Buffer.from(payload, "base64url").toString("utf8");
	// The token that every page about the format shows.
	return !/1234567890|"john[ _.-]?doe|example\.(?:com|org|net)|"(?:foo|bar|test|joe|payload)"/i.test(claims);
};

/**
 * Between the characters of a key in base64, anything that a format puts there: line breaks, indents, quotes, escapes, commas. The plus sign is
 * here only: a character in two alternatives of a repetition takes exponential time.
 */
const between = String.raw`(?:\\{1,8}[nrt"']|[\s"'\`,+.>#*|]|-(?!-{3,4} ?BEGIN)|\\\r?\n)`;
const isKeyMaterial = (value: string): boolean => {
	const body = value.replaceAll(/\\+[nrt]/g, "\n");
	const [first = ""] = /[A-Za-z0-9+/]{40,}/.exec(body.slice(0, 400)) ?? [];
	const whole = body.replaceAll(/[^A-Za-z0-9+/=]/g, "");
	// An RSA key begins with its length; a shorter one is the beginning of an example.
	return (
		first !== "" &&
		whole.length >= (first.startsWith("MII") ? 200 : 60) &&
		!isPatterned(first) &&
		entropy(whole.slice(0, 256)) > 3.6 &&
		!/example|x{6}/i.test(whole)
	);
};

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Base64 of three digits each: a Discord token begins with the id of its bot. */
const discordStarts = ["M", "N", "O"].flatMap((first) => ["D", "T", "j", "z"].map((second) => first + second));

/** Our own table. It repeats rules of secretlint whose form is certain, so that a file needs no second search. */
export const rules: readonly Rule[] = [
	...serviceRules,
	prefixed("anthropic-key", ["sk-ant-"], "(?:api|admin|oat|sid)\\d{2}-[A-Za-z0-9_-]{32,200}"),
	prefixed("openai-key", ["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"], "[A-Za-z0-9_-]{32,220}", hasVariety),
	{
		id: "openai-key",
		literals: ["sk-"],
		pattern: /sk-[A-Za-z0-9]{48}(?![A-Za-z0-9_-])/y,
		notAfter: /[A-Za-z0-9_-]/,
		accepts: (v) => characterClasses(v.slice(3)) >= 3 || looksDrawn(v.slice(3), 40),
	},
	{
		id: "openai-key",
		literals: ["T3BlbkFJ"],
		back: /sk-[A-Za-z0-9_-]{16,90}$/,
		pattern: /sk-[A-Za-z0-9_-]{16,90}T3BlbkFJ[A-Za-z0-9_-]{16,90}/y,
	},
	{ id: "deepseek-key", literals: ["sk-"], pattern: /sk-[a-f0-9]{32}(?![A-Za-z0-9_-])/y, notAfter: /[A-Za-z0-9_-]/ },
	prefixed("openrouter-key", ["sk-or-v1-", "sk-or-"], "[a-f0-9]{40,64}(?![A-Za-z0-9])"),
	prefixed("langfuse-key", ["sk-lf-"], uuid),
	prefixed("langchain-key", ["lsv2_pt_", "lsv2_sk_"], "[a-f0-9]{32}_[a-f0-9]{10}"),
	prefixed("huggingface-token", ["hf_", "api_org_"], "[A-Za-z]{34}(?![A-Za-z0-9])", (v) => characterClasses(v.slice(3)) >= 2),
	prefixed("groq-key", ["gsk_"], "[A-Za-z0-9]{48,56}(?![A-Za-z0-9])", hasVariety),
	prefixed("replicate-token", ["r8_"], "[A-Za-z0-9]{36,40}(?![A-Za-z0-9])", hasVariety),
	prefixed("perplexity-key", ["pplx-"], "[A-Za-z0-9]{40,56}(?![A-Za-z0-9])", hasVariety),
	prefixed("xai-key", ["xai-"], "[A-Za-z0-9]{70,90}(?![A-Za-z0-9])", hasVariety),
	prefixed("fireworks-key", ["fw_"], "[A-Za-z0-9]{24}(?![A-Za-z0-9])", (v) => characterClasses(v.slice(3)) >= 3),
	prefixed("tavily-key", ["tvly-"], "(?:dev-|prod-)?[A-Za-z0-9]{24,40}(?![A-Za-z0-9])", hasVariety),
	prefixed("firecrawl-key", ["fc-"], "[a-f0-9]{32}(?![A-Za-z0-9])"),
	prefixed("exa-e2b-key", ["e2b_"], "[a-f0-9]{40}(?![A-Za-z0-9])"),
	prefixed("elevenlabs-key", ["sk_"], "[a-f0-9]{48}(?![A-Za-z0-9])"),
	prefixed("pinecone-key", ["pcsk_"], "[A-Za-z0-9]{5,8}_[A-Za-z0-9]{50,70}", hasVariety),
	prefixed("brave-key", ["BSA"], "[A-Za-z0-9_-]{24,30}(?![A-Za-z0-9_-])", (v) => characterClasses(v.replaceAll(/[_-]/g, "").slice(3)) >= 3),
	prefixed("google-api-key", ["AIza"], "[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])", hasVariety),
	prefixed("google-oauth-secret", ["GOCSPX-"], "[A-Za-z0-9_-]{28}(?![A-Za-z0-9_-])"),
	prefixed("google-oauth-token", ["ya29."], "[A-Za-z0-9_-]{40,400}", hasVariety),
	prefixed("google-refresh-token", ["1//0"], "[A-Za-z0-9_-]{60,120}", (v) => characterClasses(v) >= 4),
	prefixed(
		"aws-access-key",
		["AKIA", "ASIA", "ABIA", "ACCA"],
		"[A-Z2-7]{16}(?![A-Za-z0-9])",
		(v) => entropy(v) > 2.8 && !/EXAMPLE/.test(v),
	),
	prefixed("aws-bedrock-key", ["ABSK"], "[A-Za-z0-9+/]{109,269}={0,2}", hasVariety),
	{
		id: "aws-secret-key",
		literals: ["secret_access_key", "secretaccesskey", "aws_secret_key", "secret-access-key"],
		anyCase: true,
		notAfter: null,
		pattern:
			/[A-Za-z_-]{10,20}\\{0,3}["']?\s{0,4}(?::=|=>|[:=,])\s{0,4}(?:\((?:\\{1,4}n\\{0,3}["'],\s{0,8}\\{0,3}["'])?\s{0,8})?\\{0,3}["']?(?<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])/iy,
		accepts: (value) => characterClasses(value) >= 3 && !/EXAMPLE/.test(value) && entropy(value) > 3.8,
	},
	prefixed("github-token", ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], "[A-Za-z0-9]{36,251}(?![A-Za-z0-9])", hasVariety),
	prefixed("github-token", ["github_pat_"], "[A-Za-z0-9]{20,24}_[A-Za-z0-9]{50,70}", hasVariety),
	prefixed(
		"gitlab-token",
		["glpat-", "gldt-", "glptt-", "glrt-", "glcbt-", "glsoat-", "glagent-", "glft-", "glimt-", "gloas-"],
		"[A-Za-z0-9_.-]{20,160}",
		hasVariety,
	),
	prefixed("bitbucket-token", ["ATBB", "ATCTT3xFfG"], "[A-Za-z0-9_=-]{28,220}", (v) => characterClasses(v) >= 3),
	prefixed("atlassian-token", ["ATATT3xFfG"], "[A-Za-z0-9_=-]{80,220}"),
	prefixed("npm-token", ["npm_"], "[A-Za-z0-9]{36}(?![A-Za-z0-9_])", (v) => characterClasses(v.slice(4)) >= 3),
	prefixed("pypi-token", ["pypi-AgEIcHlwaS5vcmc", "pypi-AgENdGVzdC5weXBpLm9yZw"], "[A-Za-z0-9_-]{50,400}"),
	prefixed("rubygems-token", ["rubygems_"], "[a-f0-9]{48}(?![A-Za-z0-9])"),
	prefixed("crates-token", ["cio"], "[A-Za-z0-9]{32}(?![A-Za-z0-9])", (v) => characterClasses(v.slice(3)) >= 3 && entropy(v) > 4),
	prefixed("docker-token", ["dckr_pat_", "dckr_oat_"], "[A-Za-z0-9_-]{27,40}", hasVariety),
	prefixed(
		"slack-token",
		["xoxb-", "xoxp-", "xoxa-", "xoxo-", "xoxr-", "xoxs-", "xoxe-", "xoxe.xox", "xapp-", "xoxc-", "xoxd-"],
		"[A-Za-z0-9%.-]{20,400}",
		(v) => /-\d{9,}|^xox[de]/.test(v) && hasVariety(v) && /[A-Za-z0-9]{15}/.test(v),
	),
	{
		id: "slack-webhook",
		literals: ["hooks.slack.com/"],
		notAfter: null,
		pattern:
			/hooks\.slack\.com\/(?:services|workflows|triggers)\/(?<value>[TE][A-Z0-9]{7,12}\/(?:B[A-Z0-9]{7,12}|[A-Za-z0-9]{10,22})\/[A-Za-z0-9]{16,40})(?![A-Za-z0-9])/y,
		accepts: (v) => /\/[B0-9]/.test(v),
	},
	{
		id: "discord-webhook",
		literals: ["/api/webhooks/"],
		notAfter: null,
		pattern: /\/api\/webhooks\/\d{17,20}\/(?<value>[A-Za-z0-9_-]{60,80})/y,
	},
	{
		id: "teams-webhook",
		literals: [".webhook.office.com/"],
		notAfter: null,
		pattern: /\.webhook\.office\.com\/webhookb2\/[\w-]{36}@[\w-]{36}\/IncomingWebhook\/(?<value>[a-f0-9]{32}\/[\w-]{36})/y,
	},
	{
		id: "discord-token",
		literals: discordStarts,
		next: "AEIMQUYcgk",
		pattern: /[MNO][DTjz][AEIMQUYcgk][wxyz0-5][A-Za-z0-9_-]{18,26}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}(?![A-Za-z0-9_-])/y,
		notAfter: /[A-Za-z0-9_.+/-]/,
		accepts: (value) => /^\d{15,21}$/.test(Buffer.from(value.split(".")[0] ?? "", "base64url").toString("latin1")),
	},
	{
		id: "telegram-token",
		literals: [":AA", "%3AAA"],
		back: /\d{8,10}$/,
		notAfter: /[A-Za-z0-9_]/,
		pattern: /(?:bot)?\d{8,10}(?::|%3A)AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])/y,
	},
	prefixed("stripe-key", ["sk_live_", "sk_test_", "rk_live_", "rk_test_"], "[A-Za-z0-9]{20,247}(?![A-Za-z0-9])", hasVariety),
	prefixed("stripe-webhook-secret", ["whsec_"], "[A-Za-z0-9+/=]{24,64}", hasVariety),
	prefixed(
		"square-token",
		["EAAA", "sq0atp-", "sq0csp-"],
		"[A-Za-z0-9_-]{22,64}(?![A-Za-z0-9_-])",
		(v) => characterClasses(v) >= 4 || v.startsWith("sq0"),
	),
	prefixed("shopify-token", ["shpat_", "shpca_", "shppa_", "shpss_", "shptka_"], "[a-fA-F0-9]{32}(?![A-Za-z0-9])"),
	prefixed("paypal-token", ["access_token$production$"], "[a-z0-9]{16}\\$[a-f0-9]{32}"),
	prefixed("plaid-token", ["access-production-", "access-sandbox-"], uuid),
	prefixed("sendgrid-key", ["SG."], "[A-Za-z0-9_-]{20,24}\\.[A-Za-z0-9_-]{39,50}(?![A-Za-z0-9_-])", hasVariety),
	prefixed("mailgun-key", ["key-"], "[a-f0-9]{32}(?![A-Za-z0-9])"),
	{ id: "mailchimp-key", literals: ["-us"], back: /[a-f0-9]{32}$/, pattern: /[a-f0-9]{32}-us\d{1,2}(?![A-Za-z0-9])/y },
	prefixed("brevo-key", ["xkeysib-"], "[a-f0-9]{64}-[A-Za-z0-9]{16}"),
	prefixed("postmark-resend-key", ["re_"], "[A-Za-z0-9]{8}_[A-Za-z0-9]{22,24}(?![A-Za-z0-9_])", (v) => characterClasses(v) >= 4),
	{
		id: "twilio-key",
		literals: ["SK"],
		next: "0123456789abcdef",
		pattern: /SK[a-f0-9]{32}(?![A-Za-z0-9])/y,
		accepts: (v) => /\d/.test(v) && /[a-f]/.test(v),
	},
	prefixed("digitalocean-token", ["dop_v1_", "doo_v1_", "dor_v1_"], "[a-f0-9]{64}"),
	prefixed("flyio-token", ["fo1_", "fm1r_", "fm2_", "fm1a_"], "[A-Za-z0-9_+/=-]{43,600}", (v) => characterClasses(v) >= 4),
	prefixed("heroku-key", ["HRKU-"], "[A-Za-z0-9_-]{36,64}", hasVariety),
	prefixed(
		"vercel-token",
		["vcp_", "vci_", "vca_", "vcr_", "vck_"],
		"[A-Za-z0-9]{24,60}(?![A-Za-z0-9])",
		(v) => characterClasses(v.slice(4)) >= 3,
	),
	prefixed("netlify-token", ["nfp_", "nfc_", "nfu_"], "[A-Za-z0-9]{36,44}(?![A-Za-z0-9])", (v) => characterClasses(v.slice(4)) >= 3),
	prefixed("render-key", ["rnd_"], "[A-Za-z0-9]{28,36}(?![A-Za-z0-9])", (v) => characterClasses(v.slice(4)) >= 3),
	prefixed("supabase-key", ["sbp_", "sb_secret_"], "(?:[a-f0-9]{40}|[A-Za-z0-9_-]{30,50})(?![A-Za-z0-9])", hasVariety),
	prefixed("planetscale-token", ["pscale_tkn_", "pscale_pw_", "pscale_oauth_"], "[A-Za-z0-9_.=-]{32,64}", hasVariety),
	prefixed("neon-databricks-token", ["dapi"], "[a-f0-9]{32}(?:-\\d)?(?![A-Za-z0-9])"),
	prefixed("hashicorp-vault-token", ["hvs.", "hvb.", "hvr."], "[A-Za-z0-9_-]{24,300}", hasVariety),
	{ id: "terraform-token", literals: [".atlasv1."], back: /[A-Za-z0-9]{14}$/, pattern: /[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}/y },
	prefixed("pulumi-token", ["pul-"], "[a-f0-9]{40}(?![A-Za-z0-9])"),
	prefixed("doppler-token", ["dp.pt.", "dp.st.", "dp.ct.", "dp.sa."], "(?:[a-z0-9_-]{2,35}\\.)?[A-Za-z0-9]{40,44}", hasVariety),
	prefixed("onepassword-token", ["ops_eyJ"], "[A-Za-z0-9+/=_-]{250,4000}"),
	prefixed("age-key", ["AGE-SECRET-KEY-1", "AGE-PLUGIN-"], "[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L0-9A-Z-]{58,200}"),
	prefixed("grafana-token", ["glsa_"], "[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}"),
	prefixed("grafana-token", ["glc_eyJ"], "[A-Za-z0-9+/=_-]{40,400}"),
	prefixed("newrelic-key", ["NRAK-", "NRJS-", "NRAA-"], "[A-Za-z0-9]{19,32}(?![A-Za-z0-9])", hasVariety),
	prefixed("sentry-token", ["sntrys_eyJ", "sntryu_"], "[A-Za-z0-9+/=_-]{40,400}"),
	prefixed("dynatrace-token", ["dt0c01.", "dt0s16.", "dt0s01."], "[A-Z0-9]{24}\\.[A-Z0-9]{64}"),
	prefixed("linear-key", ["lin_api_", "lin_oauth_"], "[A-Za-z0-9]{32,64}", hasVariety),
	prefixed(
		"notion-token",
		["ntn_", "secret_"],
		"(?:[A-Za-z0-9]{46}|[A-Za-z0-9]{43})(?![A-Za-z0-9])",
		(v) => characterClasses(v) >= 4 && !/^secret_[a-z]{20}/.test(v),
	),
	prefixed("figma-token", ["figd_", "figo_"], "[A-Za-z0-9_-]{40,200}", hasVariety),
	prefixed("airtable-token", ["pat"], "[A-Za-z0-9]{14}\\.[a-f0-9]{64}(?![A-Za-z0-9])"),
	prefixed("postman-key", ["PMAK-"], "[a-f0-9]{24}-[a-f0-9]{34}"),
	prefixed("contentful-token", ["CFPAT-"], "[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])", hasVariety),
	prefixed("asana-clickup-token", ["pk_"], "\\d{7,9}_[A-Z0-9]{32}(?![A-Za-z0-9])"),
	prefixed("tailscale-key", ["tskey-"], "[a-z]{3,9}-[A-Za-z0-9]{10,20}(?:CNTRL)?-[A-Za-z0-9]{16,40}", hasVariety),
	prefixed("buildkite-circleci-token", ["bkua_", "CCIPAT_"], "[A-Za-z0-9_]{40,70}", hasVariety),
	prefixed("sonar-token", ["squ_", "sqp_", "sqa_"], "[a-f0-9]{40}(?![A-Za-z0-9])"),
	prefixed("artifactory-token", ["AKCp"], "[A-Za-z0-9]{60,75}(?![A-Za-z0-9])", hasVariety),
	prefixed("facebook-token", ["EAA"], "[A-Za-z0-9]{90,250}(?![A-Za-z0-9+/=])", (v) => characterClasses(v) >= 3),
	prefixed("typeform-token", ["tfp_"], "[A-Za-z0-9_.=-]{40,64}", hasVariety),
	{
		id: "azure-storage-key",
		literals: ["AccountKey=", "SharedAccessKey="],
		notAfter: null,
		pattern: /(?:Account|SharedAccess)Key=(?<value>[A-Za-z0-9+/]{43,86}={1,2})/y,
	},
	{
		id: "azure-client-secret",
		literals: ["Q~"],
		next: `${letters}${letters.toLowerCase()}0123456789_~.-`,
		back: /[A-Za-z0-9_~.-]{3}\d$/,
		notAfter: /[A-Za-z0-9_~.-]/,
		pattern: /[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~.-])/y,
	},
	{
		id: "jwt",
		literals: ["eyJ"],
		pattern: /eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{6,8000}\.[A-Za-z0-9_-]{27,1400}/y,
		notAfter: /[A-Za-z0-9_/+.-]/,
		accepts: isSignedJwt,
	},
	{
		id: "private-key",
		literals: ["PRIVATE KEY"],
		back: /-{4,5} ?BEGIN (?:[A-Z0-9]{1,12} ){0,3}$/,
		notAfter: null,
		pattern: new RegExp(
			`-{4,5} ?BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)? ?-{4,5}(?<value>(?:[A-Za-z0-9/=:()]|${between}){60,20000})`,
			"y",
		),
		accepts: (value, [all = ""]) =>
			!isToyKey(all, value) &&
			isKeyMaterial(value.replaceAll(/(?:Proc-Type|DEK-Info|Comment|Version)[^\n\\]{0,80}/g, "").replace(/-{4,5} ?END.*$/s, "")),
	},
	{
		id: "putty-key",
		literals: ["Private-Lines:"],
		notAfter: null,
		pattern: new RegExp(String.raw`Private-Lines: \d{1,3}${between}{1,24}(?<value>(?:[A-Za-z0-9/=]|${between}){40,8000})`, "y"),
	},
	{
		id: "openvpn-key",
		literals: ["OpenVPN Static key V1", "OpenVPN tls-crypt-v2"],
		notAfter: null,
		pattern: new RegExp(
			String.raw`OpenVPN (?:Static key V1|tls-crypt-v2 \w{1,8} key)-{4,5}(?<value>(?:[A-Za-z0-9/=]|${between}){200,1600})`,
			"y",
		),
	},
	{
		id: "minisign-key",
		literals: ["RWRTY0Iy"],
		pattern: /RWRTY0Iy[A-Za-z0-9+/=]{200}/y,
	},
	{
		id: "otp-secret",
		literals: ["otpauth://"],
		notAfter: null,
		pattern: /otpauth:\/\/[^\s"'<>]{0,200}?[?&]secret=(?<value>[A-Z2-7]{16,128})(?![A-Z0-9])/iy,
	},
	{
		id: "url-password",
		literals: ["://"],
		back: /[a-z][a-z0-9+.-]{1,20}$/i,
		mostBack: 22,
		notAfter: null,
		pattern:
			/[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/?#@"'`<>(){}[\]\\,;|$*]{0,120}:(?<value>[^\s/?#@"'`<>(){}[\]\\,|$]{6,160})@[a-z0-9_[][\w.:[\]-]{0,200}/iy,
		accepts: (value, [all = ""]) => {
			const host = all.slice(all.lastIndexOf("@") + 1);
			if (/^(?:example|test|foo|bar|domain|yourhost|hostname)\b|\.(?:example|test|invalid)\b|example\.(?:com|org|net)/i.test(host))
				return false;
			const decoded = value.replaceAll(/%([0-9a-f]{2})/gi, (_all, code: string) => {
				const character = String.fromCharCode(Number.parseInt(code, 16));
				return /[!-~]/.test(character) ? character : "0";
			});
			return looksDrawn(decoded, 9) || looksThoughtOut(decoded);
		},
	},
	{
		id: "url-token",
		literals: ["://"],
		back: /(?<![a-z0-9])(?:https?|git\+https|wss?)$/i,
		mostBack: 12,
		notAfter: null,
		// The address to which a program reports its errors has a public key there, and ends in a number.
		pattern:
			/[a-z+]{2,9}:\/\/(?<value>[A-Za-z0-9_-]{20,200}):?@(?![\w.-]{1,120}(?::\d{1,5})?(?:\/[\w-]{1,40}){0,4}\/\d{1,20}(?![\w/-]))[\w[]/iy,
		accepts: (value) => looksDrawn(value, 20),
	},
];
