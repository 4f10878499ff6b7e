import type { Config } from "@robust-sync/workspace";
import type { Channel } from "../delivery/channel.ts";
import { appriseChannel } from "./apprise.ts";
import { isOnPath, openclawChannel } from "./openclaw.ts";
import { telegramChannel } from "./telegram.ts";
import { webhookChannel } from "./webhook.ts";

/** The channels that the configuration names, and the problem with it, if there is one. */
export interface ConfiguredChannels {
	readonly channels: readonly Channel[];
	/** One line without a full stop, or null. */
	readonly problem: string | null;
}

/**
 * Telegram by its Bot API if a token is set, else by the `openclaw` command if it is on PATH; every address of Apprise; and the webhook. All of
 * them are used; none replaces another.
 */
export function configuredChannels(config: Config, env: NodeJS.ProcessEnv = process.env): ConfiguredChannels {
	const { calebTelegramId: chatId, telegramBotToken: token, telegramApiUrl: apiUrl, alertWebhookUrl, appriseUrls } = config;
	const channels: Channel[] = [];
	const problems: string[] = [];
	if (token !== null && chatId !== null) channels.push(telegramChannel({ apiUrl, token, chatId }));
	else if (token !== null) problems.push("TELEGRAM_BOT_TOKEN is set, but CALEB_TELEGRAM_ID (the chat to alert) is not");
	else if (chatId !== null && isOnPath("openclaw", env)) channels.push(openclawChannel(chatId, config.secrets, env));
	else if (chatId !== null)
		problems.push("CALEB_TELEGRAM_ID is set, but neither TELEGRAM_BOT_TOKEN is nor is the openclaw command on PATH");
	if (appriseUrls.length > 0 && !isOnPath("apprise", env))
		problems.push("ALERT_APPRISE_URLS is set, but the apprise command is not on PATH: apt-get install apprise");
	else for (const url of appriseUrls) channels.push(appriseChannel(url, config.secrets, env));
	if (alertWebhookUrl !== null) channels.push(webhookChannel(alertWebhookUrl));
	return { channels, problem: problems.length > 0 ? problems.join("; ") : null };
}
