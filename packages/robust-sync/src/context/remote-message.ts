import { printable } from "@robust-sync/service/printable";

/** Limit for the remote's text, bytes of UTF-8. */
export const maxRemoteMessage_bytes = 4_096;

/** The remote's text for people, as lines that are safe to show, at most 4 KiB; null: none. */
export function cleanRemoteMessage(text: string | null): string | null {
	if (!text) return null;
	const bytes = Buffer.from(text.split("\n").map(printable).join("\n"), "utf8");
	if (bytes.length <= maxRemoteMessage_bytes) return bytes.toString("utf8");
	let end = maxRemoteMessage_bytes - Buffer.byteLength("…");
	while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
	return `${bytes.subarray(0, end).toString("utf8")}…`;
}
