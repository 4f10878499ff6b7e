import { redact } from "@robust-sync/service/redact";
import { type Channel, ChannelError, type Delivery } from "../delivery/channel.ts";
import { splitText } from "../delivery/message.ts";
import { oneLine } from "../plain-text.ts";
import { type HttpReply, postJson } from "./http.ts";

export interface TelegramOptions {
	/** Base address of the Bot API: the public one, or a private server. */
	readonly apiUrl: string;
	/** Secret. */
	readonly token: string;
	/** Digits, or `@channel`. */
	readonly chatId: string;
}

/** `sendMessage` of the Telegram Bot API (core.telegram.org/bots/api#sendmessage), as plain text. */
export function telegramChannel({ apiUrl, token, chatId }: TelegramOptions): Channel {
	const bot = `${apiUrl.replace(/\/+$/, "")}/bot${token}`;
	const url = `${bot}/sendMessage`;
	// Integers in JSON where they are exact; a longer one is sent as text.
	const chat_id = /^-?\d{1,15}$/.test(chatId) ? Number(chatId) : chatId;
	return {
		name: "telegram",
		async send({ text, signal }: Delivery) {
			for (const part of splitText(text)) {
				const reply = await postJson(url, { chat_id, text: part, link_preview_options: { is_disabled: true } }, { signal });
				if (!isOk(reply)) throw refusal(reply, token);
			}
		},
		async probe() {
			for (const [method, body] of [
				["getMe", {}],
				["getChat", { chat_id }],
			] as const) {
				const reply = await postJson(`${bot}/${method}`, body);
				if (!isOk(reply)) throw refusal(reply, token);
			}
			return "the bot's token and the chat are known";
		},
	};
}

interface BotReply {
	ok?: unknown;
	error_code?: unknown;
	description?: unknown;
	parameters?: { retry_after?: unknown; migrate_to_chat_id?: unknown };
}

function parse(reply: HttpReply): BotReply | null {
	try {
		const value: unknown = JSON.parse(reply.body);
		return typeof value === "object" && value !== null ? value : null;
	} catch {
		return null;
	}
}

function isOk(reply: HttpReply): boolean {
	return reply.status === 200 && parse(reply)?.ok === true;
}

const advice: Readonly<Record<number, string>> = {
	400: "check CALEB_TELEGRAM_ID, and that the person has written to the bot once",
	401: "check TELEGRAM_BOT_TOKEN",
	403: "the person has blocked the bot or never started it: write to the bot once",
	404: "check TELEGRAM_BOT_TOKEN and TELEGRAM_API_URL",
};

function refusal(reply: HttpReply, token: string): ChannelError {
	const answer = parse(reply);
	const description = typeof answer?.description === "string" ? oneLine(redact(answer.description, [token]), 200) : `HTTP ${reply.status}`;
	if (reply.status === 429) {
		const seconds = answer?.parameters?.retry_after;
		const retryAfterMs = typeof seconds === "number" && seconds >= 0 ? seconds * 1000 : reply.retryAfterMs;
		return new ChannelError(`Telegram asks to wait: ${description}`, { retryAfterMs });
	}
	const migrated = answer?.parameters?.migrate_to_chat_id;
	if (typeof migrated === "number") {
		return new ChannelError(`the group has a new id: set CALEB_TELEGRAM_ID=${migrated}`, { misconfigured: true });
	}
	const remedy = advice[reply.status];
	if (remedy !== undefined) return new ChannelError(`Telegram refuses: ${description}: ${remedy}`, { misconfigured: true });
	return new ChannelError(
		reply.status === 200 ? "the answer is not the Bot API's: check TELEGRAM_API_URL" : `Telegram answers ${reply.status}: ${description}`,
	);
}
