import { pino } from "pino";
import { LogFile } from "./log-file.ts";
import { type LogRecord, terminalLine, textLine } from "./log-text.ts";
import { paint } from "./paint.ts";
import { printable, printableJsonText } from "./printable.ts";
import { redact, secretForms } from "./redact.ts";
import { hideLine } from "./terminal-line.ts";

export { redact } from "./redact.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** The destinations and the format of records. */
export interface LogOptions {
	/** The least severe level that is written. */
	level: LogLevel;
	/** `text`: a line for people. `json`: one object a line with time, level, name, msg and the fields. */
	format: "text" | "json";
	/** The log file, rotated by size; opened again when it was moved away or deleted. Without it none is written. */
	file?: string;
	/** Whether records go to stderr; "tty-short": on a terminal as short coloured lines. */
	stderr: boolean | "tty-short";
	/** Values that must not appear in any record. */
	secrets: string[];
	/** The service's name, part of every record. */
	name: string;
	/** Size in bytes at which the log file is rotated. Default 10 MB. */
	maxBytes?: number;
	/** How many rotated files are kept. Default 5. */
	keep?: number;
}

/** Writes records. No method throws, not even if the log file fails. */
export interface Logger {
	debug(message: string, fields?: Record<string, unknown>): void;
	info(message: string, fields?: Record<string, unknown>): void;
	warn(message: string, fields?: Record<string, unknown>): void;
	error(message: string, fields?: Record<string, unknown>): void;
	/** Writes to the log file only, for text that the caller prints itself. Without a log file it is not written. */
	toFile?(level: LogLevel, message: string, fields?: Record<string, unknown>): void;
	/** Resolves when everything written so far has left the process. */
	flush(): Promise<void>;
	/** Redacts this value, too, from now on. */
	addSecret(value: string): void;
	setLevel(level: LogLevel): void;
	/** Flushes and closes the log file. */
	close(): Promise<void>;
}

const defaultMaxBytes = 10 * 1024 * 1024;
const defaultKeep = 5;
// Records are for reading: whole files or packs in a message would push everything else out of the log.
const longestTextChars = 16_384;
const deepestField = 6;

/**
 * A logger on pino's core. Records are written synchronously and whole: all records before a crash are in the file.
 *
 * @param options destinations and format
 */
export function createLogger(options: LogOptions): Logger {
	const secrets = new Set<string>();
	for (const secret of options.secrets) addSecret(secret);
	const file = options.file
		? new LogFile({ path: options.file, maxBytes: options.maxBytes ?? defaultMaxBytes, keep: options.keep ?? defaultKeep })
		: undefined;
	const chalk = paint(process.stderr);
	const short = options.stderr === "tty-short" && process.stderr.isTTY;
	let level = options.level;
	let fileOnly = false;
	/** Records that went to stderr because the log file could not be written; undefined while it can. */
	let detoured: number | undefined;

	if (!process.stderr.listeners("error").includes(ignore)) process.stderr.on("error", ignore);

	const core = pino(
		{
			level: options.level,
			base: { name: options.name },
			timestamp: () => `,"time":"${new Date().toISOString()}"`,
			formatters: { level: (label) => ({ level: label }) },
		},
		{ write: deliver },
	);

	// Records are redacted as lines of JSON, where a secret is escaped (or URL-encoded), never in its plain form.
	function addSecret(value: string): void {
		for (const form of secretForms(value)) if (form !== value || !/["\\]/.test(form)) secrets.add(form);
	}

	function deliver(raw: string): void {
		const json = printableJsonText(redact(raw, secrets));
		const record = options.format === "json" && !short ? undefined : parse(json);
		if (options.stderr && !fileOnly) toStderr(json, record);
		if (file) toLogFile(file, json, record);
	}

	function toStderr(json: string, record: LogRecord | undefined): void {
		hideLine();
		if (short && record) process.stderr.write(`${terminalLine(record, chalk, level === "debug" ? [] : ["stack"])}\n`);
		else process.stderr.write(render(json, record));
	}

	function render(json: string, record: LogRecord | undefined): string {
		return options.format === "json" || !record ? json : `${textLine(record)}\n`;
	}

	function toLogFile(target: LogFile, json: string, record: LogRecord | undefined): void {
		try {
			target.write(render(json, record));
		} catch (error) {
			if (detoured === undefined) {
				detoured = 0;
				warnOnStderr(`log file ${options.file} cannot be written (${(error as Error).message}); logging to stderr until it can`);
			}
			detoured++;
			if (!options.stderr && !fileOnly) toStderr(json, record);
			return;
		}
		if (detoured !== undefined) {
			const missed = detoured;
			detoured = undefined;
			warnOnStderr(`log file ${options.file} is written again`);
			log("warn", "log file could not be written for a while", { records_not_in_file: missed });
		}
	}

	function warnOnStderr(message: string): void {
		process.stderr.write(`${options.name}: ${printable(redact(message, secrets))}\n`);
	}

	function log(at: LogLevel, message: string, fields: Record<string, unknown> = {}): void {
		try {
			core[at](presentable(fields), clip(String(message)));
		} catch (error) {
			// Fields with a getter or a toJSON that throws: the message matters more.
			core[at]({ fields_lost: String(error) }, clip(String(message)));
		}
	}

	return {
		debug: (message, fields) => log("debug", message, fields),
		info: (message, fields) => log("info", message, fields),
		warn: (message, fields) => log("warn", message, fields),
		error: (message, fields) => log("error", message, fields),
		toFile(at, message, fields) {
			fileOnly = true;
			try {
				log(at, message, fields);
			} finally {
				fileOnly = false;
			}
		},
		async flush() {
			if (!options.stderr || process.stderr.destroyed) return;
			await new Promise<void>((resolve) => process.stderr.write("", () => resolve()));
		},
		addSecret,
		setLevel(next) {
			level = next;
			core.level = next;
		},
		async close() {
			await this.flush();
			file?.close();
		},
	};
}

/** A stderr without a reader must not end the service. */
function ignore(): void {}

function parse(json: string): LogRecord | undefined {
	try {
		return JSON.parse(json) as LogRecord;
	} catch {
		return undefined;
	}
}

function clip(text: string): string {
	return text.length > longestTextChars ? `${text.slice(0, longestTextChars)}… (${text.length - longestTextChars} more characters)` : text;
}

const taken = new Set(["time", "level", "name", "msg"]);

/** The fields of a record: names kept apart from the record's own, errors spelled out, long texts cut. */
function presentable(fields: Record<string, unknown>): Record<string, unknown> {
	return Object.fromEntries(Object.entries(fields).map(([key, value]) => [taken.has(key) ? `${key}_` : key, presentableValue(value, 0)]));
}

function presentableValue(value: unknown, depth: number): unknown {
	if (typeof value === "string") return clip(value);
	if (typeof value === "bigint") return value.toString();
	if (typeof value !== "object" || value === null) return value;
	if (value instanceof Error) {
		const { name, message, stack } = value;
		const code = (value as NodeJS.ErrnoException).code;
		return { type: name, message: clip(message), ...(code === undefined ? {} : { code }), ...(stack ? { stack: clip(stack) } : {}) };
	}
	if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
	if (value instanceof Uint8Array) return clip(Buffer.from(value).toString());
	if (depth === deepestField) return "…";
	if (Array.isArray(value)) return value.map((item) => presentableValue(item, depth + 1));
	if (value instanceof Set) return [...value].map((item) => presentableValue(item, depth + 1));
	const entries = value instanceof Map ? [...value].map(([key, item]) => [String(key), item] as const) : Object.entries(value);
	return Object.fromEntries(entries.map(([key, item]) => [key, presentableValue(item, depth + 1)]));
}
