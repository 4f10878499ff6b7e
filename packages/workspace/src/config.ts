import { isIP } from "node:net";
import { hostname } from "node:os";
import path from "node:path";
import { readEnvFile } from "./env-file.ts";
import { excludePatternsAccepted, parseExcludePatterns } from "./exclude-patterns.ts";

/** One configured peer: where its heartbeat listens. */
export interface PeerAddress {
	readonly name: string;
	readonly host: string;
	readonly port: number;
}

/** The whole configuration, checked. Seconds and megabytes as the variables give them (docs/contract.md, section 2). */
export interface Config {
	readonly nodeName: string;
	readonly peers: readonly PeerAddress[];
	readonly syncRemote: string;
	/** Further git remotes that get the branch after the hub. */
	readonly syncMirrors: readonly string[];
	/** null: the branch that is checked out */
	readonly syncBranch: string | null;
	readonly syncIntervalSeconds: number;
	/** Seconds between two pushes of this node; "auto": by the remote's address. */
	readonly syncPushInterval: number | "auto";
	readonly syncWatch: boolean;
	readonly syncNested: "auto" | "contents" | "skip";
	readonly syncHooks: boolean;
	/** gitignore patterns of paths that this node neither sends nor checks out. */
	readonly syncExclude: readonly string[];
	/** Whether access times show which version of a file a writer has read: where they are kept, or never. */
	readonly syncAtime: "auto" | "off";
	/** The treatment of a file that seems to hold a secret. */
	readonly syncSecrets: "hold" | "warn" | "off";
	readonly maxFileMb: number;
	/** Whether large losses are held, and the limits: more than this many files, and more than this share (percent) of the tracked files. */
	readonly guard: boolean;
	readonly guardFiles: number;
	readonly guardPercent: number;
	readonly gitTimeoutSeconds: number;
	readonly heartbeatPort: number;
	/** null: `::`, falling back to 0.0.0.0 */
	readonly heartbeatBind: string | null;
	readonly heartbeatIntervalSeconds: number;
	/** Newest first; empty: not authenticated. Secret. */
	readonly heartbeatKeys: readonly string[];
	readonly peerTimeoutSeconds: number;
	readonly healthPort: number;
	readonly healthHost: string;
	readonly monitorIntervalSeconds: number;
	readonly maxSyncFailures: number;
	readonly alertCooldownSeconds: number;
	readonly calebTelegramId: string | null;
	/** Secret. */
	readonly telegramBotToken: string | null;
	readonly telegramApiUrl: string;
	/** May carry a password. Secret. */
	readonly alertWebhookUrl: string | null;
	/** Addresses in Apprise's form, each a secret. */
	readonly appriseUrls: readonly string[];
	readonly memoryLimitMb: number;
	readonly logLevel: "debug" | "info" | "warn" | "error";
	readonly logFormat: "text" | "json";
	/** Every secret value in use, for redaction. */
	readonly secrets: readonly string[];
}

/** A variable or flag has an invalid value. One line: the variable, the value (never of a secret), the accepted values. Exit code 2. */
export class ConfigError extends Error {
	readonly exitCode = 2;
	override readonly name = "ConfigError";
	readonly variable: string;

	readonly #value: string | null;
	readonly #accepted: string;

	constructor(variable: string, value: string | null, accepted: string, name = `${variable}=`) {
		super(`${value === null ? `${variable} has a value that` : `${name}${JSON.stringify(value)}`} is not accepted: give ${accepted}`);
		this.variable = variable;
		this.#value = value;
		this.#accepted = accepted;
	}

	/** The same with the name of the flag that gave the value. */
	ofFlag(flag: string): ConfigError {
		return new ConfigError(this.variable, this.#value, this.#accepted, `${flag} `);
	}
}

/** Several variables have invalid values: a line each. Exit code 2. */
class ConfigErrors extends Error {
	readonly exitCode = 2;
	override readonly name = "ConfigError";
	readonly lines: readonly string[];

	constructor(errors: readonly ConfigError[]) {
		const lines = errors.map(({ message }) => message);
		super(lines.join("; "));
		this.lines = lines;
	}
}

/** The variables whose values are never shown. */
export const secretVariables: ReadonlySet<string> = new Set([
	"HEARTBEAT_KEY",
	"TELEGRAM_BOT_TOKEN",
	"ALERT_WEBHOOK_URL",
	"ALERT_APPRISE_URLS",
]);

type Values = Readonly<Record<string, string | undefined>>;

class Reader {
	readonly #values: Values;

	constructor(values: Values) {
		this.#values = values;
	}

	text(variable: string): string | null {
		const value = this.#values[variable]?.trim();
		return value === undefined || value === "" ? null : value;
	}

	refuse(variable: string, accepted: string): never {
		throw new ConfigError(variable, secretVariables.has(variable) ? null : (this.text(variable) ?? ""), accepted);
	}

	matching(variable: string, pattern: RegExp, accepted: string): string | null {
		const value = this.text(variable);
		if (value !== null && !pattern.test(value)) this.refuse(variable, accepted);
		return value;
	}

	number(variable: string, fallback: number, min: number, max: number, unit: string, whole = false): number {
		const value = this.matching(
			variable,
			whole ? /^\d{1,15}$/ : /^\d{1,15}(\.\d{1,6})?$/,
			`${whole ? "a whole number" : "a number"} from ${min} to ${max}${unit}`,
		);
		if (value === null) return fallback;
		const number = Number(value);
		if (number < min || number > max) this.refuse(variable, `${whole ? "a whole number" : "a number"} from ${min} to ${max}${unit}`);
		return number;
	}

	/** A number as of `number`, or one word. */
	numberOr<W extends string>(variable: string, word: W, min: number, max: number, unit: string): number | W {
		const value = this.text(variable);
		if (value === null || value === word) return word;
		const accepted = `${word}, or a number from ${min} to ${max}${unit}`;
		const number = Number(value);
		if (!/^\d{1,15}(\.\d{1,6})?$/.test(value) || number < min || number > max) this.refuse(variable, accepted);
		return number;
	}

	choice<T extends string>(variable: string, fallback: T, choices: readonly T[]): T {
		const value = this.text(variable);
		if (value === null) return fallback;
		if (!(choices as readonly string[]).includes(value)) this.refuse(variable, `one of ${choices.join(" ")}`);
		return value as T;
	}

	address(variable: string, accepted: string): string | null {
		const value = this.text(variable);
		if (value !== null && value !== "localhost" && isIP(value) === 0) this.refuse(variable, accepted);
		return value;
	}

	url(variable: string): string | null {
		const value = this.text(variable);
		if (value === null) return null;
		const url = URL.canParse(value) ? new URL(value) : null;
		if (!url || !/^https?:$/.test(url.protocol)) this.refuse(variable, "an http:// or https:// address");
		return value;
	}
}

const mostAppriseUrls = 32;

function parseAppriseUrls(reader: Reader): string[] {
	const urls = (reader.text("ALERT_APPRISE_URLS") ?? "").split(/\s+/).filter(Boolean);
	if (urls.length > mostAppriseUrls || urls.some((url) => !/^[a-z][a-z0-9+.-]{0,31}:\/\/[\x21-\x7e]+$/i.test(url)))
		reader.refuse(
			"ALERT_APPRISE_URLS",
			`addresses in Apprise's form, such as ntfys://ntfy.example/topic, separated by blanks, at most ${mostAppriseUrls}`,
		);
	return [...new Set(urls)];
}

function parseExclude(reader: Reader): readonly string[] {
	const patterns = parseExcludePatterns(reader.text("SYNC_EXCLUDE") ?? "");
	return typeof patterns === "string" ? reader.refuse("SYNC_EXCLUDE", `${excludePatternsAccepted}; ${patterns}`) : patterns;
}

const nodeNamePattern = /^[a-z0-9][a-z0-9-]{0,62}$/;
const nodeNameAccepted = "a name of a-z 0-9 and - that starts with a letter or digit, at most 63 characters";

/** Whether `name` is a valid name of a node. */
export function isNodeName(name: string): boolean {
	return nodeNamePattern.test(name);
}

/** The short host name, made a legal node name. */
export function defaultNodeName(host: string = hostname()): string {
	const name = (host.split(".")[0] ?? "")
		.toLowerCase()
		.replaceAll(/[^a-z0-9-]/g, "-")
		.replace(/^-+/, "")
		.slice(0, 63);
	return name === "" ? "node" : name;
}

/** Splits `host`, `host:port`, `[v6]:port` or a bare IPv6 address. Null when it is none of these. */
export function parseHostPort(text: string, defaultPort: number): { host: string; port: number } | null {
	const bracketed = /^\[([0-9A-Fa-f:.%\w]+)\](?::(\d{1,5}))?$/.exec(text);
	const plain = /^([A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?)(?::(\d{1,5}))?$/.exec(text);
	const bare = /^[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?$/.exec(text);
	const match = bracketed ?? plain;
	const host = match?.[1] ?? (bare ? text : undefined);
	const port = match?.[2] === undefined ? defaultPort : Number(match[2]);
	if (host === undefined || host.length > 253 || port < 1 || port > 65535) return null;
	return { host, port };
}

function parsePeers(reader: Reader, nodeName: string, defaultPort: number): PeerAddress[] {
	const peers = new Map<string, PeerAddress>();
	const list = reader.text("PEERS");
	for (const item of list?.split(",") ?? []) {
		if (item.trim() === "") continue;
		const [, name, address] = /^\s*([^=\s]+)=(\S+)\s*$/.exec(item) ?? [];
		const hostPort = address === undefined ? null : parseHostPort(address, defaultPort);
		if (!name || !isNodeName(name) || !hostPort || peers.has(name))
			reader.refuse("PEERS", "name=host[:port], comma separated, each name once");
		peers.set(name, { name, ...hostPort });
	}
	for (const [variable, name] of [
		["CHAD_HOST", "chad"],
		["HELIOS_HOST", "helios"],
	] as const) {
		const value = reader.text(variable);
		if (value === null) continue;
		const hostPort = parseHostPort(value, defaultPort);
		if (!hostPort) reader.refuse(variable, "a host name or address, with :port if it is not the default");
		if (!peers.has(name)) peers.set(name, { name, ...hostPort });
	}
	peers.delete(nodeName);
	return [...peers.values()];
}

const remoteNamePattern = /^[A-Za-z0-9_][\w./-]*$/;

function parseMirrors(reader: Reader, hub: string): string[] {
	const names = (reader.text("SYNC_MIRRORS") ?? "")
		.split(",")
		.map((name) => name.trim())
		.filter((name) => name !== "");
	if (names.some((name) => !remoteNamePattern.test(name) || name === hub) || new Set(names).size < names.length)
		reader.refuse("SYNC_MIRRORS", "names of git remotes, comma separated, each once, without SYNC_REMOTE");
	return names;
}

function parseKeys(reader: Reader): string[] {
	const keys = (reader.text("HEARTBEAT_KEY") ?? "").split(",").filter((key) => key !== "");
	if (keys.some((key) => key.length < 16) || keys.length > 2) {
		reader.refuse("HEARTBEAT_KEY", "a secret of at least 16 characters (two, comma separated, while the key is being changed)");
	}
	return keys;
}

/** Whether `host` is a loopback name or address (127.0.0.0/8, ::1, localhost). */
export function isLoopback(host: string): boolean {
	return host === "localhost" || host === "::1" || host === "[::1]" || /^127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(host);
}

/** Checks every variable in `values` (already merged by precedence). @throws ConfigError at the first invalid value. */
export function parseConfig(values: Values): Config {
	const reader = new Reader(values);
	const nodeName = reader.matching("NODE_NAME", nodeNamePattern, nodeNameAccepted) ?? defaultNodeName();
	const heartbeatPort = reader.number("HEARTBEAT_PORT", 8765, 1, 65535, "", true);
	const heartbeatKeys = parseKeys(reader);
	const syncRemote = reader.matching("SYNC_REMOTE", remoteNamePattern, "the name of a git remote, such as origin") ?? "origin";
	const telegramBotToken = reader.matching(
		"TELEGRAM_BOT_TOKEN",
		/^[\x21-\x7e]+$/,
		"the token that Telegram's BotFather gave, without spaces",
	);
	const alertWebhookUrl = reader.url("ALERT_WEBHOOK_URL");
	const appriseUrls = parseAppriseUrls(reader);
	const healthHost = reader.text("HEALTH_HOST") ?? "127.0.0.1";
	if (!isLoopback(healthHost))
		reader.refuse("HEALTH_HOST", "a loopback address (127.0.0.1, ::1 or localhost): the endpoint is not for the network");
	return {
		nodeName,
		peers: parsePeers(reader, nodeName, heartbeatPort),
		syncRemote,
		syncMirrors: parseMirrors(reader, syncRemote),
		syncBranch: reader.matching(
			"SYNC_BRANCH",
			/^(?!.*(\.\.|@\{|\/\/|\.lock$|\/$|\.$))[^\s~^:?*[\\\x00-\x20\x7f./-][^\s~^:?*[\\\x00-\x20\x7f]*$/,
			"the name of a git branch, such as main",
		),
		syncIntervalSeconds: reader.number("SYNC_INTERVAL", 60, 0.05, 86_400, " seconds"),
		syncPushInterval: reader.numberOr("SYNC_PUSH_INTERVAL", "auto", 0, 86_400, " seconds"),
		syncWatch: reader.choice("SYNC_WATCH", "1", ["0", "1"]) === "1",
		syncNested: reader.choice("SYNC_NESTED", "auto", ["auto", "contents", "skip"]),
		syncHooks: reader.choice("SYNC_HOOKS", "0", ["0", "1"]) === "1",
		syncExclude: parseExclude(reader),
		syncAtime: reader.choice("SYNC_ATIME", "auto", ["auto", "off"]),
		syncSecrets: reader.choice("SYNC_SECRETS", "hold", ["hold", "warn", "off"]),
		maxFileMb: reader.number("MAX_FILE_MB", 95, 0.001, 100_000, " MB"),
		guard: reader.choice("GUARD", "1", ["0", "1"]) === "1",
		guardFiles: reader.number("GUARD_FILES", 50, 0, 1_000_000_000, "", true),
		guardPercent: reader.number("GUARD_PERCENT", 30, 0, 100, " percent"),
		gitTimeoutSeconds: reader.number("GIT_TIMEOUT", 120, 0.1, 86_400, " seconds"),
		heartbeatPort,
		heartbeatBind: reader.address("HEARTBEAT_BIND", "an IPv4 or IPv6 address to listen on"),
		heartbeatIntervalSeconds: reader.number("HEARTBEAT_INTERVAL", 60, 0.05, 86_400, " seconds"),
		heartbeatKeys,
		peerTimeoutSeconds: reader.number("PEER_TIMEOUT", 180, 0.1, 864_000, " seconds"),
		healthPort: reader.number("HEALTH_PORT", 8080, 1, 65535, "", true),
		healthHost,
		monitorIntervalSeconds: reader.number("MONITOR_INTERVAL", 30, 0.05, 86_400, " seconds"),
		maxSyncFailures: reader.number("MAX_SYNC_FAILURES", 3, 1, 1_000_000, "", true),
		alertCooldownSeconds: reader.number("ALERT_COOLDOWN", 300, 0, 864_000, " seconds"),
		calebTelegramId: reader.matching("CALEB_TELEGRAM_ID", /^(-?\d{1,20}|@\w{3,64})$/, "a Telegram chat id: digits, or @channel"),
		telegramBotToken,
		telegramApiUrl: reader.url("TELEGRAM_API_URL") ?? "https://api.telegram.org",
		alertWebhookUrl,
		appriseUrls,
		memoryLimitMb: reader.number("MEMORY_LIMIT_MB", 500, 1, 1_000_000, " MB"),
		logLevel: reader.choice("LOG_LEVEL", "info", ["debug", "info", "warn", "error"]),
		logFormat: reader.choice("LOG_FORMAT", "text", ["text", "json"]),
		secrets: [...heartbeatKeys, telegramBotToken, alertWebhookUrl, ...appriseUrls].filter((secret) => secret !== null),
	};
}

/** Every variable in `values` with an invalid value, and the configuration without those. */
export function checkConfig(values: Values): { config: Config; errors: ConfigError[] } {
	const left = { ...values };
	const errors: ConfigError[] = [];
	for (;;) {
		try {
			return { config: parseConfig(left), errors };
		} catch (error) {
			if (!(error instanceof ConfigError) || !(error.variable in left)) throw error;
			errors.push(error);
			delete left[error.variable];
		}
	}
}

/** The flags that set a variable: an error names the flag instead of the variable. */
const flagOf: Readonly<Record<string, string>> = {
	NODE_NAME: "--node",
	SYNC_INTERVAL: "--interval",
	SYNC_EXCLUDE: "--exclude",
	HEARTBEAT_INTERVAL: "--interval",
	HEARTBEAT_PORT: "--port",
	HEALTH_PORT: "--port",
	HEALTH_HOST: "--host",
};

export interface LoadConfigOptions {
	workspace: string;
	/** Values from flags, by variable name; undefined: the flag was not given. */
	flags?: Values;
	env?: NodeJS.ProcessEnv;
}

/**
 * The configuration of a workspace: flag over environment over `.sync_env` over default.
 * @throws ConfigError, or one error with a line for each of several invalid values; EnvFileError (all exit code 2)
 */
export function loadConfig({ workspace, flags = {}, env = process.env }: LoadConfigOptions): Config {
	const merged: Record<string, string | undefined> = { ...readEnvFile(path.join(workspace, ".sync_env")) };
	for (const source of [env, flags]) {
		for (const [name, value] of Object.entries(source)) if (value !== undefined && value !== "") merged[name] = value;
	}
	const { config, errors } = checkConfig(merged);
	const [first, ...others] = errors.map((error) => {
		const flag = flags[error.variable] ? flagOf[error.variable] : undefined;
		return flag === undefined ? error : error.ofFlag(flag);
	});
	if (first === undefined) return config;
	throw others.length === 0 ? first : new ConfigErrors([first, ...others]);
}
