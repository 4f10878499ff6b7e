import { endCommands, operationText } from "@robust-sync/git";
import { formatDuration, formatTime } from "@robust-sync/system/durations";
import { type PeerState, peerLiveness } from "@robust-sync/workspace";
import type { Finding, Problem } from "../findings.ts";
import { oneLine } from "../plain-text.ts";
import type { Facts } from "../readings/facts.ts";

/** A person's rebase or merge takes minutes, which is normal; one that is left open blocks every sync. */
const operationLeftOpenMs = 10 * 60_000;
/** Nodes that sync agree within a cycle or two. */
const headsDifferMs = 10 * 60_000;
/** The next cycle resolves most conflicts by itself, so the alert waits this long at most, and less if no daemon runs. */
const longestWaitForCycleMs = 60_000;
const restartOfSyncMs = 10_000;
const alertDelayMs = 30_000;

/** Whether the repository is in the middle of something: unmerged paths, an operation left open, nodes that do not agree. */
export function checkConflicts(facts: Facts): Finding {
	const name = "conflicts";
	const { now, config, repository, view } = facts;
	const problems: Problem[] = [];
	const resolve = "conflict-resolver --report, then conflict-resolver --resolve";
	const failing = view.sync.kind === "ok" && view.sync.state.last_error?.code === "CONFLICT_UNRESOLVED" ? view.sync.state.last_error : null;
	const unmerged = repository?.unmerged ?? 0;
	const longestWaitMs = facts.services.sync.status === "up" ? longestWaitForCycleMs : restartOfSyncMs;
	if (unmerged > 0 || failing !== null) {
		const paths = unmerged === 1 ? "1 path has" : `${unmerged} paths have`;
		problems.push({
			id: name,
			severity: "critical",
			title: "a git conflict is unresolved",
			detail:
				unmerged > 0
					? `${paths} conflicts in ${oneLine(facts.root)}.`
					: `robust-sync could not resolve a conflict: ${oneLine(failing?.message ?? "", 400)}.`,
			cause: "both sides changed the same place in a way that cannot be merged by itself.",
			action: resolve,
			// A failed cycle has already tried.
			forMs: failing !== null ? 0 : Math.min(config.syncIntervalSeconds * 1000, longestWaitMs),
		});
	}
	if (repository && repository.operation !== null && unmerged === 0) {
		const since = Math.min(repository.operationSince ?? now, now);
		const open = now - since;
		const long = open >= operationLeftOpenMs;
		problems.push({
			id: "conflicts:operation",
			severity: "warning",
			title: `${operationText(repository.operation)} is left open`,
			detail: `A git ${repository.operation} has been left open since ${formatTime(since, now)} (${formatDuration(open)}); nothing is synced meanwhile.`,
			action: repository.operation === "merge" ? resolve : `git status; then ${endCommands(repository.operation)}`,
			since,
			notify: long,
			symptomOf: [name],
		});
	}
	const differing = differingPeers(facts);
	if (differing.length > 0) {
		problems.push({
			id: "conflicts:heads",
			severity: "warning",
			title: "nodes do not agree",
			detail: `This node and ${listOf(differing)} have been on different commits for more than ${formatDuration(headsDifferMs)}.`,
			cause: "one of them cannot fetch or push.",
			action: "robust-sync --status, on each",
			forMs: headsDifferMs,
			normalForAWhile: true,
			symptomOf: ["sync", "process:sync", name, ...differing.flatMap((peer) => [`heartbeat:${peer}`, `process:sync@${peer}`])],
		});
	}
	if (facts.repositoryProblem !== null) {
		problems.push({
			id: "conflicts:repository",
			severity: "warning",
			title: "the repository cannot be read",
			detail: `The repository cannot be read: ${oneLine(facts.repositoryProblem)}.`,
			action: "git status",
			forMs: alertDelayMs,
			symptomOf: ["sync"],
		});
	}
	const summary =
		repository === null && facts.repositoryProblem === null ? "no git working tree here" : "no unresolved conflicts, nothing left open";
	return { name, summary, problems };
}

const namesShown = 10;

function listOf(names: readonly string[]): string {
	const more = names.length - namesShown;
	return more > 0 ? `${names.slice(0, namesShown).join(", ")} and ${more} more` : names.join(", ");
}

/** Whether a node's head may differ for a while because of a person's action, or waits for one: another alert reports that. */
const hasReasonToDiffer = (status: string | null) => status === "paused" || status === "held";

/** Peers that are alive and report a head that is not ours. */
function differingPeers(facts: Facts): string[] {
	const own = facts.view.sync.kind === "ok" ? facts.view.sync.state.head : null;
	if (own === null || (facts.view.sync.kind === "ok" && hasReasonToDiffer(facts.view.sync.state.status))) return [];
	const timeoutMs = facts.config.peerTimeoutSeconds * 1000;
	const differs = (state: PeerState) =>
		state.head !== null &&
		state.head !== own &&
		peerLiveness(state, facts.now, timeoutMs) === "alive" &&
		state.services.sync !== "down" &&
		!hasReasonToDiffer(state.sync_status);
	return [...facts.peers].filter(([, read]) => read.kind === "ok" && differs(read.state)).map(([peer]) => peer);
}
