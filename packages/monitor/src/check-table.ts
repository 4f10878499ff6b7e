import { printable } from "@robust-sync/service/printable";
import { formatDuration, formatTime } from "@robust-sync/system/durations";
import type { ChalkInstance } from "chalk";
import type { CheckReport } from "./check-once.ts";
import { matches } from "./lifecycle/silences.ts";

const symbols = { ok: "✓", warning: "!", critical: "✗" } as const;

/** The report as a table for people: a line a check, with the remedy beside each problem. */
export function renderTable(report: CheckReport, color: ChalkInstance): string {
	const now = Date.parse(report.checked_at);
	const paintBy = { ok: color.green, warning: color.yellow, critical: color.red };
	const width = Math.max(...report.checks.map((check) => check.name.length), 0);
	const lines = report.checks.map((check) => {
		const paint = paintBy[check.status];
		const since = Date.parse(check.since);
		const age = check.status === "ok" || now - since < 1000 ? "" : color.dim(` [for ${formatDuration(now - since)}]`);
		const silence = report.silences.find((candidate) => matches(candidate, check.name));
		const quiet = silence ? color.dim(` [silenced until ${formatTime(Date.parse(silence.until), now)}]`) : "";
		return `${paint(symbols[check.status])} ${printable(check.name).padEnd(width)}  ${check.status === "ok" ? color.dim(printable(check.message)) : printable(check.message)}${age}${quiet}`;
	});
	const bad = report.checks.filter((check) => check.status !== "ok").length;
	const verdict =
		bad === 0
			? color.green(`${report.node}: ok, ${report.checks.length} checks`)
			: paintBy[report.status === "critical" ? "critical" : "warning"](
					`${report.node}: ${report.status}, ${bad} of ${report.checks.length} checks not ok`,
				);
	const idle = report.running.length === 0 ? [color.yellow(`nothing runs on ${report.node}: this is the last recorded state`)] : [];
	return `${[...lines, ...idle, verdict].join("\n")}\n`;
}
