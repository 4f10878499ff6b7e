import { describe, expect, test } from "@jest/globals";
import { headA, key, minute, pair, record, second } from "./testing/pair.ts";
import { SimulatedFleet } from "./testing/simulated-fleet.ts";

describe("two nodes", () => {
	test("heartbeat: two nodes start → each knows the other within two round trips", () => {
		const { fleet, chad, time } = pair();
		chad.content = {
			head: headA,
			lastSyncMs: 123,
			syncStatus: "retrying",
			consecutiveFailures: 2,
			messagesPending: 5,
			services: { sync: "up", heartbeat: "up", "health-server": "down", monitor: "unknown" },
		};
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "unknown", receivedAtMs: null, rttMs: null, phi: null, hearsUs: null });
		time.pass(10);
		expect(fleet.view("helios", "chad")).toMatchObject({
			status: "alive",
			address: "10.0.0.1:8765",
			rttMs: 2,
			clockOffsetMs: 0,
			hearsUs: true,
			missed: 0,
			content: chad.content,
		});
	});

	test("heartbeat: ten intervals → one heartbeat each, every answer counted", () => {
		const { helios, chad, time } = pair();
		time.pass(10 * minute + 5 * second);
		expect(helios.node.sequence).toBeGreaterThanOrEqual(10);
		expect(helios.node.sequence).toBeLessThanOrEqual(12);
		expect(helios.node.totals.sent).toBeLessThanOrEqual(helios.node.sequence + 2);
		expect(chad.node.totals.received).toBeGreaterThanOrEqual(10);
		expect(helios.node.totals.acked).toBe(helios.node.totals.sent);
		expect(helios.node.totals.rejected.replay).toBe(0);
	});

	test.each([-3_600_000, -1_234, 0, 777, 3_600_000])("clocks: the peer's is %d ms ahead → measured within 5 ms + rtt / 2", (offsetMs) => {
		const { fleet, chad, time } = pair({ conditions: { delayMs: { min: 1, max: 40 } } });
		chad.clock.wallOffsetMs += offsetMs;
		time.pass(10 * minute);
		const { rttMs, clockOffsetMs } = fleet.view("helios", "chad");
		expect(Math.abs(clockOffsetMs! - offsetMs)).toBeLessThanOrEqual(5 + rttMs! / 2);
		// A clock that is set later is noticed with the next exchange, not when the filter has forgotten.
		chad.clock.wallOffsetMs += 10_000;
		time.pass(2 * minute);
		expect(Math.abs(fleet.view("helios", "chad").clockOffsetMs! - offsetMs - 10_000)).toBeLessThanOrEqual(5 + 20);
	});

	test("clocks: our own is set → earlier measurements are dropped", () => {
		const { fleet, helios, time } = pair();
		time.pass(5 * minute);
		helios.clock.wallOffsetMs -= 60_000;
		time.pass(2 * minute);
		expect(fleet.view("helios", "chad").clockOffsetMs).toBeCloseTo(60_000, 0);
		expect(fleet.view("helios", "chad").status).toBe("alive");
	});

	test("φ: heartbeats come, then stop → low, then high", () => {
		const { fleet, chad, time } = pair();
		time.pass(30 * minute);
		expect(fleet.view("helios", "chad").phi).toBeLessThan(2);
		chad.die();
		time.pass(2 * minute);
		expect(fleet.view("helios", "chad").phi).toBeGreaterThan(8);
	});
});

describe("a silent peer", () => {
	test("silent peer: after its last datagram → suspect, down exactly at PEER_TIMEOUT", () => {
		const { fleet, helios, chad, time } = pair();
		time.pass(20 * minute);
		const lastWordMs = fleet.view("helios", "chad").receivedAtMs! - helios.clock.wallOffsetMs;
		chad.die();
		const sent = record(fleet);
		time.pass(10 * minute);
		const [suspect, down] = helios.changes.slice(-2);
		expect(suspect).toMatchObject({ status: "suspect" });
		expect(suspect!.atMs - lastWordMs).toBeLessThan(2 * minute);
		expect(down).toMatchObject({ status: "down", atMs: lastWordMs + 3 * minute });
		// Probed at once, after 1, 2, 4 and 8 s, then every 8 s, and 4, 2 and 1 s before the end.
		const after = sent
			.filter(({ message, atMs }) => message.beat === undefined && atMs < down!.atMs)
			.map(({ atMs }) => atMs - suspect!.atMs);
		expect(after.slice(0, 6)).toEqual([0, 1, 2, 4, 8, 16].map((s) => s * second));
		expect(after.slice(-3).map((ms) => ms + suspect!.atMs)).toEqual([4, 2, 1].map((s) => down!.atMs - s * second));
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "down", reason: "no heartbeat for 180 s" });
		expect(fleet.view("helios", "chad").missed).toBeGreaterThanOrEqual(9);
	});

	test("silent peer: heard again → alive with its first heartbeat", () => {
		const { fleet, chad, time } = pair();
		time.pass(minute);
		chad.die();
		time.pass(10 * minute);
		expect(fleet.view("helios", "chad").status).toBe("down");
		fleet.boot(chad);
		time.pass(10);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", hearsUs: true, missed: 0, reason: null });
	});

	test("goodbye: received → down at once with its reason; late datagrams change nothing", async () => {
		const { fleet, chad, time } = pair({ conditions: { duplicateRate: 1, reorder: { rate: 0.5, delayMs: 2_000 } } });
		time.pass(5 * minute);
		fleet.network.conditions.reorder.rate = 0;
		const stopped = chad.node.stop("SIGTERM");
		time.pass(5);
		await stopped;
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "down", reason: "said goodbye: SIGTERM", hearsUs: false });
		chad.die();
		time.pass(10 * minute);
		expect(fleet.view("helios", "chad").status).toBe("down");
		fleet.boot(chad);
		time.pass(10);
		expect(fleet.view("helios", "chad").status).toBe("alive");
	});

	test("goodbye: the peer does not answer → the stop ends within half a second", async () => {
		const { helios, chad, time } = pair();
		time.pass(minute);
		chad.die();
		let isOver = false;
		const stopped = helios.node.stop("SIGTERM").then(() => {
			isOver = true;
		});
		time.pass(400);
		await stopped;
		expect(isOver).toBe(true);
	});

	test("restart: a peer heard before stays silent → unknown, then down", () => {
		const { fleet, helios, chad, time } = pair();
		time.pass(minute);
		chad.die();
		helios.die();
		time.pass(60 * minute);
		fleet.boot(helios);
		helios.node.restore("chad", 5_000);
		time.pass(3 * minute - 1);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "unknown", receivedAtMs: null });
		time.pass(2);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "down", receivedAtMs: 5_000, missed: 3 });
	});

	test("silent peer: never heard → stays unknown", () => {
		const { fleet, chad, time } = pair();
		chad.die();
		time.pass(60 * minute);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "unknown", receivedAtMs: null, hearsUs: null });
	});

	test("PEER_TIMEOUT: shorter than the interval → live peers alive, dead ones found", () => {
		const { fleet, helios, chad, time } = pair({ settings: { intervalMs: minute, timeoutMs: 10 * second } });
		time.pass(30 * minute);
		expect(helios.changes.filter(({ status }) => status === "down")).toEqual([]);
		const lastWordMs = fleet.view("helios", "chad").receivedAtMs! - helios.clock.wallOffsetMs;
		chad.die();
		time.pass(11 * second);
		expect(fleet.view("helios", "chad").status).toBe("down");
		expect(helios.changes.at(-1)!.atMs).toBeCloseTo(lastWordMs + 10 * second, 3);
	});

	test("own pause: peers are alive → none is down before it had time to answer", () => {
		const { fleet, helios, time } = pair();
		time.pass(10 * minute);
		for (const pauseMs of [3 * minute, 10 * minute, 60 * minute]) {
			helios.clock.stop();
			time.pass(pauseMs);
			helios.clock.goOn();
			time.pass(2 * minute);
			expect(fleet.view("helios", "chad").status).toBe("alive");
		}
		expect(helios.changes.filter(({ status }) => status === "down")).toEqual([]);
		expect(helios.logged.filter(({ message }) => message.includes("was stopped or starved"))).toHaveLength(3);
	});

	test("own pause: a peer died meanwhile → found soon after", () => {
		const { fleet, helios, chad, time } = pair();
		time.pass(10 * minute);
		helios.clock.stop();
		chad.die();
		time.pass(10 * minute);
		helios.clock.goOn();
		time.pass(4 * second);
		expect(fleet.view("helios", "chad").status).toBe("alive");
		time.pass(2 * second);
		expect(fleet.view("helios", "chad").status).toBe("down");
	});
});

describe("a broken link", () => {
	test("broken link: one direction only → both ends report which", () => {
		const { fleet, chad, helios, time } = pair();
		time.pass(5 * minute);
		fleet.network.cut(chad.address.host, helios.address.host);
		time.pass(5 * minute);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "down", hearsUs: null });
		expect(fleet.view("chad", "helios")).toMatchObject({ status: "alive", hearsUs: false });
		fleet.network.heal();
		time.pass(70 * second);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", hearsUs: true });
		time.pass(70 * second);
		expect(fleet.view("chad", "helios")).toMatchObject({ status: "alive", hearsUs: true });
	});

	test("indirect question: a third node hears the peer → suspect; none → down", () => {
		const fleet = new SimulatedFleet({ names: ["helios", "chad", "atlas"], seed: 3 });
		const [helios, chad] = [fleet.member("helios"), fleet.member("chad")];
		fleet.time.pass(5 * minute);
		fleet.network.cut(chad.address.host, helios.address.host);
		fleet.network.cut(helios.address.host, chad.address.host);
		fleet.time.pass(30 * minute);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "suspect", reason: expect.stringContaining("by atlas") });
		expect(fleet.view("chad", "helios").status).toBe("suspect");
		expect(helios.changes.filter(({ status }) => status === "down")).toEqual([]);
		const age = helios.clock.wallMs() - fleet.view("helios", "chad").receivedAtMs!;
		expect(age).toBeLessThan(20 * second);

		chad.die();
		fleet.time.pass(3 * minute + 10 * second);
		expect(fleet.view("helios", "chad").status).toBe("down");
		expect(fleet.view("atlas", "chad").status).toBe("down");

		fleet.network.heal();
		fleet.boot(chad);
		fleet.time.pass(second);
		expect(fleet.view("helios", "chad").status).toBe("alive");
	});
});

describe("a peer that moves", () => {
	test("peer moves: to another port or address → followed once it answered a nonce", () => {
		const { fleet, helios, chad, time } = pair({ settings: { secrets: [key] } });
		time.pass(5 * minute);
		chad.transport.close();
		const moved = { host: "10.9.9.9", port: 4000 };
		// The same process with another address, as after a DHCP lease or a NAT that forgot.
		const transport = fleet.network.transport(moved, chad.clock);
		transport.listen(() => {});
		chad.transport.send = (datagram, to) => transport.send(datagram, to);
		const sent = record(fleet);
		time.pass(minute + 10 * second);
		// It has not answered the challenge (no process listens there yet): nothing but answers goes to the new address.
		expect(fleet.view("helios", "chad").address).toBe("10.0.0.1:8765");
		expect(sent.filter(({ to, message }) => to.host === moved.host && message.type === "heartbeat")).toEqual([]);

		chad.die();
		fleet.boot(chad, moved);
		time.pass(10);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", address: "10.9.9.9:4000" });
		time.pass(2 * minute);
		expect(fleet.view("chad", "helios")).toMatchObject({ status: "alive", hearsUs: true });
		expect(helios.logged.some(({ message }) => message === "chad has moved")).toBe(true);
	});
});
