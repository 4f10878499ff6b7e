import { exactDuration } from "@robust-sync/system/format-duration";
import { services as serviceNames } from "@robust-sync/workspace";
import type { NodeSnapshot, PeerView } from "../snapshot.ts";
import { badge, commit, count, empty, table, time, timeOr } from "./text.tsx";
import { type Child, h, type VNode } from "./vnode.ts";

/** More links than this make no readable picture; links with a problem come first. */
const drawnPeers = 8;
const urgency = { down: 0, suspect: 1, unknown: 2, alive: 3 } as const;
const kinds = { alive: "ok", suspect: "warn", down: "bad", unknown: "quiet" } as const;
const signs = { alive: "●", suspect: "◐", down: "○", unknown: "?" } as const;

function linkLabel({ name, status, state }: PeerView): Child {
	if (!state || state.received_at === null) return "never heard";
	if (status === "down" || status === "suspect") return ["silent, last heard ", time(state.received_at)];
	if (state.hears_us === false) return `one way: ${name} does not hear us`;
	return state.rtt_ms === null ? "heard" : `${exactDuration(state.rtt_ms)} round trip`;
}

function link(peer: PeerView): VNode {
	const { name, status, state } = peer;
	const outward =
		status === "down" || status === "unknown" ? "unknown" : state?.hears_us === false ? "lost" : state?.hears_us ? "alive" : "unknown";
	return (
		<li id={`link-${name}`} class="link">
			<span class="wire">
				<span class={`lane out ${outward}`} aria-hidden="true" />
				<span class="label">{linkLabel(peer)}</span>
				<span class={`lane in ${status}`} aria-hidden="true" />
			</span>
			<span class={`peer ${status}`}>
				<b>{name}</b>
				{badge(kinds[status], `${signs[status]} ${status}`)}
			</span>
		</li>
	);
}

function picture({ node, peers, health }: NodeSnapshot): VNode {
	const sorted = [...peers].sort((a, b) => urgency[a.status] - urgency[b.status] || (a.name < b.name ? -1 : 1));
	const rest = sorted.slice(drawnPeers);
	return (
		<div class="picture">
			<div class={`self ${health.status}`}>
				<b>{node}</b>
				<span class="hint">this node</span>
			</div>
			<ul class="links" aria-label="Links to the peers">
				{sorted.slice(0, drawnPeers).map(link)}
			</ul>
			{rest.length > 0 && (
				<p class="more">{`and ${count(rest.length, "more peer")}: ${rest.filter((peer) => peer.status === "alive").length} alive; all of them are in the table`}</p>
			)}
		</div>
	);
}

function agreement(head: string | null, ours: string | null): VNode {
	if (!head || !ours) return "";
	return head === ours ? badge("ok", "same") : badge("warn", "differs");
}

function offset(ms: number | null): string {
	return ms === null ? "–" : `${ms > 0 ? "+" : ms < 0 ? "−" : ""}${exactDuration(Math.abs(ms))}`;
}

function peerRow({ name, status, state }: PeerView, ourHead: string | null): VNode {
	const down = state ? serviceNames.filter((service) => state.services[service] === "down") : [];
	// The last report of a node that is down is out of date.
	const unknown = !state || status === "down" || serviceNames.every((service) => state.services[service] === "unknown");
	const cells: Child[] = [
		badge(kinds[status], status),
		timeOr(state?.received_at, "never"),
		typeof state?.rtt_ms === "number" ? exactDuration(state.rtt_ms) : "–",
		offset(state?.clock_offset_ms ?? null),
		state?.hears_us === undefined || state.hears_us === null || status === "down" ? "–" : state.hears_us ? "yes" : badge("warn", "no"),
		[commit(state?.head, "–"), " ", agreement(state?.head ?? null, ourHead)],
		timeOr(state?.last_sync, "–"),
		typeof state?.messages_pending === "number" ? state.messages_pending : "–",
		unknown ? "–" : down.length > 0 ? badge("bad", `down: ${down.join(", ")}`) : badge("ok", "up"),
	];
	return (
		<tr id={`peer-${name}`}>
			<th scope="row">{name}</th>
			{cells.map((cell) => (
				<td>{cell}</td>
			))}
		</tr>
	);
}

const columns = ["Node", "Status", "Last heard", "RTT", "Clock", "Hears us", "Head", "Last sync", "Waiting", "Services"];

function ownRow(snapshot: NodeSnapshot): VNode {
	const { view, services } = snapshot;
	const sync = view.sync.kind === "ok" ? view.sync.state : null;
	const down = serviceNames.filter((service) => services[service].status !== "up");
	const cells: Child[] = [
		badge("quiet", "this node"),
		"–",
		"–",
		"–",
		"–",
		commit(sync?.head, "–"),
		timeOr(sync?.last_sync, "–"),
		snapshot.outbox.count,
		down.length > 0 ? badge("bad", `not up: ${down.join(", ")}`) : badge("ok", "up"),
	];
	return (
		<tr>
			<th scope="row">{snapshot.node}</th>
			{cells.map((cell) => (
				<td>{cell}</td>
			))}
		</tr>
	);
}

/** The nodes: which are alive, which hear each other, and whether their heads agree. */
export function nodes(snapshot: NodeSnapshot): VNode {
	const { peers, view } = snapshot;
	const ourHead = view.sync.kind === "ok" ? view.sync.state.head : null;
	const known = peers.filter((peer) => peer.state?.head && ourHead);
	const differing = known.filter((peer) => peer.state?.head !== ourHead).map((peer) => peer.name);
	const subject =
		known.length < peers.length
			? `The ${known.length + 1} nodes whose head is known`
			: peers.length === 1
				? "Both nodes"
				: `All ${peers.length + 1} nodes`;
	const verdict =
		known.length === 0
			? null
			: differing.length === 0
				? `${subject} have the same head${known.some((peer) => peer.status === "down") ? ", as far as they were heard" : ""}.`
				: `Another head than ours: ${differing.slice(0, 5).join(", ")}${differing.length > 5 ? ` and ${differing.length - 5} more` : ""}.`;
	return (
		<section id="nodes" class="card wide" aria-labelledby="nodes-title">
			<h2 id="nodes-title">Nodes</h2>
			{peers.length === 0
				? empty(
						"No peer is configured and none was heard. Put ",
						<code>export PEERS=name=host</code>,
						" into ",
						<code>.sync_env</code>,
						" and restart heartbeat.",
					)
				: [picture(snapshot), verdict && <p class="verdict">{verdict}</p>]}
			{peers.length > 0 && snapshot.view.heartbeat.kind === "ok" && !snapshot.view.heartbeat.state.authenticated && (
				<p>
					{badge("warn", "not authenticated")}
					{" Heartbeats are accepted by the sender's address alone: set the same "}
					<code>HEARTBEAT_KEY</code>
					{" on all nodes."}
				</p>
			)}
			{peers.length > 0 && table("Nodes in detail", columns, [ownRow(snapshot), ...peers.map((peer) => peerRow(peer, ourHead))])}
		</section>
	);
}
