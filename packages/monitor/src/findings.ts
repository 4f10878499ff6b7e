import type { Severity } from "@robust-sync/workspace";

/** A problem, found by one check in one round. */
export interface Problem {
	/** The alert that it raises: `heartbeat:chad`, `sync`, `process:heartbeat`, `conflicts:heads`, … */
	readonly id: string;
	readonly severity: Severity;
	/** A few words: `chad is silent`. */
	readonly title: string;
	/** One line: what exactly, where and since when. */
	readonly detail: string;
	/** The likely cause, if one is known. */
	readonly cause?: string;
	/** The remedy: a command or a step. */
	readonly action?: string;
	/** When it began according to the facts, milliseconds since the epoch; without it, when it was first seen. */
	readonly since?: number;
	/** How long it must last until the alert fires, milliseconds. Default 0: at once. */
	readonly forMs?: number;
	/** false: shown by the check and never alerted. Default true. */
	readonly notify?: boolean;
	/** The check stays ok until `forMs` is over, because the condition is normal for a while. */
	readonly normalForAWhile?: boolean;
	/** An event and not a state: sent once, without reminders or a message when it is over. */
	readonly once?: boolean;
	/** Identifies the event. Another value is another event, which is sent as well. */
	readonly occurrence?: string;
	/** Alerts that, while they are active, are the cause of this one: then it is not sent separately. */
	readonly symptomOf?: readonly string[];
	/** It is about reaching other machines: several of these at once have one cause. */
	readonly network?: boolean;
}

/** The result of one check in one round. Without problems `summary` describes the state. */
export interface Finding {
	readonly name: string;
	readonly summary: string;
	readonly problems: readonly Problem[];
}

/** The order of severities: critical is worse than warning. */
export function severityRank(severity: Severity | null): number {
	return severity === "critical" ? 2 : severity === "warning" ? 1 : 0;
}

/** A problem as one line with its remedy. */
export function describe(problem: { detail: string; cause?: string | undefined; action?: string | undefined }): string {
	return [problem.detail, problem.cause && `Likely: ${problem.cause}`, problem.action && `Do: ${problem.action}`].filter(Boolean).join(" ");
}
