import { accessSync, constants, statSync } from "node:fs";
import path from "node:path";
import type { Channel, Delivery } from "../delivery/channel.ts";
import { splitText } from "../delivery/message.ts";
import { runProgram } from "./run-program.ts";

const timeoutMs = 30_000;

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

/** The OpenClaw command line, which has a Telegram account of its own: `openclaw message send`. */
export function openclawChannel(chatId: string, secrets: readonly string[] = [], env: NodeJS.ProcessEnv = process.env): Channel {
	return {
		name: "openclaw",
		async send({ text, signal }: Delivery) {
			for (const part of splitText(text))
				await runProgram("openclaw", ["message", "send", "--channel", "telegram", "--target", chatId, "--message", part], {
					timeoutMs,
					secrets,
					env,
					signal,
				});
		},
		probe: async () => "the command is on PATH",
	};
}
