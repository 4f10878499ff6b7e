import { type QueuedAlert, renderItem } from "./alert-queue.ts";

/** Telegram's limit for the text of one message, in UTF-16 units (core.telegram.org/bots/api#sendmessage). */
const messageLimit = 4_096;

/** A message for people, and the alerts in it. */
export interface Message {
	readonly text: string;
	readonly items: readonly QueuedAlert[];
}

/** The heading of a message whose alerts have one cause. */
const outageHeading = "The remote and peers are unreachable at once: probably this machine's own network.";

/** Whether the items are several symptoms of this machine's own network being down. */
function isNetworkOutage(items: readonly QueuedAlert[]): boolean {
	const firing = items.filter((item) => item.kind === "firing");
	return (
		firing.some((item) => item.id === "sync" && /REMOTE_UNREACHABLE|GIT_TIMEOUT/.test(item.title)) &&
		firing.some((item) => /^heartbeat:[^:]+$/.test(item.id))
	);
}

/**
 * Puts the queue into as few messages as the limit allows. Each begins with the name of this node; an item
 * is never split unless it alone is over the limit, and then between lines.
 */
export function composeMessages(items: readonly QueuedAlert[], node: string, now: number): Message[] {
	const heading = `${node}:${isNetworkOutage(items) ? ` ${outageHeading}` : ""}`;
	const messages: { text: string; items: QueuedAlert[] }[] = [];
	for (const item of items) {
		const block = renderItem(item, now);
		const last = messages.at(-1);
		const joined = last ? `${last.text}\n\n${block}` : "";
		if (last && joined.length <= messageLimit) {
			last.text = joined;
			last.items.push(item);
			continue;
		}
		const text = `${heading}\n${block}`;
		messages.push({ text, items: [item] });
	}
	// A single short block reads better on one line with the node's name.
	return messages.map((message) => ({
		...message,
		text:
			message.items.length === 1 && !heading.includes(outageHeading) ? message.text.replace(`${heading}\n`, `${heading} `) : message.text,
	}));
}

/** Cuts a text into parts of at most `limit` UTF-16 units: between lines where possible, never inside a character. */
export function splitText(text: string, limit = messageLimit): string[] {
	const parts: string[] = [];
	let part = "";
	for (const line of text.split("\n")) {
		const joined = part === "" ? line : `${part}\n${line}`;
		if (joined.length <= limit) {
			part = joined;
			continue;
		}
		if (part !== "") parts.push(part);
		part = line;
		while (part.length > limit) {
			const high = part.charCodeAt(limit - 1);
			const cut = high >= 0xd800 && high <= 0xdbff ? limit - 1 : limit;
			parts.push(part.slice(0, cut));
			part = part.slice(cut);
		}
	}
	if (part !== "") parts.push(part);
	return parts;
}
