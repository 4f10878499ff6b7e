import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parseConfig } from "./config.ts";
import { WorkspacePaths } from "./paths.ts";
import {
	alertSchema,
	errorCodes,
	healthStateSchema,
	heartbeatStateSchema,
	manifestSchema,
	monitorStatusSchema,
	peerStateSchema,
	skipReasons,
	syncStateSchema,
	syncStatuses,
} from "./state-schemas.ts";

const here = import.meta.dirname;
const contract = readFileSync(path.join(here, "../../../docs/contract.md"), "utf8");

/** The text of one numbered section. */
function section(number: number): string {
	const text = contract.split(/^## /m).find((part) => part.startsWith(`${number}. `));
	if (text === undefined) throw new Error(`docs/contract.md has no section ${number}`);
	return text;
}

const words = (text: string) => new Set(text.match(/[\w-]+/g));

describe("docs/contract.md", () => {
	const source = readFileSync(path.join(here, "config.ts"), "utf8");
	const variables = new Set(Array.from(source.matchAll(/"([A-Z][A-Z_]{3,})"/g), ([, name]) => name as string));
	const rows = new Map(
		Array.from(section(2).matchAll(/^\| ([A-Z_, ]+) \| (.*?) \|/gm)).flatMap(([, names, fallback]) =>
			(names ?? "").split(", ").map((name) => [name, fallback ?? ""] as const),
		),
	);

	test("contract: variables → every one that is read, and no other", () => {
		expect([...rows.keys()].sort()).toEqual([...variables].sort());
	});

	test("contract: defaults → those that are used", () => {
		const defaults = parseConfig({});
		const documented = Object.fromEntries([...rows].filter(([, fallback]) => /^[\d.]+$|^[a-z]+$/.test(fallback)));
		expect(documented).toMatchObject({
			SYNC_REMOTE: defaults.syncRemote,
			SYNC_INTERVAL: String(defaults.syncIntervalSeconds),
			SYNC_PUSH_INTERVAL: String(defaults.syncPushInterval),
			SYNC_WATCH: defaults.syncWatch ? "1" : "0",
			SYNC_NESTED: defaults.syncNested,
			SYNC_HOOKS: defaults.syncHooks ? "1" : "0",
			SYNC_ATIME: defaults.syncAtime,
			SYNC_SECRETS: defaults.syncSecrets,
			MAX_FILE_MB: String(defaults.maxFileMb),
			GUARD: defaults.guard ? "1" : "0",
			GUARD_FILES: String(defaults.guardFiles),
			GUARD_PERCENT: String(defaults.guardPercent),
			GIT_TIMEOUT: String(defaults.gitTimeoutSeconds),
			HEARTBEAT_PORT: String(defaults.heartbeatPort),
			HEARTBEAT_INTERVAL: String(defaults.heartbeatIntervalSeconds),
			PEER_TIMEOUT: String(defaults.peerTimeoutSeconds),
			HEALTH_PORT: String(defaults.healthPort),
			HEALTH_HOST: defaults.healthHost,
			MONITOR_INTERVAL: String(defaults.monitorIntervalSeconds),
			MAX_SYNC_FAILURES: String(defaults.maxSyncFailures),
			ALERT_COOLDOWN: String(defaults.alertCooldownSeconds),
			MEMORY_LIMIT_MB: String(defaults.memoryLimitMb),
			LOG_LEVEL: defaults.logLevel,
			LOG_FORMAT: defaults.logFormat,
		});
	});

	test.each([
		["sync_state.json", syncStateSchema],
		["heartbeat_state.json", heartbeatStateSchema],
		["peer_<name>_state.json", peerStateSchema],
		["health_state.json", healthStateSchema],
		["monitor_status.json", monitorStatusSchema],
	])("contract: %s → every field named", (name, schema) => {
		const paragraph = section(4)
			.split("\n\n")
			.find((text) => text.startsWith(`**${name}**`));
		expect([...words(paragraph ?? "")]).toEqual(expect.arrayContaining(Object.keys(schema.shape)));
	});

	test("contract: an alert and a manifest → every field named", () => {
		expect([...words(section(4))]).toEqual(expect.arrayContaining(Object.keys(alertSchema.shape)));
		const fields = [...Object.keys(manifestSchema.shape), ...Object.keys(manifestSchema.shape.files.def.element.shape)];
		expect([...words(section(7))]).toEqual(expect.arrayContaining(fields));
	});

	test("contract: status, reasons to skip a file, error codes → every one named", () => {
		expect([...words(section(4))]).toEqual(expect.arrayContaining([...syncStatuses, ...skipReasons]));
		expect(section(5).match(/\b[A-Z]+(_[A-Z]+)+\b|\b(PAUSED|INTERNAL)\b/g)).toEqual([...errorCodes]);
	});

	test("contract: files of ours in the workspace → every one named", () => {
		const paths = new WorkspacePaths("/w");
		const names = Object.getOwnPropertyNames(WorkspacePaths.prototype)
			.map((property) => Reflect.get(paths, property))
			.filter((value): value is string => typeof value === "string" && value !== "/w");
		for (const name of names) expect(contract).toContain(path.basename(name));
	});
});
