import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { parseConfig } from "@robust-sync/workspace";
import { probeChannels } from "../test-alert.ts";
import { botError, HttpReceiver, messageSent } from "../testing/http-receiver.ts";
import { appriseChannel } from "./apprise.ts";
import { configuredChannels } from "./configured.ts";
import { reachHost } from "./reach.ts";

const token = "123456:AAF-secret_of_the_bot";
const hookPath = "/a-secret-path-of-the-hook";
let directory: string;
let server: HttpReceiver;
beforeEach(async () => {
	directory = mkdtempSync(path.join(tmpdir(), "robust-sync-probe-"));
	server = await HttpReceiver.listen(messageSent);
});
afterEach(async () => {
	await server.close();
	rmSync(directory, { recursive: true, force: true });
});

const telegram = () =>
	parseConfig({ NODE_NAME: "helios", TELEGRAM_BOT_TOKEN: token, CALEB_TELEGRAM_ID: "7", TELEGRAM_API_URL: server.url });
const probed = async (config: ReturnType<typeof telegram>, env: NodeJS.ProcessEnv = {}) =>
	await probeChannels(config, configuredChannels(config, env));

test("channel test: Telegram → asks for bot and chat, and sends no message", async () => {
	expect(await probed(telegram())).toEqual({
		node: "helios",
		channels: [{ name: "telegram", ok: true, message: expect.stringContaining("are known") }],
		problem: null,
	});
	expect(server.received.map(({ url }) => url)).toEqual([`/bot${token}/getMe`, `/bot${token}/getChat`]);
});

test.each([
	[401, "Unauthorized", /check TELEGRAM_BOT_TOKEN/],
	[400, "Bad Request: chat not found", /check CALEB_TELEGRAM_ID/],
	[500, "oops", /Telegram answers 500/],
])("channel test: Telegram refuses with %d → reported with the remedy", async (status, description, message) => {
	server.answers = [botError(status, description)];
	const { channels } = await probed(telegram());
	expect(channels).toEqual([{ name: "telegram", ok: false, message: expect.stringMatching(message) }]);
	expect(JSON.stringify(channels)).not.toContain("secret_of_the_bot");
});

test("channel test: webhook → connects, sends nothing; closed port, no TLS → reported", async () => {
	const webhook = async (url: string) => (await probed(parseConfig({ NODE_NAME: "helios", ALERT_WEBHOOK_URL: url }))).channels[0];
	expect(await webhook(`${server.url}${hookPath}`)).toEqual({ name: "webhook", ok: true, message: "the host answers" });
	expect(server.received).toEqual([]);
	for (const url of [
		`http://127.0.0.1:1${hookPath}`,
		`${server.url.replace("http:", "https:")}${hookPath}`,
		`http://host.invalid${hookPath}`,
	]) {
		const found = await webhook(url);
		expect(found).toMatchObject({ ok: false });
		expect(found?.message).not.toMatch(/secret|127\.0\.0\.1|host\.invalid/);
	}
	await expect(reachHost("https://example.org/", { HTTPS_PROXY: "http://127.0.0.1:1" })).resolves.toContain("not tested");
});

test("channel test: apprise → dry run, the address in no argument; unknown → reported", async () => {
	const script = (text: string) => {
		writeFileSync(path.join(directory, "apprise"), `#!/bin/sh\n${text}\n`);
		chmodSync(path.join(directory, "apprise"), 0o755);
	};
	const env = { PATH: `${directory}:/usr/bin:/bin` };
	script('[ "$*" = "--dry-run --config=/dev/fd/3" ] && cat >/dev/null && grep -q slack <&3');
	await expect(appriseChannel("slack://a-long-secret", [], env).probe?.()).resolves.toBe("Apprise knows the address");
	script("cat >/dev/null; echo 'unknown a-long-secret' >&2; exit 3");
	await expect(appriseChannel("slack://a-long-secret", [], env).probe?.()).rejects.toThrow(/^Apprise does not know this address: check A/);
});
