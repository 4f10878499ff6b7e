import { accessSync, constants, statSync } from "node:fs";
import path from "node:path";
import { redact } from "@robust-sync/service/redact";
import { splitText } from "../delivery/message.ts";
import { oneLine } from "../plain-text.ts";
import { type Channel, ChannelError, type Delivery } from "./channel.ts";

const timeoutMs = 30_000;
// What only this program needs is not handed on.
const ownSecrets: readonly string[] = ["HEARTBEAT_KEY", "TELEGRAM_BOT_TOKEN", "ALERT_WEBHOOK_URL"];

/** Whether `command` is an executable file on PATH. */
export function isOnPath(command: string, env: NodeJS.ProcessEnv = process.env): boolean {
	return (env.PATH ?? "").split(path.delimiter).some((directory) => {
		if (directory === "") return false;
		try {
			const file = path.join(directory, command);
			accessSync(file, constants.X_OK);
			return statSync(file).isFile();
		} catch {
			return false;
		}
	});
}

/** The OpenClaw command line, which has a Telegram account of its own: `openclaw message send`. No shell is involved. */
export function openclawChannel(chatId: string, secrets: readonly string[] = [], env: NodeJS.ProcessEnv = process.env): Channel {
	return {
		name: "openclaw",
		async send({ text, signal }: Delivery) {
			const { execa } = await import("execa");
			const childEnv = Object.fromEntries(Object.entries(env).filter(([name]) => !ownSecrets.includes(name)));
			for (const part of splitText(text)) {
				const result = await execa("openclaw", ["message", "send", "--channel", "telegram", "--target", chatId, "--message", part], {
					env: childEnv,
					extendEnv: false,
					timeout: timeoutMs,
					forceKillAfterDelay: 2_000,
					stdin: "ignore",
					reject: false,
					maxBuffer: 65_536,
					...(signal ? { cancelSignal: signal } : {}),
				});
				if (result.failed) throw new ChannelError(redact(reasonOf(result), secrets));
			}
		},
	};
}

function reasonOf(result: {
	timedOut: boolean;
	exitCode?: number | undefined;
	signal?: string | undefined;
	code?: string | undefined;
	stderr?: unknown;
}): string {
	if (result.timedOut) return `openclaw did not finish within ${timeoutMs / 1000} s`;
	if (result.code === "ENOENT") return "the command openclaw is no longer on PATH";
	const said =
		typeof result.stderr === "string" ? oneLine(result.stderr.split("\n").findLast((line) => line.trim() !== "") ?? "", 200) : "";
	const how = result.exitCode === undefined ? `ended by ${result.signal ?? result.code ?? "an error"}` : `exit code ${result.exitCode}`;
	return `openclaw failed (${how})${said === "" ? "" : `: ${said}`}`;
}
