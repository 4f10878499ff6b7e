import { expect, test } from "@jest/globals";
import { formatStatus, reportStatus, statusDocument } from "./status-report.ts";

const now = Date.UTC(2026, 1, 18, 2, 0, 0);
const plain = { yellow: String, green: String, red: String };
const report = reportStatus({ kind: "missing" }, now);
const since = "2026-02-18T01:00:00.000Z";

test.each([
	[null, "until robust-sync --resume"],
	["2026-02-18T03:00:00.000Z", "until 2026-02-18T03:00:00.000Z"],
])("status: no instance runs, paused until %j → reported, also in JSON", (until, text) => {
	const extras = { configurationProblem: null, progress: null, pause: { since, until } };
	expect(formatStatus(report, now, plain, extras)).toContain(`\n  paused      since ${since}, ${text}`);
	expect(JSON.parse(statusDocument(report, extras))).toMatchObject({ running: false, paused: { since, until } });
});

test("status: no instance runs, not paused → no pause", () => {
	const extras = { configurationProblem: null, progress: null, pause: null };
	expect(formatStatus(report, now, plain, extras)).not.toContain("paused");
	expect(JSON.parse(statusDocument(report, extras))).toMatchObject({ running: false, paused: null });
});
