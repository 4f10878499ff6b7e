import { printable } from "@robust-sync/service/printable";
import { timestamp } from "@robust-sync/system/timestamps";
import { describe, type Finding, type Problem, severityRank } from "./findings.ts";
import type { AlertRecord } from "./lifecycle/alert-record.ts";
import type { CheckRow } from "./status-file.ts";

/**
 * The checks as people see them: status, remedy, since when. A condition that is normal for a while counts only once its alert
 * fires; `since` is kept from the last round while the status stays the same.
 */
export function toCheckRows(
	findings: readonly Finding[],
	alerts: readonly AlertRecord[],
	before: readonly CheckRow[],
	now: number,
): CheckRow[] {
	const firing = new Set(alerts.filter((alert) => alert.state === "firing").map((alert) => alert.id));
	const previous = new Map(before.map((row) => [row.name, row]));
	return findings.map((finding) => {
		const problems = finding.problems
			.filter((problem) => problem.normalForAWhile !== true || firing.has(problem.id))
			.sort((a, b) => severityRank(b.severity) - severityRank(a.severity));
		const worst: Problem | undefined = problems[0];
		const status = worst?.severity ?? "ok";
		const last = previous.get(finding.name);
		const began = [...problems.map((problem) => problem.since ?? now), last?.status === status ? Date.parse(last.since) : now];
		// An invalid or future time is from a file that cannot be trusted.
		const since = Math.min(now, ...began.filter((at) => at >= 0 && at <= now));
		const others =
			problems.length > 1
				? ` (and: ${problems
						.slice(1)
						.map((problem) => problem.title)
						.join("; ")})`
				: "";
		return {
			name: finding.name,
			status,
			message: printable(worst ? `${describe(worst)}${others}` : finding.summary),
			since: timestamp(since),
		};
	});
}
