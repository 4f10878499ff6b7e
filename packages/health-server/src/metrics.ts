import type { MirrorState } from "@robust-sync/workspace";
import type { Registry } from "prom-client";
import type { NodeSnapshot } from "./snapshot.ts";

interface Sample {
	readonly value: number;
	readonly labels?: Readonly<Record<string, string>>;
}

interface Metric {
	readonly name: string;
	readonly help: string;
	readonly type: "gauge" | "counter";
	readonly labels?: readonly string[];
	/** The known samples. If there are none, only the metric's help is served, so that "unknown" does not look like 0. */
	samples(snapshot: NodeSnapshot): Sample[];
}

const prefix = "robust_sync_";

const one = (value: number | null | undefined): Sample[] => (value === null || value === undefined ? [] : [{ value }]);
const seconds = (time: string | null | undefined): number | null => (time ? Date.parse(time) / 1000 : null);
const syncState = ({ view }: NodeSnapshot) => (view.sync.kind === "ok" ? view.sync.state : null);
const heartbeatState = ({ view }: NodeSnapshot) => (view.heartbeat.kind === "ok" ? view.heartbeat.state : null);
/** Only of a live monitor: the last alerts of a dead one do not count. */
const monitorState = ({ view, services }: NodeSnapshot) =>
	view.monitor.kind === "ok" && services.monitor.status === "up" ? view.monitor.state : null;

/** Services that must run but were never started: sync always, heartbeat if there are peers. The others are optional. */
function isMissed({ view, peers }: NodeSnapshot, service: string): boolean {
	if (service === "sync") return view.sync.kind === "missing";
	return service === "heartbeat" && view.heartbeat.kind === "missing" && peers.length > 0;
}

function perPeer(pick: (peer: NodeSnapshot["peers"][number]) => number | null | undefined): Metric["samples"] {
	return ({ peers }) =>
		peers.flatMap((peer) => {
			const value = pick(peer);
			return value === null || value === undefined ? [] : [{ value, labels: { peer: peer.name } }];
		});
}

function perMirror(pick: (mirror: MirrorState) => number | null): Metric["samples"] {
	return (snapshot) =>
		(syncState(snapshot)?.mirrors ?? []).flatMap((mirror) => {
			const value = pick(mirror);
			return value === null ? [] : [{ value, labels: { mirror: mirror.name } }];
		});
}

/** Every metric of the contract, in the order in which they are served. */
const metrics: readonly Metric[] = [
	{
		name: "last_success_timestamp_seconds",
		help: "When the last sync cycle succeeded, seconds since the epoch.",
		type: "gauge",
		samples: (snapshot) => one(seconds(syncState(snapshot)?.last_sync)),
	},
	{ name: "cycles_total", help: "Sync cycles run.", type: "counter", samples: (s) => one(syncState(s)?.totals.cycles) },
	{ name: "failures_total", help: "Sync cycles that failed.", type: "counter", samples: (s) => one(syncState(s)?.totals.failures) },
	{
		name: "consecutive_failures",
		help: "Sync cycles that failed since the last success.",
		type: "gauge",
		samples: (s) => one(syncState(s)?.consecutive_failures),
	},
	{
		name: "last_cycle_duration_seconds",
		help: "How long the last sync cycle took.",
		type: "gauge",
		samples: (snapshot) => {
			const duration = syncState(snapshot)?.last_cycle?.duration_ms;
			return one(duration === undefined ? null : duration / 1000);
		},
	},
	{ name: "commits_ahead", help: "Commits that the remote lacks.", type: "gauge", samples: (s) => one(syncState(s)?.ahead) },
	{
		name: "commits_behind",
		help: "Commits of the remote that are not here yet.",
		type: "gauge",
		samples: (s) => one(syncState(s)?.behind),
	},
	{
		name: "paused",
		help: "Whether sync is paused (1) because someone asked for it.",
		type: "gauge",
		samples: (s) => one(syncState(s) === null ? null : Number(syncState(s)?.status === "paused")),
	},
	{ name: "messages_pending", help: "Messages in the outbox.", type: "gauge", samples: ({ outbox }) => one(outbox.count) },
	{
		name: "conflicts_resolved_total",
		help: "Files whose conflicting versions were merged.",
		type: "counter",
		samples: (s) => one(syncState(s)?.totals.resolved),
	},
	{
		name: "conflicts_unresolved",
		help: "Paths with an unresolved conflict.",
		type: "gauge",
		samples: ({ unmerged }) => one(unmerged.count),
	},
	{
		name: "mirror_up",
		help: "Whether the last push to the mirror succeeded.",
		type: "gauge",
		labels: ["mirror"],
		samples: perMirror(({ error, head }) => (error !== null ? 0 : head === null ? null : 1)),
	},
	{
		name: "mirror_last_push_timestamp_seconds",
		help: "When the mirror was last brought to the branch, seconds since the epoch.",
		type: "gauge",
		labels: ["mirror"],
		samples: perMirror(({ pushed_at }) => seconds(pushed_at)),
	},
	{ name: "skipped_files", help: "Files that are left out of commits.", type: "gauge", samples: (s) => one(syncState(s)?.skipped.length) },
	{
		name: "held_files",
		help: "Files whose loss waits for a person (robust-sync --approve, --reject).",
		type: "gauge",
		labels: ["direction"],
		samples: (snapshot) => {
			const state = syncState(snapshot);
			if (state === null) return [];
			const filesOf = (direction: string) => (state.held ?? []).find((held) => held.direction === direction)?.files ?? 0;
			return ["outgoing", "incoming"].map((direction) => ({ value: filesOf(direction), labels: { direction } }));
		},
	},
	{
		name: "peer_up",
		help: "Whether the peer is heard (1: alive or suspect, 0: down or never heard).",
		type: "gauge",
		labels: ["peer"],
		samples: perPeer(({ status }) => (status === "alive" || status === "suspect" ? 1 : 0)),
	},
	{
		name: "peer_last_seen_timestamp_seconds",
		help: "When the last valid heartbeat of the peer came, seconds since the epoch.",
		type: "gauge",
		labels: ["peer"],
		samples: perPeer(({ state }) => seconds(state?.received_at)),
	},
	{
		name: "peer_rtt_seconds",
		help: "Round trip time of a heartbeat.",
		type: "gauge",
		labels: ["peer"],
		samples: perPeer(({ state }) => (typeof state?.rtt_ms === "number" ? state.rtt_ms / 1000 : null)),
	},
	{
		name: "peer_clock_offset_seconds",
		help: "How far the peer's clock is ahead of ours.",
		type: "gauge",
		labels: ["peer"],
		samples: perPeer(({ state }) => (typeof state?.clock_offset_ms === "number" ? state.clock_offset_ms / 1000 : null)),
	},
	{
		name: "peer_phi",
		help: "How suspicious the peer's silence is (phi accrual failure detector).",
		type: "gauge",
		labels: ["peer"],
		samples: perPeer(({ state }) => state?.phi),
	},
	{ name: "heartbeats_sent_total", help: "Heartbeats sent.", type: "counter", samples: (s) => one(heartbeatState(s)?.totals.sent) },
	{
		name: "heartbeats_received_total",
		help: "Valid heartbeats received.",
		type: "counter",
		samples: (s) => one(heartbeatState(s)?.totals.received),
	},
	{
		name: "heartbeats_rejected_total",
		help: "Datagrams that were no valid heartbeat of a peer, by reason.",
		type: "counter",
		labels: ["reason"],
		samples: (s) => Object.entries(heartbeatState(s)?.totals.rejected ?? {}).map(([reason, value]) => ({ value, labels: { reason } })),
	},
	{
		name: "service_up",
		help: "Whether the service of this node runs; left out when it was never started here and is not needed.",
		type: "gauge",
		labels: ["service"],
		samples: (snapshot) =>
			Object.entries(snapshot.services).flatMap(([service, { status }]) =>
				status === "unknown" && !isMissed(snapshot, service) ? [] : [{ value: status === "up" ? 1 : 0, labels: { service } }],
			),
	},
	{
		name: "alerts_firing",
		help: "Alerts that fire now, by severity.",
		type: "gauge",
		labels: ["severity"],
		samples: (snapshot) => {
			const monitor = monitorState(snapshot);
			if (!monitor) return [];
			return (["warning", "critical"] as const).map((severity) => ({
				value: monitor.alerts.filter((alert) => alert.state === "firing" && alert.severity === severity).length,
				labels: { severity },
			}));
		},
	},
	{
		name: "alerts_undelivered",
		help: "Alerts that no channel has taken yet.",
		type: "gauge",
		samples: (snapshot) => one(monitorState(snapshot)?.undelivered.length),
	},
];

/** The names as Prometheus sees them. */
export const metricNames: readonly string[] = ["build_info", ...metrics.map(({ name }) => name)].map((name) => `${prefix}${name}`);

// The default export: a bundle of a CommonJS module has no other.
const loadLibrary = async () => (await import("prom-client")).default;
let library: ReturnType<typeof loadLibrary> | null = null;

/** The answer of `/metrics`. */
export interface Exposition {
	readonly body: string;
	readonly contentType: string;
}

/** Makes the exposition from snapshots; renders again only when a value changed. */
export function metricsRenderer(version: string): (snapshot: NodeSnapshot) => Exposition | Promise<Exposition> {
	let last: { key: string; exposition: Exposition | Promise<Exposition> } | null = null;
	return (snapshot) => {
		const known = metrics.map(({ samples }) => samples(snapshot));
		let key = snapshot.node;
		for (const samples of known) {
			key += "\n";
			for (const { value, labels } of samples) {
				key += ` ${value}`;
				for (const name in labels) key += `\t${labels[name]}`;
			}
		}
		if (last?.key === key) return last.exposition;
		const writing = write(known, snapshot.node, version);
		const entry: typeof last = { key, exposition: writing };
		last = entry;
		writing.then(
			(exposition) => {
				entry.exposition = exposition;
			},
			() => {
				// A failed load is tried again.
				last = null;
			},
		);
		return writing;
	};
}

async function write(known: readonly Sample[][], node: string, version: string): Promise<Exposition> {
	// Loaded at the first scrape: most nodes have no Prometheus.
	library ??= loadLibrary();
	const { Counter, Gauge, Registry } = await library;
	// A registry for each exposition: an unknown value has no sample in it.
	const registry: Registry = new Registry();
	new Gauge({
		name: `${prefix}build_info`,
		help: "The version that runs; always 1.",
		labelNames: ["version", "node"],
		registers: [registry],
	}).set({ version, node }, 1);
	for (const [index, { name, help, type, labels = [] }] of metrics.entries()) {
		const samples = known[index] ?? [];
		const options = { name: `${prefix}${name}`, help, labelNames: [...labels], registers: [registry] };
		if (type === "gauge") {
			const gauge = new Gauge(options);
			// The library begins with 0.
			gauge.remove({});
			for (const sample of samples) gauge.set(sample.labels ?? {}, sample.value);
		} else {
			const counter = new Counter(options);
			counter.remove({});
			for (const sample of samples) counter.inc(sample.labels ?? {}, sample.value);
		}
	}
	return { body: await registry.metrics(), contentType: registry.contentType };
}
