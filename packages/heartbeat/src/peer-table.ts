import { printable } from "@robust-sync/service/printable";
import { shortDuration } from "@robust-sync/system/format-duration";
import type { PeerState, PeerStatus } from "@robust-sync/workspace/state-schemas";
import type { ChalkInstance } from "chalk";

/** One line of the table. */
export type PeerRow = Pick<
	PeerState,
	| "peer"
	| "address"
	| "status"
	| "received_at"
	| "missed"
	| "rtt_ms"
	| "clock_offset_ms"
	| "hears_us"
	| "head"
	| "sync_status"
	| "messages_pending"
	| "reason"
>;

function milliseconds(value: number | null): string {
	if (value === null) return "-";
	const size = Math.abs(value);
	if (size >= 10_000) return `${value < 0 ? "-" : ""}${shortDuration(size)}`;
	return `${size < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

/**
 * The peers as a table, a line each, below a line of headings.
 *
 * @param rows the peers
 * @param now milliseconds since the epoch
 * @param chalk colours of where it is printed
 * @param width columns of the terminal; lines are cut there
 */
export function peerTable(rows: readonly PeerRow[], now: number, chalk: ChalkInstance, width = Number.POSITIVE_INFINITY): string[] {
	const colour: Record<PeerStatus, (text: string) => string> = {
		alive: chalk.green,
		suspect: chalk.yellow,
		down: chalk.red,
		unknown: chalk.dim,
	};
	const cells = rows.map((row) => [
		printable(row.peer),
		row.status,
		row.received_at === null ? "never" : shortDuration(now - Date.parse(row.received_at)),
		milliseconds(row.rtt_ms),
		milliseconds(row.clock_offset_ms),
		row.hears_us === null ? "-" : row.hears_us ? "yes" : "no",
		row.sync_status ?? "-",
		printable(row.head?.slice(0, 7) ?? "-"),
		row.messages_pending === null ? "-" : String(row.messages_pending),
		printable(row.reason ?? row.address ?? "-"),
	]);
	const headings = ["peer", "status", "heard", "rtt", "clock", "hears us", "sync", "head", "waiting", ""];
	const widths = headings.map((heading, i) => Math.max(heading.length, ...cells.map((row) => row[i]!.length)));
	const line = (row: readonly string[]) =>
		row
			.map((cell, i) => cell.padEnd(widths[i]!))
			.join("  ")
			.trimEnd()
			.slice(0, width);
	const statusAt = widths[0]! + 2;
	return [
		chalk.dim(line(headings)),
		...cells.map((row, i) => {
			const text = line(row);
			const end = statusAt + row[1]!.length;
			return text.slice(0, statusAt) + colour[rows[i]!.status](text.slice(statusAt, end)) + text.slice(end);
		}),
	];
}
