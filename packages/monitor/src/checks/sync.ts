import { formatDuration, formatTime } from "@robust-sync/system/durations";
import {
	heldLossCommands,
	heldLossText,
	pausedText,
	type SyncState,
	skipRemedies,
	staleAfterMsOf,
	withRemoteMessage,
} from "@robust-sync/workspace";
import type { Finding, Problem } from "../findings.ts";
import { oneLine } from "../plain-text.ts";
import type { Facts } from "../readings/facts.ts";
import { adviceFor } from "./advice.ts";

/** A round or two of grace: a machine that just resumed is behind, and catches up by itself. */
const alertDelayMs = 30_000;
/** As in /health: a message that waits longer than this for delivery is reported. */
const pendingTooLongMs = 10 * 60_000;
/** A rewritten history is alerted once; the check shows it for this long. */
const historyShownMs = 60 * 60_000;
/** A pause that lasts longer than this was perhaps forgotten. */
const pausedLongMs = 24 * 60 * 60_000;
const networkCodes: readonly string[] = ["REMOTE_UNREACHABLE", "GIT_TIMEOUT"];

function remedyOf(reason: string): string {
	const known: Readonly<Record<string, string>> = skipRemedies;
	return known[reason] === undefined ? oneLine(reason) : `${reason}: ${known[reason]}`;
}

/** Whether cycles succeed: failures in a row, no success for five intervals, rewritten history, newly skipped files, waiting messages. */
export function checkSync(facts: Facts): Finding {
	const { now, config, view } = facts;
	const name = "sync";
	if (view.sync.kind === "missing") {
		const detail = "robust-sync has never run in this workspace.";
		// The alert about it is `process:sync`.
		return {
			name,
			summary: detail,
			problems: [{ id: name, severity: "warning", title: "sync never ran", detail, action: "robust-sync", notify: false }],
		};
	}
	if (view.sync.kind === "invalid") {
		const detail = `sync_state.json is not valid: ${oneLine(view.sync.problem)}.`;
		const action = "restart robust-sync: it sets the file aside and writes a new one";
		return {
			name,
			summary: detail,
			problems: [{ id: name, severity: "warning", title: "sync state is not readable", detail, action, forMs: alertDelayMs }],
		};
	}
	const state = view.sync.state;
	const problems: Problem[] = [];
	const lastSync = state.last_sync === null ? null : Math.min(Date.parse(state.last_sync), now);
	const lastSyncText = lastSync === null ? "it never succeeded" : `last success ${formatTime(lastSync, now)}`;
	const error = state.last_error;
	const code = error?.code ?? "INTERNAL";
	const failures = state.consecutive_failures;
	const symptomOf = [...(code === "DISK_FULL" ? ["disk"] : []), ...(code === "CONFLICT_UNRESOLVED" ? ["conflicts"] : [])];

	if (failures > 0) {
		const failing = failures >= config.maxSyncFailures;
		const times = failures === 1 ? "once" : `${failures} times in a row`;
		const retry = state.next_attempt === null ? "" : ` Next attempt ${formatTime(Date.parse(state.next_attempt), now)}.`;
		problems.push({
			id: name,
			severity: failing ? "critical" : "warning",
			title: `sync failed ${times} (${code})`,
			detail: `Sync failed ${times}, ${lastSyncText}: ${oneLine(error ? withRemoteMessage(error.message, error.remote_message) : "no reason recorded", 600)}.${retry}`,
			...adviceFor[code],
			...promotion(facts, code, lastSync, state),
			...(lastSync === null ? {} : { since: lastSync }),
			notify: failing,
			symptomOf,
			network: networkCodes.includes(code),
		});
	}

	if (state.status === "paused") {
		problems.push({
			id: "sync:paused",
			severity: "warning",
			title: "sync is paused",
			detail: `${pausedText(state)}.`,
			action: "robust-sync --resume",
			// A requested pause; reported only if it lasts.
			notify: now - Date.parse(state.paused?.since ?? state.started_at) > pausedLongMs,
		});
	}
	const stale = state.status === "paused" ? null : staleness(facts, now);
	if (stale !== null && failures < config.maxSyncFailures) {
		problems.push({
			id: name,
			severity: "critical",
			title: `no successful sync for ${formatDuration(stale)}`,
			detail: `No sync has succeeded for ${formatDuration(stale)} (${lastSyncText}; status ${state.status}).`,
			// `process:sync` reports a process that does not run, with its remedy.
			...(facts.services.sync.status === "down" ? {} : { cause: "robust-sync hangs, or a git command takes very long." }),
			action: "robust-sync --status; tail -n 50 logs/sync.log",
			since: now - stale,
			forMs: alertDelayMs,
			symptomOf: [...symptomOf, "process:sync"],
		});
	}
	for (const held of state.held ?? []) {
		problems.push({
			id: held.direction === "outgoing" ? "sync:held" : "sync:held-incoming",
			severity: "warning",
			title: `${held.files} files would be lost: held`,
			detail: `${oneLine(heldLossText(held), 600)}.`,
			cause: "a program deleted or overwrote more than it should, or a person cleaned up.",
			action: heldLossCommands,
			since: Date.parse(held.since),
		});
	}
	if (error?.code === "HISTORY_REWRITTEN" && now - Date.parse(error.at) < historyShownMs) {
		problems.push({
			id: "sync:history",
			severity: "warning",
			title: "the remote's history was rewritten",
			detail: `The remote's history was rewritten (${formatTime(Date.parse(error.at), now)}); both histories were kept and merged.`,
			...adviceFor.HISTORY_REWRITTEN,
			once: true,
			occurrence: error.at,
		});
	}
	if (facts.newlySkipped.length > 0) {
		const shown = facts.newlySkipped.slice(0, 5).map((item) => `${oneLine(item.path, 120)} (${item.reason})`);
		const more = facts.newlySkipped.length - shown.length;
		problems.push({
			id: "sync:skipped",
			severity: "warning",
			title: `${facts.newlySkipped.length} more ${facts.newlySkipped.length === 1 ? "file is" : "files are"} not synced`,
			detail: `Left out of sync: ${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}.`,
			action: `${[...new Set(facts.newlySkipped.slice(0, 5).map(({ reason }) => remedyOf(reason)))].join("; ")}. All of them: robust-sync --status`,
			once: true,
			occurrence: String(Math.max(...facts.newlySkipped.map((item) => item.seenAt))),
		});
	}
	const secrets = state.secrets ?? [];
	if (secrets.length > 0) {
		const shown = secrets
			.slice(0, 5)
			.map(({ path, rule, line }) => `${oneLine(path, 120)}, ${line === 0 ? "in its name" : `line ${line}`} (${oneLine(rule, 60)})`);
		problems.push({
			id: "sync:secret",
			severity: "critical",
			title: `a secret was published in ${secrets.length === 1 ? "a file" : `${secrets.length} files`}`,
			detail: `On the hub with a secret in it: ${shown.join("; ")}${secrets.length > shown.length ? "; …" : ""}.`,
			action: "revoke it where it was issued, and remove it from the file; docs/leaks.md",
			once: true,
			occurrence: secrets.map(({ path, rule }) => `${path} ${rule}`).join("\n"),
		});
	}
	if (facts.oldestPendingMs !== null && facts.oldestPendingMs > pendingTooLongMs) {
		problems.push({
			id: "sync:pending",
			severity: "warning",
			title: "a message waits for delivery",
			detail: `The oldest message in sync/pending has waited for ${formatDuration(facts.oldestPendingMs)}.`,
			action: "robust-sync --once",
			since: now - facts.oldestPendingMs,
			forMs: alertDelayMs,
			symptomOf: ["sync", "process:sync"],
		});
	}
	const skipped = state.skipped.length === 0 ? "" : `; ${state.skipped.length} skipped`;
	return { name, summary: `${state.status}, ${lastSyncText}${skipped}`, problems };
}

/** The remedy when the hub is unreachable for longer than a peer may be, and a mirror has the branch. */
function promotion({ now, config }: Facts, code: string, lastSync: number | null, state: SyncState): { action?: string } {
	const mirror = state.mirrors?.find(({ error, head }) => error === null && head !== null);
	if (!mirror || !networkCodes.includes(code) || now - (lastSync ?? 0) < config.peerTimeoutSeconds * 1_000) return {};
	return { action: `if the hub stays away: robust-sync --promote ${oneLine(mirror.name, 100)}, on every node` };
}

/** For how long nothing succeeded, if that is too long; null otherwise. */
function staleness(facts: Facts, now: number): number | null {
	if (facts.view.sync.kind !== "ok") return null;
	const state = facts.view.sync.state;
	const reference = Math.max(state.last_sync === null ? 0 : Date.parse(state.last_sync), Date.parse(state.started_at));
	const silent = now - reference;
	return silent > staleAfterMsOf(state, facts.config.syncIntervalSeconds) ? silent : null;
}
