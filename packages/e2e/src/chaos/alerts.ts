import fs from "node:fs";
import type { Problem } from "./checker.ts";

/** The incidents of the nemesis, with time and machine: the causes for which alerts may, or must, be sent. */
export interface Incident {
	readonly kind: "cut" | "hub" | "disk" | "killed" | "stopped" | "clock" | "person" | "rewritten";
	/** Null: all of them. */
	readonly node: string | null;
	readonly service?: string;
	/** Milliseconds since the epoch. */
	readonly from: number;
	readonly to: number;
	/** Of a clock: how far ahead it was. */
	readonly aheadMs?: number;
}

/** One notification, as a receiver of alerts sees it. */
interface Notification {
	readonly at: number;
	readonly node: string;
	/** Such as `heartbeat:node1`. */
	readonly id: string;
	readonly firing: boolean;
	readonly summary: string;
}

/** Runs on a machine of its own: records every POST with its time. */
export const receiverScript = `import fs from "node:fs";
import http from "node:http";
const [address, port, file] = process.argv.slice(2);
http.createServer((request, response) => {
	let body = "";
	request.on("data", (chunk) => { body += chunk; });
	request.on("end", () => {
		fs.appendFileSync(file, JSON.stringify({ at: Date.now(), alerts: JSON.parse(body) }) + "\\n");
		response.writeHead(200).end();
	});
}).listen(Number(port), address, () => fs.writeFileSync(file, ""));
`;

/** @param incidents by the clock of its node an alert fires until it is later than `endsAt` */
export function readNotifications(file: string, incidents: readonly Incident[]): Notification[] {
	const aheadMs = (node: string, at: number) =>
		incidents.find((incident) => incident.kind === "clock" && incident.node === node && incident.from <= at && at <= incident.to)
			?.aheadMs ?? 0;
	if (!fs.existsSync(file)) return [];
	return fs
		.readFileSync(file, "utf8")
		.split("\n")
		.filter(Boolean)
		.flatMap((line) => {
			const { at, alerts } = JSON.parse(line) as {
				at: number;
				alerts: { labels: Record<string, string>; annotations: Record<string, string>; startsAt: string; endsAt: string }[];
			};
			return alerts.map(({ labels, annotations, endsAt }) => ({
				at,
				node: labels.node ?? "",
				id: labels.instance ?? "",
				// A firing alert ends in the future, a resolved one in the past.
				firing: Date.parse(endsAt) > at + aheadMs(labels.node ?? "", at) + 30_000,
				summary: annotations.summary ?? "",
			}));
		});
}

/** The subjects of each alert. An id that is not here is false at any time. */
const reasons: readonly { readonly id: RegExp; readonly kinds: readonly Incident["kind"][] }[] = [
	{ id: /^heartbeat:clock|^clock/, kinds: ["clock"] },
	{ id: /^heartbeat:/, kinds: ["cut", "killed", "stopped", "clock", "disk"] },
	{ id: /^process:/, kinds: ["killed", "stopped", "disk", "cut", "clock"] },
	{ id: /^sync:history/, kinds: ["rewritten"] },
	{ id: /^sync|^conflicts:heads/, kinds: ["cut", "hub", "disk", "killed", "stopped", "person", "rewritten", "clock"] },
	{ id: /^conflicts/, kinds: ["person", "killed", "disk"] },
	{ id: /^disk/, kinds: ["disk"] },
	{ id: /^alerts/, kinds: ["cut"] },
];

/** Alerts of events, which are sent once and have no end (`once` in packages/monitor/src/checks). */
const isEvent = /^clock:step|^sync:(history|skipped|secret)/;

/** The longest delay of an alert after its cause: its own delay, the rounds, the peers' heartbeats, those of a busy machine. */
const usualSlackMs = 60_000;

const crashLoopMs = 10 * 60_000;
const crashLoopStarts = 3;

/**
 * Alerts that came without a reason, that stayed after the end, and that never came although they had to.
 * @param outages incidents that lasted long enough for an alert to be required
 * @param watchers names of the nodes whose monitors ran
 * @param restMs how long the nodes took to come to rest: on a machine that is slow by so much, an alert may be later by as much
 */
export function checkAlerts(
	notifications: readonly Notification[],
	incidents: readonly Incident[],
	outages: readonly Incident[],
	watchers: readonly string[],
	restMs = 0,
): Problem[] {
	const problems: Problem[] = [];
	const slackMs = usualSlackMs + restMs;
	for (const { at, node, id, firing, summary } of notifications) {
		if (!firing) continue;
		const kinds = reasons.find((reason) => reason.id.test(id))?.kinds ?? [];
		// A node learns of a rewritten history in its next cycle, which may wait until the last trouble is over.
		const until = ({ kind, to }: Incident) => (kind === "rewritten" ? Math.max(...incidents.map((incident) => incident.to)) : to) + slackMs;
		if (!incidents.some((incident) => kinds.includes(incident.kind) && incident.from <= at && at <= until(incident)))
			problems.push({ what: `alert without a reason: ${node} ${id}: ${summary}` });
	}
	// Its third start within ten minutes is a crash loop to any monitor, and an alert for as long.
	const isLooping = (node: string, id: string, at: number) =>
		incidents.filter(
			({ kind, node: killed, service = "", to }) =>
				kind === "killed" && killed === node && id === `process:${service === "robust-sync" ? "sync" : service}` && at - to < crashLoopMs,
		).length >= crashLoopStarts;
	const last = new Map(notifications.map((notification) => [`${notification.node} ${notification.id}`, notification]));
	for (const { firing, node, id, at, summary } of last.values())
		if (firing && !isEvent.test(id) && !isLooping(node, id, at))
			problems.push({ what: `alert that is never over: ${node} ${id}: ${summary}` });
	for (const outage of outages) {
		for (const node of watchers) {
			if (outage.kind === "cut" && node === outage.node) continue;
			const wanted = outage.kind === "cut" ? `heartbeat:${outage.node}` : "sync";
			const disturbed = incidents.some(
				(incident) =>
					incident !== outage &&
					(incident.node === node || incident.node === null) &&
					incident.from < outage.to &&
					incident.to > outage.from,
			);
			const wasSent = notifications.some(
				(notification) =>
					notification.node === node &&
					notification.id === wanted &&
					notification.firing &&
					notification.at >= outage.from &&
					notification.at <= outage.to + slackMs,
			);
			// One that fires already is not sent again.
			const isFiring =
				notifications.findLast((notification) => notification.node === node && notification.id === wanted && notification.at < outage.from)
					?.firing === true;
			if (!disturbed && !wasSent && !isFiring) problems.push({ what: `alert that is missing: ${node} sent none for ${wanted}` });
		}
	}
	return problems;
}
