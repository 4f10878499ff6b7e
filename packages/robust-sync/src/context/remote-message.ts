import { printable } from "@robust-sync/service/printable";

/** Limit for the remote's text, bytes of UTF-8. */
export const maxRemoteMessageBytes = 4_096;

/** The remote's text for people, as lines that are safe to show, at most 4 KiB; null: none. */
export function cleanRemoteMessage(text: string | null): string | null {
	if (!text) return null;
	const bytes = Buffer.from(text.split("\n").map(printable).join("\n"), "utf8");
	if (bytes.length <= maxRemoteMessageBytes) return bytes.toString("utf8");
	let end = maxRemoteMessageBytes - Buffer.byteLength("…");
	while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
	return `${bytes.subarray(0, end).toString("utf8")}…`;
}
