import { createHash } from "node:crypto";
import { type Channel, ChannelError, type Delivery } from "../delivery/channel.ts";
import { runProgram } from "./run-program.ts";

/** Apprise may have to load a hundred plug-ins, and then to wait for a server. */
const timeoutMs = 60_000;

/**
 * One service that Apprise knows (ntfy, Slack, Discord, Matrix, Gotify, mail, …), by the command `apprise` (Debian's package of that name).
 * Each address is a channel of its own, so that a failing one delays no other. The address is passed in an unnamed file: it is a secret, and other
 * users of the machine can see arguments.
 * @param url an address in Apprise's form, such as ntfys://example.org/topic
 */
export function appriseChannel(url: string, secrets: readonly string[] = [], env: NodeJS.ProcessEnv = process.env): Channel {
	const scheme = /^([a-z0-9]+)/i.exec(url)?.[1]?.toLowerCase() ?? "";
	// The secret parts of the address (a password, the part after the scheme) must not reappear in the command's output.
	const parts = [url, ...url.split(/[/@:?&=#]+/).filter((part) => part.length > 8)];
	const options = { timeoutMs, private: `${url}\n`, secrets: [...secrets, ...parts], env };
	const probe = async () => {
		await runProgram("apprise", ["--dry-run", "--config=/dev/fd/3"], { ...options, input: "a test that is not sent" }).catch(
			(error: unknown) => {
				// Apprise then prints its whole manual: no part of that is a reason.
				if (!(error instanceof ChannelError) || !error.message.includes("exit code")) throw error;
				throw new ChannelError("Apprise does not know this address: check ALERT_APPRISE_URLS", { misconfigured: true, cause: error });
			},
		);
		return "Apprise knows the address";
	};
	return {
		name: `apprise-${scheme}-${createHash("sha256").update(url).digest("hex").slice(0, 6)}`,
		async send({ text, items, node, signal }: Delivery) {
			const isOver = items.length > 0 && items.every(({ kind }) => kind === "resolved");
			const isCritical = items.some(({ severity }) => severity === "critical");
			const type = isOver ? "success" : isCritical ? "failure" : "warning";
			// Without -v Apprise prints no reason for a failure.
			const args = ["-v", "--config=/dev/fd/3", `--title=robust-sync on ${node}`, `--notification-type=${type}`];
			try {
				await runProgram("apprise", args, { ...options, input: text, signal });
			} catch (error) {
				if (!signal?.aborted) await probe();
				throw error;
			}
		},
		probe,
	};
}
