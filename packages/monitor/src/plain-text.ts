import { printable } from "@robust-sync/service/printable";

/**
 * Any text as one line for a message: line ends and runs of spaces become one space, everything else as `printable` has it, at most
 * `maxLength` UTF-16 units (cut between characters, with `…` at the end).
 */
export function oneLine(text: string, maxLength = 300): string {
	const line = printable(text.replace(/\s+/g, " ").trim());
	if (line.length <= maxLength) return line;
	const cut = line.slice(0, maxLength - 1);
	return `${/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut}…`;
}
