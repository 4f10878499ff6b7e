import { exactDuration } from "@robust-sync/system/format-duration";
import { progressText } from "@robust-sync/workspace";
import type { NodeSnapshot } from "../snapshot.ts";
import { badge, commit, count, timeOr } from "./text.tsx";
import { type Child, h, type VNode } from "./vnode.ts";

const verdicts = {
	ok: { mark: "✓", words: "All is well" },
	degraded: { mark: "!", words: "Degraded" },
	error: { mark: "✕", words: "Action required" },
} as const;

/** The page's title: the mark first, so that it shows in a narrow tab. */
export function title(snapshot: NodeSnapshot): string {
	return `${verdicts[snapshot.health.status].mark} ${snapshot.node} · robust-sync`;
}

function worstFirst(reasons: NodeSnapshot["health"]["reasons"]) {
	return [...reasons].sort((a, b) => Number(b.severity === "critical") - Number(a.severity === "critical"));
}

/** The overall state and every reason for it. */
export function headline({ node, health, workspace, progress }: NodeSnapshot): VNode {
	const { mark, words } = verdicts[health.status];
	return (
		<section id="headline" class={`headline ${health.status}`} aria-labelledby="verdict">
			<div class="mark" aria-hidden="true">
				{mark}
			</div>
			<div>
				<h1 id="verdict" aria-live="polite">
					<span class="node">{node}</span> {words}
				</h1>
				<p class="workspace">
					<code>{workspace}</code>
				</p>
				{progress && (
					<p class="progress">
						{progress.total !== null && progress.total > 0 && (
							<progress max={progress.total} value={Math.min(progress.done, progress.total)} aria-label={progress.what} />
						)}{" "}
						<span>{progressText(progress)}</span>
					</p>
				)}
				{health.reasons.length > 0 && (
					<ul class="reasons">
						{worstFirst(health.reasons).map((reason) => (
							<li>
								{badge(reason.severity === "critical" ? "bad" : "warn", reason.severity)} <span>{reason.message}</span>
							</li>
						))}
					</ul>
				)}
			</div>
		</section>
	);
}

function fact(name: string, value: Child, note: Child = null, kind = ""): VNode {
	return (
		<div class={`fact ${kind}`.trim()}>
			<dt>{name}</dt>
			<dd>
				<strong>{value}</strong>
			</dd>
			{note && <dd class="note">{note}</dd>}
		</div>
	);
}

/** The key figures. */
export function facts(snapshot: NodeSnapshot): VNode {
	const { view, outbox, unmerged, saved, services, peers } = snapshot;
	const sync = view.sync.kind === "ok" ? view.sync.state : null;
	const alive = peers.filter((peer) => peer.status === "alive").length;
	return (
		<section id="facts" aria-label="Key figures">
			<dl class="facts">
				{fact(
					"Last sync",
					timeOr(sync?.last_sync, "never"),
					services.sync.status !== "up"
						? "robust-sync does not run"
						: sync?.last_cycle
							? `took ${exactDuration(sync.last_cycle.duration_ms)}, ${sync.status}`
							: (sync?.status ?? null),
					services.sync.status === "up" ? "" : "bad",
				)}
				{fact(
					"Peers alive",
					peers.length === 0 ? "none" : `${alive} of ${peers.length}`,
					peers.length === 0 ? "no peer is configured" : null,
					alive < peers.length ? "warn" : "",
				)}
				{fact(
					"Messages waiting",
					outbox.count.toLocaleString("en-US"),
					outbox.oldest[0] ? ["oldest ", timeOr(outbox.oldest[0].since, "")] : "outbox empty",
				)}
				{fact(
					"Conflicts open",
					unmerged.count === null ? "unknown" : unmerged.count.toLocaleString("en-US"),
					unmerged.problem && unmerged.at !== null
						? ["as of ", timeOr(unmerged.at, "")]
						: `so far ${count(sync?.totals.resolved ?? 0, "file")} resolved while syncing; versions of ${count(saved.count, "resolution")} kept`,
					(unmerged.count ?? 0) > 0 ? "bad" : "",
				)}
				{fact(
					"Head",
					commit(sync?.head),
					sync
						? [sync.branch ?? "no branch", sync.ahead > 0 && `, ${sync.ahead} ahead`, sync.behind > 0 && `, ${sync.behind} behind`]
						: null,
				)}
				{fact(
					"Cycles",
					sync ? sync.totals.cycles.toLocaleString("en-US") : "none",
					sync
						? `${count(sync.totals.failures, "failure")}${sync.consecutive_failures > 0 ? `, ${sync.consecutive_failures} in a row now` : ""}`
						: null,
					(sync?.consecutive_failures ?? 0) > 0 ? "warn" : "",
				)}
			</dl>
		</section>
	);
}
