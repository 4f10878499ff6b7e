import fs from "node:fs";
import { ExitCode } from "@robust-sync/service/exit-codes";
import { interfaceVariable } from "@robust-sync/service/program-interface";
import { locateWorkspace } from "@robust-sync/workspace/locate";
import { WorkspacePaths } from "@robust-sync/workspace/paths";
import { readStateText } from "@robust-sync/workspace/read-state";
import type { SyncState } from "@robust-sync/workspace/state-schemas";
import { formatStatus, reportStatus, statusDocument } from "./status-report.ts";

// Nothing here may import more than node:fs and node:path: what a start costs is what it loads.

type Check = (value: unknown) => boolean;

const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const text: Check = (value) => typeof value === "string";
const time: Check = (value) => typeof value === "string" && timestamp.test(value);
const number: Check = (value) => Number.isFinite(value);
const count: Check = (value) => number(value) && (value as number) >= 0;
const orNull =
	(check: Check): Check =>
	(value) =>
		value === null || check(value);
const only = (...words: string[]): Check =>
	(
		(known) => (value) =>
			known.has(value as string)
	)(new Set(words));
/** Exactly these fields: what a newer writer adds is left to the schema. */
const fields = (shape: Record<string, Check>): Check => {
	const names = Object.keys(shape);
	return (value) =>
		typeof value === "object" &&
		value !== null &&
		Object.keys(value).length === names.length &&
		names.every((name) => Object.hasOwn(value, name) && shape[name]?.((value as Record<string, unknown>)[name]));
};

/** What a healthy or stopped writer leaves; narrower than the schema, and never wider. */
const isPlainState = fields({
	schema: (value) => value === 1,
	node: text,
	pid: number,
	pid_started_at: time,
	updated_at: time,
	started_at: time,
	status: only("idle", "syncing", "retrying", "failed", "stopped"),
	last_attempt: orNull(time),
	last_sync: orNull(time),
	last_error: (value) => value === null,
	consecutive_failures: count,
	next_attempt: orNull(time),
	interval_seconds: count,
	branch: orNull(text),
	remote: orNull(text),
	head: orNull(text),
	ahead: count,
	behind: count,
	messages_pending: count,
	skipped: (value) => Array.isArray(value) && value.length === 0,
	last_cycle: orNull(fields({ duration_ms: count, committed: count, pulled: count, pushed: count, resolved: count })),
	totals: fields({ cycles: count, failures: count, commits: count, resolved: count, rescued: count }),
});

/** The state, where its text is one that needs no second look; null: ask the schema. */
export function plainState(json: string): SyncState | null {
	try {
		const value: unknown = JSON.parse(json);
		return isPlainState(value) ? (value as SyncState) : null;
	} catch {
		return null;
	}
}

/** `--status`, perhaps with `--json` and `--workspace DIR`, each once. */
function parse(args: readonly string[]): { json: boolean; workspace: string | undefined } | null {
	const seen = new Set<string>();
	let workspace: string | undefined;
	for (let at = 0; at < args.length; at++) {
		const arg = args[at] ?? "";
		if (seen.has(arg)) return null;
		seen.add(arg);
		if (arg === "--workspace") {
			workspace = args[++at];
			if (!workspace || workspace.startsWith("-")) return null;
		} else if (arg !== "--status" && arg !== "--json") return null;
	}
	return seen.has("--status") ? { json: seen.has("--json"), workspace } : null;
}

const devNull = 0x103;

/** A terminal is shown colours, which must be loaded. */
function isTerminal(): boolean {
	const stats = fs.fstatSync(1);
	return stats.isCharacterDevice() && stats.rdev !== devNull;
}

/** Writes to standard output without loading what process.stdout needs. False: the reader went away. */
function write(line: string): void {
	let rest = Buffer.from(line);
	try {
		while (rest.length > 0) rest = rest.subarray(fs.writeSync(1, rest));
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "EPIPE") return;
		// A pipe that is full and does not block.
		if (code !== "EAGAIN") throw error;
		process.stdout.on("error", () => undefined);
		process.stdout.write(rest);
	}
}

/** Answers the plain case of `--status`. @returns the exit code; null: nothing was said, and the whole program must decide */
export function quickStatus(args: readonly string[], env: NodeJS.ProcessEnv): number | null {
	const options = parse(args);
	if (options === null || env[interfaceVariable]) return null;
	let line: string;
	let code: number;
	try {
		if (isTerminal()) return null;
		const paths = new WorkspacePaths(locateWorkspace({ flag: options.workspace, env }));
		const read = readStateText(paths.syncState);
		const state = read.kind === "ok" ? plainState(read.state) : null;
		if (state === null) return null;
		const now = Date.now();
		const report = reportStatus({ kind: "ok", state }, now);
		const plain = (words: string) => words;
		line = options.json ? statusDocument(report) : formatStatus(report, now, { yellow: plain, green: plain, red: plain });
		code = report.exitCode;
	} catch {
		return null;
	}
	try {
		write(`${line}\n`);
	} catch (error) {
		fs.writeSync(2, `robust-sync: cannot write to standard output: ${(error as Error).message}\n`);
		return ExitCode.failed;
	}
	return code;
}
