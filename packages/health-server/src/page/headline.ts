import type { NodeSnapshot } from "../snapshot.ts";
import { badge, commit, count, duration, timeOr } from "./text.ts";
import { type Child, h, type VNode } from "./vnode.ts";

const verdicts = {
	ok: { mark: "✓", words: "All is well" },
	degraded: { mark: "!", words: "Worth a look" },
	error: { mark: "✕", words: "Needs you now" },
} as const;

/** The page's title: the mark first, so that it shows in a narrow tab. */
export function title(snapshot: NodeSnapshot): string {
	return `${verdicts[snapshot.health.status].mark} ${snapshot.node} · robust-sync`;
}

function worstFirst(reasons: NodeSnapshot["health"]["reasons"]) {
	return [...reasons].sort((a, b) => Number(b.severity === "critical") - Number(a.severity === "critical"));
}

/** The answer to "how does it stand?" and every reason. */
export function headline({ node, health, workspace }: NodeSnapshot): VNode {
	const { mark, words } = verdicts[health.status];
	return h(
		"section",
		{ id: "headline", class: `headline ${health.status}`, "aria-labelledby": "verdict" },
		h("div", { class: "mark", "aria-hidden": "true" }, mark),
		h(
			"div",
			null,
			h("h1", { id: "verdict", "aria-live": "polite" }, h("span", { class: "node" }, node), " ", words),
			h("p", { class: "workspace" }, h("code", null, workspace)),
			health.reasons.length > 0 &&
				h(
					"ul",
					{ class: "reasons" },
					worstFirst(health.reasons).map((reason) =>
						h("li", null, badge(reason.severity === "critical" ? "bad" : "warn", reason.severity), " ", h("span", null, reason.message)),
					),
				),
		),
	);
}

function fact(name: string, value: Child, note: Child = null, kind = ""): VNode {
	return h(
		"div",
		{ class: `fact ${kind}`.trim() },
		h("dt", null, name),
		h("dd", null, h("strong", null, value)),
		note && h("dd", { class: "note" }, note),
	);
}

/** The few figures that one looks for first. */
export function facts(snapshot: NodeSnapshot): VNode {
	const { view, outbox, unmerged, saved, services, peers } = snapshot;
	const sync = view.sync.kind === "ok" ? view.sync.state : null;
	const alive = peers.filter((peer) => peer.status === "alive").length;
	return h(
		"section",
		{ id: "facts", "aria-label": "Key figures" },
		h(
			"dl",
			{ class: "facts" },
			fact(
				"Last sync",
				timeOr(sync?.last_sync, "never"),
				services.sync.status !== "up"
					? "robust-sync does not run"
					: sync?.last_cycle
						? `took ${duration(sync.last_cycle.duration_ms)}, ${sync.status}`
						: (sync?.status ?? null),
				services.sync.status === "up" ? "" : "bad",
			),
			fact(
				"Peers alive",
				peers.length === 0 ? "none" : `${alive} of ${peers.length}`,
				peers.length === 0 ? "no peer is configured" : null,
				alive < peers.length ? "warn" : "",
			),
			fact(
				"Messages waiting",
				outbox.count.toLocaleString("en-US"),
				outbox.oldest[0] ? ["oldest ", timeOr(outbox.oldest[0].since, "")] : "outbox empty",
			),
			fact(
				"Conflicts open",
				unmerged.count === null ? "unknown" : unmerged.count.toLocaleString("en-US"),
				unmerged.problem && unmerged.at !== null
					? ["as of ", timeOr(unmerged.at, "")]
					: `so far ${count(sync?.totals.resolved ?? 0, "file")} resolved while syncing; versions of ${count(saved.count, "resolution")} kept`,
				(unmerged.count ?? 0) > 0 ? "bad" : "",
			),
			fact(
				"Head",
				commit(sync?.head),
				sync ? [sync.branch ?? "no branch", sync.ahead > 0 && `, ${sync.ahead} ahead`, sync.behind > 0 && `, ${sync.behind} behind`] : null,
			),
			fact(
				"Cycles",
				sync ? sync.totals.cycles.toLocaleString("en-US") : "none",
				sync
					? `${count(sync.totals.failures, "failure")}${sync.consecutive_failures > 0 ? `, ${sync.consecutive_failures} in a row now` : ""}`
					: null,
				(sync?.consecutive_failures ?? 0) > 0 ? "warn" : "",
			),
		),
	);
}
