import type { ChalkInstance } from "chalk";
import { printable } from "./printable.ts";

/** A record, parsed from its JSON line. */
export interface LogRecord {
	/** RFC 3339 UTC with milliseconds. */
	time: string;
	level: string;
	name: string;
	msg: string;
	[field: string]: unknown;
}

/**
 * A record for people: `2026-02-18T02:00:00.000Z INFO  sync: message key=value ...`, on one line.
 *
 * @param record the record
 * @returns the line without its line feed
 */
export function textLine(record: LogRecord): string {
	const fields = textFields(record, []);
	return `${record.time} ${record.level.toUpperCase().padEnd(5)} ${record.name}: ${printable(record.msg)}${fields && ` ${fields}`}`;
}

/**
 * A record for someone who watches a terminal: `HH:MM:SS message key=value`, local time, coloured by level;
 * WARN and ERROR before the message.
 *
 * @param record the record
 * @param chalk the colours of the stream
 * @param omit fields to leave out
 * @returns the line without its line feed
 */
export function terminalLine(record: LogRecord, chalk: ChalkInstance, omit: readonly string[] = []): string {
	const time = new Date(record.time);
	const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
	const fields = textFields(record, omit);
	// Not by colour alone: it is missing under NO_COLOR, and not all people see it.
	const label = record.level === "warn" || record.level === "error" ? `${record.level.toUpperCase()} ` : "";
	return `${chalk.dim(clock)} ${byLevel(record.level, chalk)(label + printable(record.msg))}${fields && ` ${chalk.dim(fields)}`}`;
}

function byLevel(level: string, chalk: ChalkInstance): (text: string) => string {
	switch (level) {
		case "error":
			return chalk.red;
		case "warn":
			return chalk.yellow;
		case "debug":
			return chalk.dim;
		default:
			return (text) => text;
	}
}

function textFields(record: LogRecord, omit: readonly string[]): string {
	const { time: _time, level: _level, name: _name, msg: _msg, ...fields } = record;
	return Object.entries(fields)
		.filter(([key]) => !omit.includes(key))
		.map(([key, value]) => `${printable(key)}=${textValue(value)}`)
		.join(" ");
}

function textValue(value: unknown): string {
	if (typeof value !== "string") {
		// An error reads best as its message; the rest of it is in the JSON format.
		if (typeof value === "object" && value !== null && "message" in value) return textValue(value.message);
		return printable(JSON.stringify(value) ?? "");
	}
	return value === "" || /[\s"=\\]/.test(value) || printable(value) !== value ? `"${printable(value.replace(/["\\]/g, "\\$&"))}"` : value;
}
