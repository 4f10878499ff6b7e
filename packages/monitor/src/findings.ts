import type { Severity } from "@robust-sync/workspace";

/** Something that is not as it should be, found by one check in one round. */
export interface Problem {
	/** The alert that it raises: `heartbeat:chad`, `sync`, `process:heartbeat`, `conflicts:heads`, … */
	readonly id: string;
	readonly severity: Severity;
	/** What, in a few words: `chad is silent`. */
	readonly title: string;
	/** What exactly, where and since when: one line. */
	readonly detail: string;
	/** The likely cause, where one can be named. */
	readonly cause?: string;
	/** The command to run, or what to do. */
	readonly action?: string;
	/** When it began by what was read, milliseconds since the epoch; without it, when it was first seen. */
	readonly since?: number;
	/** How long it must last until the alert fires, milliseconds. Default 0: at once. */
	readonly forMs?: number;
	/** false: shown by the check and never alerted. Default true. */
	readonly notify?: boolean;
	/** The check stays ok until `forMs` is over: what is normal for a while is not worth a look. */
	readonly normalForAWhile?: boolean;
	/** An event and not a state: told once, with no reminder and no word when it is over. */
	readonly once?: boolean;
	/** Of an event: which one. Another value is another event, told on its own. */
	readonly occurrence?: string;
	/** Alerts that, while they are active, are the reason for this one: then it is not told apart. */
	readonly symptomOf?: readonly string[];
	/** It is about reaching other machines: several of these at once are one story. */
	readonly network?: boolean;
}

/** What one check says in one round. No problems: all is well, and `summary` says how it stands. */
export interface Finding {
	readonly name: string;
	readonly summary: string;
	readonly problems: readonly Problem[];
}

/** The order of severities: critical is worse than warning. */
export function severityRank(severity: Severity | null): number {
	return severity === "critical" ? 2 : severity === "warning" ? 1 : 0;
}

/** A problem as one line that says what to do. */
export function describe(problem: { detail: string; cause?: string | undefined; action?: string | undefined }): string {
	return [problem.detail, problem.cause && `Likely: ${problem.cause}`, problem.action && `Do: ${problem.action}`].filter(Boolean).join(" ");
}
