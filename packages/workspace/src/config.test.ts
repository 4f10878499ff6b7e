import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import { ConfigError, defaultNodeName, isLoopback, loadConfig, parseConfig, parseHostPort } from "./config.ts";

const directories: string[] = [];

function workspaceWith(envFile: string | null): string {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), "robust-sync-config-"));
	directories.push(directory);
	if (envFile !== null) fs.writeFileSync(path.join(directory, ".sync_env"), envFile);
	return directory;
}

afterEach(() => {
	for (const directory of directories.splice(0)) fs.rmSync(directory, { recursive: true, force: true });
});

describe("invalid values are refused, each with its variable and the accepted values", () => {
	const bad: readonly (readonly [variable: string, values: readonly string[]])[] = [
		["NODE_NAME", ["Helios", "-a", "a_b", "a b", "ü", "a".repeat(64), "../x"]],
		["PEERS", ["chad", "chad=", "=host", "chad=host:0", "chad=host:65536", "chad=a,chad=b", "Chad=x", "chad=a b", "chad=host:port"]],
		["CHAD_HOST", ["a b", "host:", "host:99999", "http://chad", "-x"]],
		["HELIOS_HOST", ["a/b", "[::1", "host:1:2:x"]],
		["SYNC_REMOTE", ["-o", "a b", "a;b", "--upload-pack=x"]],
		["SYNC_MIRRORS", ["-o", "a b", "backup,backup", "origin", "x;y", "--mirror=x"]],
		["SYNC_BRANCH", ["-b", "a..b", "a b", "a.lock", "a~1", "a^", "a:b", "refs@{0}", "/a", "a/", "a\\b", "a?", "a*", "a["]],
		["SYNC_INTERVAL", ["0", "-1", "abc", "1e3", "60s", "86401", "NaN", "Infinity", "0x10", "1,5"]],
		["SYNC_PUSH_INTERVAL", ["-1", "never", "Auto", "10s", "86401", "1e3", "NaN"]],
		["SYNC_WATCH", ["yes", "true", "2"]],
		["SYNC_NESTED", ["all", "Contents", "1"]],
		["SYNC_HOOKS", ["yes", "2"]],
		["SYNC_EXCLUDE", ["!a", "/", "a//b", "../a", "[a", "#a", "a\\"]],
		["SYNC_ATIME", ["on", "0", "Auto"]],
		["SYNC_SECRETS", ["yes", "Hold", "0"]],
		["MAX_FILE_MB", ["0", "-5", "95MB", "100001"]],
		["GUARD", ["yes", "2"]],
		["GUARD_FILES", ["-1", "1.5", "many"]],
		["GUARD_PERCENT", ["-1", "101", "30%"]],
		["GIT_TIMEOUT", ["0", "forever", "-1", "86401"]],
		["HEARTBEAT_PORT", ["0", "65536", "80.5", "http", "-1"]],
		["HEARTBEAT_BIND", ["eth0", "host.example", "1.2.3.4:5"]],
		["HEARTBEAT_INTERVAL", ["0", "x", "86401"]],
		["HEARTBEAT_KEY", ["short", "0123456789abcdef,short", "0123456789abcdef,0123456789abcdeg,0123456789abcdeh"]],
		["PEER_TIMEOUT", ["0", "x"]],
		["HEALTH_PORT", ["0", "65536", "8080/tcp"]],
		["HEALTH_HOST", ["0.0.0.0", "::", "192.168.1.1", "example.org", "127.0.0.1.example.org", "128.0.0.1", "127.0.0.256"]],
		["MONITOR_INTERVAL", ["0", "-", "86401"]],
		["MAX_SYNC_FAILURES", ["0", "1.5", "three"]],
		["ALERT_COOLDOWN", ["-1", "x"]],
		["CALEB_TELEGRAM_ID", ["caleb", "12 34", "1.5"]],
		["TELEGRAM_BOT_TOKEN", ["a b", "tökén"]],
		["TELEGRAM_API_URL", ["api.telegram.org", "ftp://x", "javascript:alert(1)"]],
		["ALERT_WEBHOOK_URL", ["example.org", "file:///etc/passwd"]],
		["ALERT_APPRISE_URLS", ["example.org", "ntfy://a b", "ntfy://", "ntfy://x\u0007"]],
		["MEMORY_LIMIT_MB", ["0", "500M", "-1"]],
		["LOG_LEVEL", ["trace", "INFO", "0"]],
		["LOG_FORMAT", ["xml", "JSON"]],
	];
	const secrets = new Set(["HEARTBEAT_KEY", "TELEGRAM_BOT_TOKEN", "ALERT_WEBHOOK_URL", "ALERT_APPRISE_URLS"]);

	test.each(bad.flatMap(([variable, values]) => values.map((value) => [variable, value] as const)))(
		"configuration: %s=%s → refused, with variable and accepted values",
		(variable, value) => {
			let error: unknown;
			try {
				parseConfig({ NODE_NAME: "helios", [variable]: value });
			} catch (caught) {
				error = caught;
			}
			expect(error).toBeInstanceOf(ConfigError);
			const { message, exitCode, variable: named } = error as ConfigError;
			expect(exitCode).toBe(2);
			expect(named).toBe(variable);
			expect(message).toContain(variable);
			expect(message).toContain("give ");
			expect(message).not.toContain("\n");
			if (secrets.has(variable)) expect(message).not.toContain(value);
			else expect(message).toContain(JSON.stringify(value));
		},
	);

	test("configuration: every variable of the contract → has its bad values here", () => {
		const contract = fs.readFileSync(new URL("./config.ts", import.meta.url), "utf8");
		const used = new Set([...contract.matchAll(/"([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)*)"/g)].map((match) => match[1] ?? ""));
		expect([...used].filter((name) => !bad.some(([variable]) => variable === name))).toEqual([]);
	});
});

describe("values that are accepted", () => {
	test("configuration: nothing set → the contract's defaults", () => {
		expect(parseConfig({ NODE_NAME: "helios" })).toEqual({
			nodeName: "helios",
			peers: [],
			syncRemote: "origin",
			syncMirrors: [],
			syncAtime: "auto",
			syncBranch: null,
			syncIntervalSeconds: 60,
			syncPushInterval: "auto",
			syncWatch: true,
			syncNested: "auto",
			syncHooks: false,
			syncExclude: [],
			syncSecrets: "hold",
			maxFileMb: 95,
			guard: true,
			guardFiles: 50,
			guardPercent: 30,
			gitTimeoutSeconds: 120,
			heartbeatPort: 8765,
			heartbeatBind: null,
			heartbeatIntervalSeconds: 60,
			heartbeatKeys: [],
			peerTimeoutSeconds: 180,
			healthPort: 8080,
			healthHost: "127.0.0.1",
			monitorIntervalSeconds: 30,
			maxSyncFailures: 3,
			alertCooldownSeconds: 300,
			calebTelegramId: null,
			telegramBotToken: null,
			telegramApiUrl: "https://api.telegram.org",
			alertWebhookUrl: null,
			appriseUrls: [],
			memoryLimitMb: 500,
			logLevel: "info",
			logFormat: "text",
			secrets: [],
		});
	});

	test("configuration: an empty value → not given", () => {
		expect(parseConfig({ NODE_NAME: "helios", SYNC_INTERVAL: "", PEERS: " ", SYNC_BRANCH: "" }).syncIntervalSeconds).toBe(60);
	});

	test("configuration: PEERS and two shorthands → peers, this node left out", () => {
		const { peers } = parseConfig({
			NODE_NAME: "helios",
			PEERS: "zeus=10.0.0.3:9000, ares=[fd00::3]:9001,,hera=fd00::4",
			CHAD_HOST: "chad.example:8000",
			HELIOS_HOST: "helios.example",
			HEARTBEAT_PORT: "7000",
		});
		expect(peers).toEqual([
			{ name: "zeus", host: "10.0.0.3", port: 9000 },
			{ name: "ares", host: "fd00::3", port: 9001 },
			{ name: "hera", host: "fd00::4", port: 7000 },
			{ name: "chad", host: "chad.example", port: 8000 },
		]);
	});

	test("configuration: PEERS and CHAD_HOST → PEERS names chad more precisely", () => {
		expect(parseConfig({ NODE_NAME: "helios", PEERS: "chad=a:1", CHAD_HOST: "b" }).peers).toEqual([{ name: "chad", host: "a", port: 1 }]);
	});

	test("configuration: a branch with slashes, numbers with a fraction → fine", () => {
		const config = parseConfig({ NODE_NAME: "n", SYNC_BRANCH: "feature/x-1", SYNC_INTERVAL: "0.5", MAX_FILE_MB: "0.1" });
		expect([config.syncBranch, config.syncIntervalSeconds, config.maxFileMb]).toEqual(["feature/x-1", 0.5, 0.1]);
	});

	test("configuration: secrets → listed for redaction, both keys while one changes", () => {
		const config = parseConfig({
			NODE_NAME: "n",
			HEARTBEAT_KEY: "0123456789abcdef,fedcba9876543210",
			TELEGRAM_BOT_TOKEN: "123:abc",
			ALERT_WEBHOOK_URL: "https://u:p@example.org/x",
		});
		expect(config.secrets).toEqual(["0123456789abcdef", "fedcba9876543210", "123:abc", "https://u:p@example.org/x"]);
	});

	test("configuration: names that are not ours → ignored", () => {
		expect(() => parseConfig({ NODE_NAME: "n", SYNC_INTERVALL: "x", PATH: "/bin" })).not.toThrow();
	});
});

describe("flag over environment over .sync_env over default", () => {
	const load = (envFile: string | null, env: NodeJS.ProcessEnv, flags = {}) =>
		loadConfig({ workspace: workspaceWith(envFile), env: { NODE_NAME: "n", ...env }, flags });

	test("configuration: flag, environment, .sync_env, default → each wins over the next", () => {
		const file = "export SYNC_INTERVAL=11 # seconds\nMAX_FILE_MB=12\nGIT_TIMEOUT='13'\n";
		const config = load(file, { MAX_FILE_MB: "22", GIT_TIMEOUT: "23" }, { GIT_TIMEOUT: "33", SYNC_INTERVAL: undefined });
		expect([config.syncIntervalSeconds, config.maxFileMb, config.gitTimeoutSeconds, config.maxSyncFailures]).toEqual([11, 22, 33, 3]);
	});

	test("configuration: an empty variable of the environment → the file's counts", () => {
		expect(load("SYNC_INTERVAL=11", { SYNC_INTERVAL: "" }).syncIntervalSeconds).toBe(11);
	});

	test("configuration: three values not accepted → a line each, a flag's by its name", () => {
		const env = { LOG_LEVEL: "chatty", HEARTBEAT_KEY: "short" };
		const lines = [
			"HEARTBEAT_KEY has a value that is not accepted: give a secret",
			'--interval "soon" is not accepted: give a number',
			'LOG_LEVEL="chatty" is not accepted: give one of',
		].map((start) => expect.stringMatching(new RegExp(`^${start}[^\n]*$`)));
		expect(() => loadConfig({ workspace: workspaceWith(null), flags: { SYNC_INTERVAL: "soon" }, env })).toThrow(
			expect.objectContaining({ exitCode: 2, name: "ConfigError", lines, message: expect.not.stringContaining("\n") }),
		);
	});

	test("configuration: no file → no problem; an unreadable one → 2", () => {
		expect(load(null, {}).syncIntervalSeconds).toBe(60);
		const workspace = workspaceWith(null);
		fs.mkdirSync(path.join(workspace, ".sync_env"));
		expect(() => loadConfig({ workspace, env: {} })).toThrow(expect.objectContaining({ exitCode: 2, name: "EnvFileError" }));
	});
});

test("configuration: no node name → the short host name, made legal", () => {
	expect(defaultNodeName("Helios.example.org")).toBe("helios");
	expect(defaultNodeName("--My_Host--")).toBe("my-host--");
	expect(defaultNodeName("ö")).toBe("node");
	expect(defaultNodeName("")).toBe("node");
	expect(defaultNodeName("x".repeat(80))).toHaveLength(63);
});

test("configuration: hosts with ports, IPv6 → split", () => {
	expect(parseHostPort("chad", 1)).toEqual({ host: "chad", port: 1 });
	expect(parseHostPort("chad.example.:22", 1)).toEqual({ host: "chad.example.", port: 22 });
	expect(parseHostPort("fe80::1%eth0", 1)).toEqual({ host: "fe80::1%eth0", port: 1 });
	expect(parseHostPort("[::1]:22", 1)).toEqual({ host: "::1", port: 22 });
	for (const text of ["", ":22", "a:b", "[::1", "a..:x", "-a", "a b", "[::1]22"]) expect(parseHostPort(text, 1)).toBeNull();
});

test("configuration: loopback names and addresses → only those are", () => {
	for (const host of ["127.0.0.1", "127.255.255.255", "localhost", "::1", "[::1]"]) expect(isLoopback(host)).toBe(true);
	for (const host of ["0.0.0.0", "::", "127.0.0.1.example.org", "127.1", "1270.0.0.1", "localhost.example", "::ffff:127.0.0.1"])
		expect(isLoopback(host)).toBe(false);
});
