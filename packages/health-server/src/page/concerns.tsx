import { formatSize } from "@robust-sync/system/format-size";
import { services as serviceNames, skipText } from "@robust-sync/workspace";
import type { NodeSnapshot } from "../snapshot.ts";
import { badge, count, empty, table, time } from "./text.tsx";
import { type Child, h, type VNode } from "./vnode.ts";

const serviceKinds = { up: "ok", down: "bad", unknown: "quiet" } as const;

function row(id: string | null, head: Child, cells: readonly Child[]): VNode {
	return (
		<tr id={id}>
			<th scope="row">{head}</th>
			{cells.map((cell) => (
				<td>{cell}</td>
			))}
		</tr>
	);
}

/** The four services of this node. */
export function services({ services: liveness, node, configurationProblem }: NodeSnapshot): VNode {
	return (
		<section id="services" class="card" aria-labelledby="services-title">
			<h2 id="services-title">Services</h2>
			<ul class="plain">
				{serviceNames.map((service) => {
					const { status, reason } = liveness[service];
					return (
						<li>
							<span class="row">
								<b>{service}</b>
								{badge(serviceKinds[status], status)}
							</span>
							{reason && <span class="note">{reason}</span>}
						</li>
					);
				})}
			</ul>
			{serviceNames.some((service) => liveness[service].status !== "up") && (
				<p class="note">
					{configurationProblem === null ? "Start them with " : ["Correct ", <code>.sync_env</code>, ", then start them with "]}
					<code>{`systemctl start ${node}-robust-sync.target`}</code>, or each by its name in a terminal.
				</p>
			)}
		</section>
	);
}

const alertOrder = { firing: 0, pending: 1, resolved: 2 } as const;
const shownAlerts = 50;

/** Firing, pending and resolved alerts. */
export function alerts({ view, services: liveness, node }: NodeSnapshot): VNode {
	const monitor = view.monitor.kind === "ok" ? view.monitor.state : null;
	const list = [...(monitor?.alerts ?? [])]
		.sort((a, b) => alertOrder[a.state] - alertOrder[b.state] || (a.since < b.since ? 1 : -1))
		.slice(0, shownAlerts);
	const failing = monitor?.checks.filter((check) => check.status !== "ok") ?? [];
	// A missing channel is shown although it is a choice.
	const delivery = monitor?.checks.find((check) => check.name === "alerts");
	const dead = liveness.monitor.status !== "up";
	return (
		<section id="alerts" class="card" aria-labelledby="alerts-title">
			<h2 id="alerts-title">Alerts</h2>
			{dead &&
				empty(
					`The monitor does not run (${liveness.monitor.reason}): no alerts are sent. Start it with `,
					<code>{`systemctl start ${node}-monitor`}</code>,
					monitor && list.length > 0 ? [". Its last state, ", time(monitor.updated_at), ":"] : ".",
				)}
			{monitor && monitor.undelivered.length > 0 && (
				<p>
					{badge("bad", "undelivered")} {count(monitor.undelivered.length, "alert")}
					{" that no channel has taken yet."}
				</p>
			)}
			{list.length > 0 &&
				table(
					"Alerts",
					["Alert", "State", "Since", "Message"],
					list.map((alert) =>
						row(`alert-${alert.id}`, alert.id, [
							badge(
								dead || alert.state === "resolved"
									? "quiet"
									: alert.state === "pending" || alert.severity === "warning" || alert.clear_since
										? "warn"
										: "bad",
								alert.state === "firing" ? (alert.clear_since ? "recovered, ending" : `firing, ${alert.severity}`) : alert.state,
							),
							time(alert.since),
							alert.message,
						]),
					),
				)}
			{!dead && list.length === 0 && empty("No alert, none in the past either.")}
			{!dead && delivery?.status === "ok" && (
				<p class="note">
					{"Delivery: "}
					{delivery.message}.
				</p>
			)}
			{failing.length > 0 && [
				<h3>Checks that are not ok</h3>,
				<ul class="plain">
					{failing.map((check) => (
						<li>
							<span class="row">
								<b>{check.name}</b>
								{badge(check.status === "critical" ? "bad" : "warn", check.status)}
							</span>
							<span class="note">
								{check.message}
								{" (since "}
								{time(check.since)})
							</span>
						</li>
					))}
				</ul>,
			]}
		</section>
	);
}

/** Messages that wait for delivery. */
export function outbox({ outbox: { count: waiting, oldest } }: NodeSnapshot): VNode {
	return (
		<section id="outbox" class="card" aria-labelledby="outbox-title">
			<h2 id="outbox-title">Outbox</h2>
			{waiting === 0
				? empty("Nothing waits. Send a message with ", <code>robust-sync --send FILE</code>, ".")
				: table(
						"Messages waiting for delivery",
						["Message", "Size", "Waiting since"],
						oldest.map((message) => row(null, message.name.toString("utf8"), [formatSize(message.size), time(message.since)])),
					)}
			{waiting > oldest.length && <p class="note">{`and ${count(waiting - oldest.length, "more message")}.`}</p>}
		</section>
	);
}

const shownSkipped = 50;

/** Files that are not synced, and why. */
export function skipped({ view }: NodeSnapshot): VNode {
	const list = view.sync.kind === "ok" ? view.sync.state.skipped : [];
	return (
		<section id="skipped" class="card" aria-labelledby="skipped-title">
			<h2 id="skipped-title">Skipped files</h2>
			{list.length === 0
				? empty(
						view.sync.kind === "ok"
							? "None: every file of the workspace is synced."
							: "Not known: nothing that sync wrote can be read here.",
					)
				: table(
						"Skipped files",
						["File", "Reason"],
						list.slice(0, shownSkipped).map((file) => row(null, <code>{file.path}</code>, [skipText(file)])),
					)}
			{list.length > shownSkipped && <p class="note">{`and ${count(list.length - shownSkipped, "more file")}.`}</p>}
		</section>
	);
}
