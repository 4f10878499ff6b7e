import { printable } from "@robust-sync/service/printable";
import { timestamp } from "@robust-sync/system/timestamps";
import type { Severity } from "@robust-sync/workspace";
import { describe, type Problem, severityRank } from "../findings.ts";
import type { AlertEvent, AlertRecord } from "./alert-record.ts";
import { nextReminder, remindersDue } from "./reminders.ts";

/** The input of one step of the lifecycle. Times are milliseconds (since the epoch). */
export interface LifecycleInput {
	readonly now: number;
	readonly problems: readonly Problem[];
	readonly isSilenced: (id: string) => boolean;
	/** Minimum time between two notifications of the same alert. */
	readonly cooldownMs: number;
	/** How long a condition must be gone until its alert is resolved. */
	readonly resolveAfterMs: number;
	/** Whether any channel is configured; without one, alerts are only logged, and sent once there is one. Default true. */
	readonly hasChannel?: boolean;
	/** No round ran for a while (a stop, a suspended machine): a pending condition must be seen again for its full time. */
	readonly afterGap: boolean;
}

/** An alert that comes back within this time after it was resolved is flapping. */
const flapWindowMs = 60 * 60_000;
/** How long resolved alerts are kept for the dashboard. */
const keepResolvedMs = 24 * 60 * 60_000;
/** No reminder is sent this soon after the first notification, if that was late. */
const noReminderWithinMs = 30 * 60_000;
/** How many resolved alerts are kept at most. */
const keepResolved = 200;
/** A receiver lets an alert expire this long after its next reminder was due. */
const expiryMarginMs = 15 * 60_000;

/**
 * Advances every alert by one step (pending → firing → resolved, as in Prometheus) and returns the notifications to send.
 * Pure: the same records and input give the same result.
 *
 * - An alert fires when its condition has lasted for its time, and is resolved when it has been gone for `resolveAfterMs`;
 *   one that came back soon after it was resolved must be gone for the cooldown: a flapping check does not notify on each flap.
 * - Announced state and current state are compared: fired and not announced (cooldown over, not silenced, not the
 *   symptom of another active alert): `firing`; announced and over: `resolved`, once; announced long ago: `reminder`.
 */
export function step(records: readonly AlertRecord[], input: LifecycleInput): { records: AlertRecord[]; events: AlertEvent[] } {
	const problems = worstById(input.problems);
	const known = new Map(records.map((record) => [record.id, { ...record }]));
	for (const [id, problem] of problems) {
		const record = known.get(id);
		if (record) known.set(id, observe(record, problem, input));
		else if (problem.notify !== false) known.set(id, observe(newRecord(problem, input), problem, input));
	}
	for (const [id, record] of known) {
		if (problems.has(id)) continue;
		const next = clear(record, input);
		if (next) known.set(id, next);
		else known.delete(id);
	}
	const alerts = prune([...known.values()], input.now);
	return { records: alerts, events: announce(alerts, problems, input) };
}

function worstById(problems: readonly Problem[]): Map<string, Problem> {
	const worst = new Map<string, Problem>();
	const weight = (problem: Problem) => (problem.notify === false ? 0 : 10) + severityRank(problem.severity);
	for (const problem of problems) {
		const other = worst.get(problem.id);
		if (!other || weight(problem) > weight(other)) worst.set(problem.id, problem);
	}
	return worst;
}

function time(text: string | null | undefined): number | null {
	if (text === null || text === undefined) return null;
	const at = Date.parse(text);
	return Number.isNaN(at) ? null : at;
}

/** When the condition began. An invalid or future time is from a file that cannot be trusted. */
function beginning(problem: Problem, fallback: number): number {
	return problem.since !== undefined && problem.since >= 0 && problem.since < fallback ? problem.since : fallback;
}

function newRecord(problem: Problem, { now }: LifecycleInput): AlertRecord {
	return {
		id: problem.id,
		severity: problem.severity,
		state: "pending",
		since: timestamp(beginning(problem, now)),
		last_notified: null,
		message: "",
		title: "",
		detail: "",
		seen_at: timestamp(now),
		fired_at: null,
		clear_since: null,
		resolved_at: null,
		announced: null,
		unheard: false,
		reminders: 0,
		flapping: false,
		once: false,
	};
}

/** Updates the alert of a condition that is present. */
function observe(before: AlertRecord, problem: Problem, input: LifecycleInput): AlertRecord {
	const { now } = input;
	let record = before;
	// Shown only: for a firing alert it means that the worst is over (a first failure after a success).
	if (problem.notify === false && record.state !== "pending") return clear(record, input) ?? record;
	if (record.state === "resolved") {
		const resolvedAt = time(record.resolved_at);
		const { last_notified, announced } = record;
		record = { ...newRecord(problem, input), last_notified, announced: announced ?? null, resolved_at: record.resolved_at };
		record.flapping = resolvedAt !== null && now - resolvedAt < flapWindowMs;
	}
	if (record.once && problem.occurrence !== record.occurrence) record.announced = null;
	record = {
		...record,
		...texts(problem),
		occurrence: problem.occurrence,
		severity: problem.severity,
		clear_since: null,
		once: problem.once === true,
	};
	if (record.state !== "pending") return record;
	if (problem.notify === false || (input.afterGap && before.state === "pending")) record.seen_at = timestamp(now);
	const seenAt = Math.min(time(record.seen_at) ?? now, now);
	if (problem.notify === false || now - seenAt < (problem.forMs ?? 0)) return record;
	record.state = "firing";
	record.fired_at = timestamp(now);
	record.since = timestamp(beginning(problem, seenAt));
	return record;
}

function texts(problem: Problem): Pick<AlertRecord, "message" | "title" | "detail" | "cause" | "action"> {
	const { title, detail, cause, action } = problem;
	return {
		message: printable(describe(problem)),
		title: printable(title),
		detail: printable(detail),
		cause: cause && printable(cause),
		action: action && printable(action),
	};
}

/** Updates the alert of a condition that is gone. null: nothing is left to remember. */
function clear(before: AlertRecord, { now, resolveAfterMs, cooldownMs }: LifecycleInput): AlertRecord | null {
	const record = { ...before };
	if (record.state === "pending") {
		// Announced along with another alert: then its end is announced, too.
		if ((record.announced ?? null) !== null) return { ...record, state: "resolved", resolved_at: timestamp(now) };
		return record.resolved_at ? { ...record, state: "resolved" } : null;
	}
	if (record.state === "resolved") return record;
	// A time ahead of the clock (it was set back) counts from now.
	const clearSince = Math.min(time(record.clear_since) ?? now, now);
	record.clear_since = timestamp(clearSince);
	const hold = record.once ? 0 : record.flapping ? Math.max(cooldownMs, resolveAfterMs) : resolveAfterMs;
	if (now - clearSince < hold) return record;
	record.state = "resolved";
	record.resolved_at = timestamp(clearSince);
	record.clear_since = null;
	if (record.once) record.announced = null;
	return record;
}

function prune(records: AlertRecord[], now: number): AlertRecord[] {
	const isPast = (record: AlertRecord) => record.state === "resolved" && (record.announced ?? null) === null;
	const past = records
		.filter(isPast)
		.filter((record) => now - (time(record.resolved_at) ?? 0) < keepResolvedMs)
		.sort((a, b) => (time(b.resolved_at) ?? 0) - (time(a.resolved_at) ?? 0))
		.slice(0, keepResolved);
	const kept = new Set(past);
	return records.filter((record) => !isPast(record) || kept.has(record));
}

/** Whether the cooldown since the last notification of the alert is over. */
function cooledDown(record: AlertRecord, { now, cooldownMs }: LifecycleInput): boolean {
	const last = time(record.last_notified);
	// A notification far ahead of the clock is from before the clock was set, or made up.
	return last === null || now - last >= cooldownMs || now - last < -cooldownMs;
}

/** Compares the announced state with the current one. Changes the records that it announces. */
function announce(records: AlertRecord[], problems: ReadonlyMap<string, Problem>, input: LifecycleInput): AlertEvent[] {
	const { now, isSilenced, hasChannel = true } = input;
	const active = new Set(records.filter((record) => record.state !== "resolved").map((record) => record.id));
	const isSymptom = (id: string) => problems.get(id)?.symptomOf?.some((cause) => cause !== id && active.has(cause)) ?? false;
	const events: AlertEvent[] = [];
	for (const record of records) {
		if (isSilenced(record.id)) continue;
		const announced: Severity | null = record.announced ?? null;
		if (record.state === "resolved") {
			if (announced === null) continue;
			record.announced = null;
			const isHeard = !record.unheard;
			record.unheard = false;
			if (hasChannel && !isHeard) continue;
			if (hasChannel) record.last_notified = timestamp(now);
			events.push({ ...event(record, "resolved", problems.get(record.id), now), severity: announced });
		} else if (record.state === "firing" && record.clear_since === null && !isSymptom(record.id)) {
			const worse = severityRank(record.severity) > severityRank(announced);
			const elapsed = now - (time(record.fired_at) ?? now);
			const due = record.once ? 0 : remindersDue(elapsed);
			const isOwed = record.unheard && hasChannel;
			if (!(worse || due > record.reminders || isOwed) || !cooledDown(record, input)) continue;
			record.reminders = worse || isOwed ? remindersDue(elapsed + noReminderWithinMs) : due;
			record.unheard = !hasChannel;
			const severity = worse || announced === null ? record.severity : announced;
			record.announced = severity;
			if (hasChannel) record.last_notified = timestamp(now);
			const next = event(record, worse || isOwed ? "firing" : "reminder", problems.get(record.id), now);
			events.push({ ...next, severity, ...(worse && announced !== null && !isOwed ? { escalatedFrom: announced } : {}) });
		}
	}
	return [...events, ...announceRelated(records, problems, events, input)];
}

/**
 * When one symptom of a broken network is announced, the others that have begun (a peer that is late, a first
 * failure) are announced with it, and not once more when their own time is over.
 */
function announceRelated(
	records: AlertRecord[],
	problems: ReadonlyMap<string, Problem>,
	events: readonly AlertEvent[],
	input: LifecycleInput,
): AlertEvent[] {
	const announced = new Set(events.map(({ id }) => id));
	if (!events.some((event) => event.network && event.kind === "firing")) return [];
	const related: AlertEvent[] = [];
	for (const problem of problems.values()) {
		if (problem.network !== true || announced.has(problem.id) || input.isSilenced(problem.id)) continue;
		let record = records.find((candidate) => candidate.id === problem.id);
		if (record && ((record.announced ?? null) !== null || record.state === "firing" || !cooledDown(record, input))) continue;
		if (record?.state === "resolved") {
			Object.assign(record, { ...newRecord(problem, input), ...texts(problem), resolved_at: record.resolved_at });
		}
		if (!record) {
			record = { ...newRecord(problem, input), ...texts(problem) };
			records.push(record);
		}
		record.announced = "critical";
		record.unheard = input.hasChannel === false;
		if (!record.unheard) record.last_notified = timestamp(input.now);
		related.push({ ...event(record, "firing", problem, input.now), severity: "critical" });
	}
	return related;
}

function event(record: AlertRecord, kind: AlertEvent["kind"], problem: Problem | undefined, now: number): AlertEvent {
	const firedAt = time(record.fired_at) ?? now;
	return {
		id: record.id,
		kind,
		severity: record.severity,
		title: record.title,
		detail: record.detail,
		cause: record.cause,
		action: record.action,
		since: Math.min(time(record.since) ?? now, now),
		at: kind === "resolved" ? (time(record.resolved_at) ?? now) : kind === "firing" ? (time(record.fired_at) ?? now) : now,
		once: record.once,
		expiresAt: firedAt + nextReminder(Math.max(0, now - firedAt)) + expiryMarginMs,
		network: problem?.network === true,
	};
}
