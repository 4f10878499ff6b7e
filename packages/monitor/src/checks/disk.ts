import { formatSize } from "@robust-sync/system/format-size";
import type { Finding, Problem } from "../findings.ts";
import { oneLine } from "../plain-text.ts";
import type { Facts } from "../readings/facts.ts";

/** Fractions of the whole that are free. */
const warnBelow = 0.1;
const criticalBelow = 0.03;
const alertDelayMs = 30_000;

/** Free space and inodes of the file system that holds the workspace. */
export function checkDisk(facts: Facts): Finding {
	const name = "disk";
	const { disk } = facts;
	if (disk === null || disk.totalBytes <= 0) {
		const detail = "The free space of the workspace's disk cannot be read.";
		return {
			name,
			summary: detail,
			problems: [{ id: name, severity: "warning", title: "disk is not readable", detail, action: "df .", forMs: alertDelayMs }],
		};
	}
	const space = disk.freeBytes / disk.totalBytes;
	const inodes = disk.totalInodes > 0 ? disk.freeInodes / disk.totalInodes : 1;
	const summary = `${percent(space)} free (${formatSize(disk.freeBytes)})${disk.totalInodes > 0 ? `, ${percent(inodes)} of the inodes` : ""}`;
	const problems: Problem[] = [];
	for (const [share, what, action] of [
		[space, "space", "du -xsh sync/backups sync/conflicts logs .git"],
		[inodes, "inodes", "find . -xdev | cut -d/ -f2 | sort | uniq -c | sort -n | tail"],
	] as const) {
		if (share >= warnBelow) continue;
		problems.push({
			id: name,
			severity: share < criticalBelow ? "critical" : "warning",
			title: `disk is nearly out of ${what}`,
			detail: `The disk of ${oneLine(facts.root)} has ${percent(share)} of its ${what} left${what === "space" ? ` (${formatSize(disk.freeBytes)})` : ""}.`,
			action,
		});
	}
	return { name, summary, problems };
}

function percent(share: number): string {
	return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
