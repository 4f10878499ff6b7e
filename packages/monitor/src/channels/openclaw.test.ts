import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { parseConfig } from "@robust-sync/workspace";
import { configuredChannels } from "./configured.ts";
import { openclawChannel } from "./openclaw.ts";

let directory: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
	directory = mkdtempSync(path.join(tmpdir(), "robust-sync-openclaw-"));
	env = { PATH: `${directory}:/usr/bin:/bin`, HEARTBEAT_KEY: "a-key-that-is-secret", OUT: path.join(directory, "calls") };
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function install(script: string): void {
	const file = path.join(directory, "openclaw");
	writeFileSync(file, `#!/bin/sh\n${script}\n`);
	chmodSync(file, 0o755);
}

/** Writes the arguments, each followed by a NUL, and the environment. */
const recorder = 'for a in "$@"; do printf "%s\\0" "$a" >> "$OUT"; done; env > "$OUT.env"';

test("openclaw: any message → one argument, none of our secrets in its environment", async () => {
	install(recorder);
	const text = "helios: $(reboot) `x` \"quoted\" 'single'\n--help; rm -rf / & *";
	await openclawChannel("512366713", [], env).send({ text, items: [], node: "helios" });
	expect(readFileSync(path.join(directory, "calls"), "utf8").split("\0")).toEqual([
		"message",
		"send",
		"--channel",
		"telegram",
		"--target",
		"512366713",
		"--message",
		text,
		"",
	]);
	expect(readFileSync(path.join(directory, "calls.env"), "utf8")).not.toContain("a-key-that-is-secret");
});

test("openclaw: fails → error with its last line and no secret", async () => {
	install("echo one >&2; echo 'no account: a-key-that-is-secret' >&2; exit 3");
	await expect(openclawChannel("1", ["a-key-that-is-secret"], env).send({ text: "x", items: [], node: "helios" })).rejects.toMatchObject({
		message: "openclaw failed (exit code 3): no account: [redacted]",
		misconfigured: false,
	});
});

test("openclaw: a chat, no token, on PATH → chosen; a token → never", () => {
	const names = (values: Record<string, string>) => configuredChannels(parseConfig(values), env).channels.map((channel) => channel.name);
	expect(names({ CALEB_TELEGRAM_ID: "1" })).toEqual([]);
	expect(configuredChannels(parseConfig({ CALEB_TELEGRAM_ID: "1" }), env).problem).toContain("neither TELEGRAM_BOT_TOKEN");
	const both = parseConfig({ CALEB_TELEGRAM_ID: "1", ALERT_APPRISE_URLS: "ntfys://example.org/topic" });
	expect(configuredChannels(both, { ...env, PATH: directory }).problem).toMatch(/neither TELEGRAM_BOT_TOKEN.*; ALERT_APPRISE_URLS/);
	install("exit 0");
	expect(names({ CALEB_TELEGRAM_ID: "1" })).toEqual(["openclaw"]);
	expect(names({ CALEB_TELEGRAM_ID: "1", TELEGRAM_BOT_TOKEN: "1:a" })).toEqual(["telegram"]);
	expect(names({ CALEB_TELEGRAM_ID: "1", ALERT_WEBHOOK_URL: "http://127.0.0.1:1/x" })).toEqual(["openclaw", "webhook"]);
	expect(names({})).toEqual([]);
	expect(configuredChannels(parseConfig({ TELEGRAM_BOT_TOKEN: "1:a" }), env)).toMatchObject({
		channels: [],
		problem: expect.stringContaining("CALEB_TELEGRAM_ID"),
	});
});
