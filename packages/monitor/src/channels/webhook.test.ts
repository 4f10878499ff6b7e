import { afterEach, expect, test } from "@jest/globals";
import { timestamp } from "@robust-sync/system/timestamps";
import type { QueuedAlert } from "../delivery/alert-queue.ts";
import { type Answer, HttpReceiver } from "../testing/http-receiver.ts";
import { webhookChannel } from "./webhook.ts";

const receivers: HttpReceiver[] = [];
afterEach(async () => {
	for (const receiver of receivers.splice(0)) await receiver.close();
});
async function listen(...answers: Answer[]): Promise<HttpReceiver> {
	const receiver = await HttpReceiver.listen(...answers);
	receivers.push(receiver);
	return receiver;
}

const now = Date.UTC(2026, 1, 18, 2, 0, 0);
function item(changes: Partial<QueuedAlert> = {}): QueuedAlert {
	return {
		key: "k",
		id: "heartbeat:chad",
		kind: "firing",
		severity: "critical",
		title: "chad is silent",
		detail: "No heartbeat.",
		action: "ssh chad",
		since: timestamp(now - 200_000),
		at: timestamp(now),
		noted_at: timestamp(now),
		expires_at: timestamp(now + 3_600_000),
		channels: ["webhook"],
		omitted: 0,
		...changes,
	};
}
const send = (url: string, items: QueuedAlert[]) => webhookChannel(url, () => now).send({ text: "", items, node: "helios" });

test("webhook: fires, then over → Alertmanager's array with the same labels", async () => {
	const server = await listen({ status: 200 });
	await send(`${server.url}/api/v2/alerts`, [item()]);
	await send(`${server.url}/api/v2/alerts`, [item({ kind: "resolved", at: timestamp(now - 1_000) })]);
	const labels = { alertname: "RobustSyncPeerSilent", instance: "heartbeat:chad", node: "helios", severity: "critical" };
	const annotations = { summary: "helios: chad is silent", description: "No heartbeat.", action: "ssh chad" };
	expect(server.received[0]).toMatchObject({ method: "POST", url: "/api/v2/alerts" });
	expect(server.bodies()).toEqual([
		[{ labels, annotations, startsAt: "2026-02-18T01:56:40.000Z", endsAt: "2026-02-18T03:00:00.000Z" }],
		[{ labels, annotations, startsAt: "2026-02-18T01:56:40.000Z", endsAt: "2026-02-18T01:59:59.000Z" }],
	]);
});

test("webhook: queued while the clock was ahead → it ends now, or as late as meant", async () => {
	const server = await listen({ status: 200 });
	const ahead = { since: timestamp(now + 1_800_000), at: timestamp(now + 1_800_000), expires_at: timestamp(now + 5_400_000) };
	await send(server.url, [item({ ...ahead, kind: "resolved" })]);
	await send(server.url, [item(ahead)]);
	expect(server.bodies()).toMatchObject([[{ endsAt: timestamp(now) }], [{ endsAt: timestamp(now + 3_600_000) }]]);
});

test("webhook: several items of one alert → the last; became worse → the milder ends", async () => {
	const server = await listen({ status: 200 });
	await send(server.url, [
		item({ id: "disk", severity: "warning" }),
		item({ id: "disk", severity: "critical", escalated_from: "warning" }),
		item({ id: "process:monitor@chad" }),
	]);
	expect(server.bodies()[0]).toMatchObject([
		{ labels: { alertname: "RobustSyncDiskFull", severity: "warning" }, endsAt: timestamp(now) },
		{ labels: { alertname: "RobustSyncDiskFull", severity: "critical" }, endsAt: timestamp(now + 3_600_000) },
		{ labels: { alertname: "RobustSyncProcessDown", instance: "process:monitor@chad" } },
	]);
});

test("webhook: 4xx → configuration error; 5xx, 429 → later; address stays secret", async () => {
	const server = await listen(
		{ status: 404, body: "nothing at /services/T000/hush-hush" },
		{ status: 503, headers: { "retry-after": "9" } },
		{ status: 503, headers: { "retry-after": "Wed, 18 Feb 2026 02:00:20 GMT", date: "Wed, 18 Feb 2026 02:00:00 GMT" } },
		{ status: 429 },
	);
	const url = `${server.url}/services/T000/hush-hush`;
	await expect(send(url, [item()])).rejects.toMatchObject({ misconfigured: true, message: expect.not.stringContaining("hush-hush") });
	await expect(send(url, [item()])).rejects.toMatchObject({ misconfigured: false, retryAfterMs: 9_000 });
	await expect(send(url, [item()])).rejects.toMatchObject({ misconfigured: false, retryAfterMs: 20_000 });
	await expect(send(url, [item()])).rejects.toMatchObject({ misconfigured: false });
});
