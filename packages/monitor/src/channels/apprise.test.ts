import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { parseConfig } from "@robust-sync/workspace";
import { type Channel, ChannelError } from "../delivery/channel.ts";
import { sendTestAlert } from "../test-alert.ts";
import { appriseChannel } from "./apprise.ts";
import { configuredChannels } from "./configured.ts";
import { isOnPath } from "./openclaw.ts";

let directory: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
	directory = mkdtempSync(path.join(tmpdir(), "robust-sync-apprise-"));
	env = { PATH: `${directory}:/usr/bin:/bin`, HEARTBEAT_KEY: "a-key-that-is-secret", OUT: path.join(directory, "out") };
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function install(script: string): void {
	const file = path.join(directory, "apprise");
	writeFileSync(file, `#!/bin/sh\n${script}\n`);
	chmodSync(file, 0o755);
}

const url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general";
const delivery = { text: "helios: $(reboot)\n--help", items: [], node: "helios" };

describe("apprise:", () => {
	test("apprise: an alert → text on stdin, address by an unnamed file, no secret visible", async () => {
		install('{ printf "%s\\n" "$@"; echo ==; cat; echo; echo ==; cat /dev/fd/3; echo ==; env; } > "$OUT"');
		await appriseChannel(url, [], env).send(delivery);
		const [args = "", text, config, environment] = readFileSync(path.join(directory, "out"), "utf8").split("==\n");
		expect(args.trim().split("\n")).toEqual(["-v", "--config=/dev/fd/3", "--title=robust-sync on helios", "--notification-type=warning"]);
		expect(text).toBe(`${delivery.text}\n`);
		expect(config).toBe(`${url}\n`);
		expect(environment).not.toContain("a-key-that-is-secret");
	});

	test("a failure → its last line, without any part of the address", async () => {
		install("cat >/dev/null; [ $1 = --dry-run ] && exit; echo 'refused by TIiajkdnlazkcOXrIdevi7FQ at T1JJ3T3L2' >&2; exit 1");
		const failure = await appriseChannel(url, [], env)
			.send(delivery)
			.catch((error: unknown) => error as Error);
		expect(failure).toBeInstanceOf(ChannelError);
		expect((failure as Error).message).toMatch(/^apprise failed \(exit code 1\): refused by \[redacted\]/);
		expect((failure as Error).message).not.toMatch(/TIiajkdn|T1JJ3T3L2/);
	});

	test("apprise: a failure logged on standard output → the reason, without timestamp", async () => {
		install(
			"cat >/dev/null; [ $1 = --dry-run ] && exit; echo '2026-11-30 03:26:18,650 - WARNING - Failed to send to T1JJ3T3L2: Unauthorized, error=401.'; echo; exit 1",
		);
		await expect(appriseChannel(url, [], env).send(delivery)).rejects.toThrow(
			/^apprise failed \(exit code 1\): Failed to send to \[redacted\]: Unauthorized, error=401\.$/,
		);
	});

	test("apprise: two addresses → a channel each, no secret in names; no program: none", () => {
		const config = parseConfig({ ALERT_APPRISE_URLS: `${url}  ntfys://ntfy.example/secret-topic\tntfys://ntfy.example/secret-topic` });
		expect(configuredChannels(config, { PATH: directory })).toEqual({
			channels: [],
			problem: expect.stringContaining("apt-get install apprise"),
		});
		install("exit 0");
		const names = configuredChannels(config, env).channels.map(({ name }) => name);
		expect(names).toEqual([expect.stringMatching(/^apprise-slack-[0-9a-f]{6}$/), expect.stringMatching(/^apprise-ntfys-[0-9a-f]{6}$/)]);
		expect(config.secrets).toEqual(expect.arrayContaining([url, "ntfys://ntfy.example/secret-topic"]));
	});

	test("the real command and a real server → the message arrives", async () => {
		const real = { ...process.env, NO_PROXY: "127.0.0.1" };
		if (!isOnPath("apprise", real)) return;
		const bodies: string[] = [];
		const server = http.createServer((request, response) => {
			let body = "";
			request.on("data", (chunk) => {
				body += chunk;
			});
			request.on("end", () => {
				bodies.push(body);
				response.end();
			});
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		try {
			const { port } = server.address() as AddressInfo;
			await appriseChannel(`json://127.0.0.1:${port}/x`, [], real).send(delivery);
			await expect(appriseChannel("json://127.0.0.1:1/x", [], real).send(delivery)).rejects.toBeInstanceOf(ChannelError);
			expect(bodies.map((body) => JSON.parse(body))).toEqual([
				expect.objectContaining({ title: "robust-sync on helios", message: delivery.text, type: "warning" }),
			]);
		} finally {
			server.close();
		}
	}, 60_000);
});

describe("test alert:", () => {
	/** Fails the first `times` attempts, asking for `retryAfterMs` each time. */
	function limited(times: number, retryAfterMs: number | null): Channel & { attempts: number } {
		return {
			name: "telegram",
			attempts: 0,
			async send() {
				if (this.attempts++ < times) throw new ChannelError("slow down", { retryAfterMs });
			},
		};
	}
	test.each<[what: string, times: number, asked: number | null, ok: boolean, attempts: number, waited: number]>([
		["a channel asks for 7 s once", 1, 7_000, true, 2, 7_000],
		["three times 20 s", 3, 20_000, true, 4, 60_000],
		["four times 20 s", 4, 20_000, false, 4, 60_000],
		["61 s", 1, 61_000, false, 1, 0],
		["no time given", 1, null, false, 1, 0],
		["0 s for ever", 1_000, 0, false, 61, 60_000],
	])("%s → waits as asked, a minute at most", async (_, times, asked, ok, attempts, waited) => {
		const channel = limited(times, asked);
		let sum = 0;
		const report = await sendTestAlert(
			parseConfig({ NODE_NAME: "helios" }),
			Date.now(),
			{ channels: [channel], problem: null },
			async (ms) => {
				sum += ms;
			},
		);
		expect([report.channels[0]?.ok, channel.attempts, sum]).toEqual([ok, attempts, waited]);
	});
});
