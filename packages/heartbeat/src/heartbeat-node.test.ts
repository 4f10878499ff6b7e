import { describe, expect, test } from "@jest/globals";
import { burstGapMs } from "./announcement.ts";
import { Keyring } from "./keyring.ts";
import { FleetMember, SimulatedFleet } from "./testing/simulated-fleet.ts";
import type { Address } from "./transport.ts";
import { decode, encode, type Message, maxDatagramBytes } from "./wire-format.ts";

const second = 1_000;
const minute = 60 * second;
const headA = "a".repeat(40);
const headB = "b".repeat(40);
const key = "a shared secret of the test";

function pair(options: Partial<ConstructorParameters<typeof SimulatedFleet>[0]> = {}) {
	const fleet = new SimulatedFleet({ names: ["helios", "chad"], seed: 1, ...options });
	return { fleet, helios: fleet.member("helios"), chad: fleet.member("chad"), time: fleet.time };
}

/** Everything sent on the network from now on. */
function record(fleet: SimulatedFleet): { message: Message; datagram: Buffer; from: Address; to: Address; atMs: number }[] {
	const sent: ReturnType<typeof record> = [];
	fleet.network.onSend = (datagram, from, to) => {
		const message = decode(datagram);
		if (typeof message !== "string") sent.push({ message, datagram, from, to, atMs: fleet.time.nowMs });
	};
	return sent;
}

const rejected = (member: FleetMember) => Object.fromEntries(Object.entries(member.node.totals.rejected).filter(([, count]) => count > 0));

describe("two nodes", () => {
	test("know each other within a round trip or two, with all that they tell", () => {
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

	test("tell each other again every interval, and count what is answered", () => {
		const { helios, chad, time } = pair();
		time.pass(10 * minute + 5 * second);
		expect(helios.node.sequence).toBeGreaterThanOrEqual(10);
		expect(helios.node.sequence).toBeLessThanOrEqual(12);
		expect(helios.node.totals.sent).toBeLessThanOrEqual(helios.node.sequence + 2);
		expect(chad.node.totals.received).toBeGreaterThanOrEqual(10);
		expect(helios.node.totals.acked).toBe(helios.node.totals.sent);
		expect(helios.node.totals.rejected.replay).toBe(0);
	});

	test.each([-3_600_000, -1_234, 0, 777, 3_600_000])("measure a clock that is %d ms ahead within 5 ms + rtt / 2", (offsetMs) => {
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

	test("give their own measurements up when their own clock is set", () => {
		const { fleet, helios, time } = pair();
		time.pass(5 * minute);
		helios.clock.wallOffsetMs -= 60_000;
		time.pass(2 * minute);
		expect(fleet.view("helios", "chad").clockOffsetMs).toBeCloseTo(60_000, 0);
		expect(fleet.view("helios", "chad").status).toBe("alive");
	});

	test("keep φ low while heartbeats come, and high when they do not", () => {
		const { fleet, chad, time } = pair();
		time.pass(30 * minute);
		expect(fleet.view("helios", "chad").phi).toBeLessThan(2);
		chad.die();
		time.pass(2 * minute);
		expect(fleet.view("helios", "chad").phi).toBeGreaterThan(8);
	});
});

describe("a silent peer", () => {
	test("is suspect first, then down exactly PEER_TIMEOUT after its last word", () => {
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

	test("that comes back is alive with its first heartbeat", () => {
		const { fleet, chad, time } = pair();
		time.pass(minute);
		chad.die();
		time.pass(10 * minute);
		expect(fleet.view("helios", "chad").status).toBe("down");
		fleet.boot(chad);
		time.pass(10);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", hearsUs: true, missed: 0, reason: null });
	});

	test("that said goodbye is down at once, with its reason, and nothing late brings it back", async () => {
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

	test("is waited for with its goodbye for less than half a second", async () => {
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

	test("that was heard by an earlier process of ours is unknown at first, and down when it stays silent", () => {
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

	test("that was never heard stays unknown", () => {
		const { fleet, chad, time } = pair();
		chad.die();
		time.pass(60 * minute);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "unknown", receivedAtMs: null, hearsUs: null });
	});

	test("is found within a timeout that is shorter than the interval, and not called down while it answers", () => {
		const { fleet, helios, chad, time } = pair({ settings: { intervalMs: minute, timeoutMs: 10 * second } });
		time.pass(30 * minute);
		expect(helios.changes.filter(({ status }) => status === "down")).toEqual([]);
		const lastWordMs = fleet.view("helios", "chad").receivedAtMs! - helios.clock.wallOffsetMs;
		chad.die();
		time.pass(11 * second);
		expect(fleet.view("helios", "chad").status).toBe("down");
		expect(helios.changes.at(-1)!.atMs).toBeCloseTo(lastWordMs + 10 * second, 3);
	});

	test("is not called down for a pause of our own before it had a chance to answer", () => {
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

	test("that died during our own pause is found soon after it", () => {
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
	test("in one direction is seen at both ends for what it is", () => {
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

	test("is not a dead host while a third node hears it; a dead host still is", () => {
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
	test("to another port or address is answered there, once it has shown to be there", () => {
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
		// It has not answered the challenge (nobody listens there yet): nothing but answers goes to the new address.
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

describe("without a key", () => {
	const elsewhere = { host: "10.66.6.6", port: 8765 };

	/** Somebody who says to be chad, and answers every challenge; from `address`. @returns the datagrams that came back */
	function impostor(fleet: SimulatedFleet, address: Address, how: Partial<Message> = {}): Message[] {
		const helios = fleet.member("helios");
		const received: Message[] = [];
		let sequence = 0;
		const transport = fleet.network.transport(address, helios.clock);
		const say = (nonce?: Uint8Array) =>
			transport.send(
				encode(
					{
						type: "heartbeat",
						bootId: "66".repeat(8),
						sequence: ++sequence,
						sentAtUs: 0,
						from: "chad",
						to: "helios",
						head: headB,
						nonce,
						...how,
					},
					{ padTo: 384 },
				),
				helios.address,
			);
		transport.listen((datagram) => {
			const message = decode(datagram);
			if (typeof message === "string") return;
			received.push(message);
			if (message.type === "challenge") say(message.nonce);
		});
		for (let at = 0; at < 20; at++) fleet.time.schedule(at * second, () => say());
		return received;
	}

	test("heartbeat without a key: a sender elsewhere answers challenges → not believed", () => {
		const { fleet, helios, chad, time } = pair();
		chad.die();
		const received = impostor(fleet, elsewhere);
		time.pass(minute);
		expect(fleet.view("helios", "chad")).toMatchObject({
			status: "unknown",
			address: "10.0.0.1:8765",
			receivedAtMs: null,
			content: { head: null },
		});
		expect(received.filter(({ type }) => type !== "heartbeat")).toEqual([]);
		expect(rejected(helios).address).toBeGreaterThanOrEqual(20);
		expect(fleet.view("helios", "chad").reason).toContain("set HEARTBEAT_KEY");
	});

	test.each<[string, Address]>([
		["another address", elsewhere],
		["another port of its address", { host: "10.0.0.1", port: 9999 }],
	])("heartbeat without a key: a sender at %s while the peer lives → not believed", (_name, address) => {
		const { fleet, helios, chad, time } = pair();
		chad.content = { ...chad.content, head: headA };
		time.pass(70 * second);
		const received = impostor(fleet, address);
		time.pass(minute);
		expect(received.filter(({ type }) => type !== "heartbeat")).toEqual([]);
		expect(rejected(helios).address).toBeGreaterThanOrEqual(20);
		expect(fleet.view("helios", "chad")).toMatchObject({
			status: "alive",
			address: "10.0.0.1:8765",
			reason: null,
			content: { head: headA },
		});
		expect(helios.logged.filter(({ message }) => message.includes("do not come from where"))).toHaveLength(1);
	});

	test("heartbeat without a key: the peer restarts at another port → believed there, and at home again", async () => {
		const { fleet, chad, time } = pair();
		time.pass(minute);
		const stopped = chad.node.stop("SIGTERM");
		time.pass(second);
		await stopped;
		chad.die();
		fleet.boot(chad, { host: "10.0.0.1", port: 9999 });
		time.pass(minute);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", address: "10.0.0.1:9999" });
		chad.die();
		fleet.boot(chad);
		time.pass(minute);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", address: "10.0.0.1:8765" });
	});

	test("heartbeat without a key: a transient sender beside a live peer → answered, its head unused", () => {
		const { fleet, chad, time } = pair();
		chad.content = { ...chad.content, head: headA };
		time.pass(70 * second);
		const received = impostor(fleet, { host: "10.0.0.1", port: 9999 }, { transient: true });
		time.pass(minute);
		expect(received.some(({ type }) => type === "ack")).toBe(true);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", address: "10.0.0.1:8765", content: { head: headA } });
	});

	test("heartbeat without a key: the name leads elsewhere → the peer is believed there and only there", () => {
		const { fleet, helios, chad, time } = pair();
		let hosts: string[] = ["::ffff:10.8.8.8", "2001:DB8:0:0::8"];
		let failure: Error | null = null;
		helios.die();
		fleet.boot(helios, helios.address, { peers: [{ name: "chad", host: "chad.example", port: 8765 }] }, (_host, done) =>
			done(failure, failure ? [] : hosts),
		);
		const moveTo = (host: string) => {
			chad.die();
			fleet.boot(chad, { host, port: 8765 });
			time.pass(2 * minute);
			return fleet.view("helios", "chad");
		};
		expect(moveTo("10.8.8.8")).toMatchObject({ status: "alive", address: "10.8.8.8:8765" });
		expect(moveTo("2001:db8::8")).toMatchObject({ status: "alive", address: "[2001:db8::8]:8765" });
		// A name server that is away for a while takes nothing away.
		failure = Object.assign(new Error("no"), { code: "EAI_AGAIN" });
		time.pass(10 * minute);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", address: "[2001:db8::8]:8765" });
		failure = null;
		hosts = ["10.8.8.9"];
		time.pass(10 * minute);
		expect(fleet.view("helios", "chad").status).toBe("down");
		expect(moveTo("10.8.8.9")).toMatchObject({ status: "alive", address: "10.8.8.9:8765" });
	});

	test("heartbeat without a key: a goodbye with escapes and line feeds → one printable line", async () => {
		const { fleet, chad, time } = pair();
		time.pass(minute);
		const stopped = chad.node.stop("x\u001b[2J\nforged\r\u202e\u009b");
		time.pass(minute);
		await stopped;
		expect(fleet.view("helios", "chad").reason).toBe("said goodbye: x\\u001b[2J\\nforged\\r\\u202e\\u009b");
	});
});

describe("an announcement", () => {
	test("reaches every peer at once, and is not repeated once it is acknowledged", () => {
		const fleet = new SimulatedFleet({ names: ["helios", "chad", "atlas"], seed: 5, conditions: { delayMs: { min: 3, max: 3 } } });
		fleet.time.pass(minute / 2);
		const helios = fleet.member("helios");
		const sent = record(fleet);
		helios.content = { ...helios.content, head: headA };
		helios.node.announce();
		expect(sent).toHaveLength(2);
		fleet.time.pass(3);
		expect(fleet.view("chad", "helios").content.head).toBe(headA);
		expect(fleet.view("atlas", "helios").content.head).toBe(headA);
		expect(fleet.member("chad").changes.at(-1)).toMatchObject({ peer: "helios", atMs: fleet.time.nowMs });
		fleet.time.pass(2 * second);
		expect(sent.filter(({ message }) => message.type === "heartbeat")).toHaveLength(2);
	});

	test("is repeated after 200, 400 and 800 ms while it is not acknowledged, and lost at most until the next heartbeat", () => {
		const { fleet, helios, chad, time } = pair();
		time.pass(minute / 2);
		fleet.network.cut(helios.address.host, chad.address.host);
		const sent = record(fleet);
		const startMs = time.nowMs;
		helios.content = { ...helios.content, head: headA };
		helios.node.announce();
		time.pass(5 * second);
		expect(sent.map(({ atMs }) => atMs - startMs)).toEqual([0, 200, 400, 800]);
		fleet.network.heal();
		time.pass(70 * second);
		expect(fleet.view("chad", "helios").content.head).toBe(headA);
	});

	test("of a burst is one round for its beginning and one for its end", () => {
		const { fleet, helios, time } = pair();
		time.pass(minute / 2);
		const sent = record(fleet);
		for (let i = 0; i < 20; i++) {
			helios.content = { ...helios.content, head: i.toString(16).padStart(40, "0") };
			helios.node.announce();
			time.pass(1);
		}
		time.pass(burstGapMs);
		const announced = sent.filter(({ message, from }) => message.type === "heartbeat" && from.host === helios.address.host);
		expect(announced.map(({ message }) => Number.parseInt(message.head!, 16))).toEqual([0, 19]);
		expect(fleet.view("chad", "helios").content.head).toBe(helios.content.head);
	});

	test("that is overtaken by a later one does not bring the older head back", () => {
		const { fleet, helios, chad, time } = pair();
		time.pass(minute / 2);
		for (const [head, delay] of [
			[headA, 500],
			[headB, 1],
		] as const) {
			fleet.network.conditions.delayMs = { min: delay, max: delay };
			helios.content = { ...helios.content, head };
			helios.node.announce();
			fleet.network.conditions.delayMs = { min: 1, max: 1 };
			time.pass(burstGapMs + 1);
		}
		time.pass(second);
		expect(fleet.view("chad", "helios").content.head).toBe(headB);
		expect(chad.changes.filter(({ atMs }) => atMs > minute / 2).length).toBeLessThanOrEqual(2);
	});

	test("says nothing when there is no new head", () => {
		const { fleet, helios, time } = pair();
		time.pass(minute / 2);
		const sent = record(fleet);
		helios.node.announce();
		time.pass(second);
		expect(sent).toEqual([]);
	});
});

describe("what is believed", () => {
	test.each([[[]], [[key]]])("nothing recorded earlier changes anything, whoever was restarted since (keys: %j)", (secrets) => {
		const { fleet, helios, chad, time } = pair({ settings: { secrets } });
		const sent = record(fleet);
		chad.content = { ...chad.content, head: headA };
		time.pass(10 * minute);
		const recorded = sent.filter(({ from }) => from.host === chad.address.host);
		expect(recorded.length).toBeGreaterThan(20);
		const replay = () => {
			for (const { datagram, from, to } of recorded) fleet.network.send(datagram, from, to);
			time.pass(second);
		};

		chad.content = { ...chad.content, head: headB };
		time.pass(2 * minute);
		replay();
		expect(rejected(helios).replay).toBeGreaterThan(20);
		expect(fleet.view("helios", "chad").content.head).toBe(headB);

		chad.die();
		fleet.boot(chad);
		time.pass(second);
		const before = { ...fleet.view("helios", "chad"), phi: 0 };
		replay();
		expect({ ...fleet.view("helios", "chad"), phi: 0 }).toEqual(before);

		chad.die();
		time.pass(5 * minute);
		expect(fleet.view("helios", "chad").status).toBe("down");
		replay();
		expect(fleet.view("helios", "chad").status).toBe("down");

		helios.die();
		fleet.boot(helios);
		time.pass(second);
		replay();
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "unknown", bootId: null });
		expect(helios.node.totals.received).toBe(0);
	});

	test("an answer to a challenge is good once, and only from where it was asked for", () => {
		const { fleet, helios, chad, time } = pair({ settings: { secrets: [key] } });
		const sent = record(fleet);
		time.pass(second);
		const answer = sent.find(({ message, from }) => message.nonce && message.type === "heartbeat" && from.host === chad.address.host);
		chad.die();
		fleet.boot(chad);
		time.pass(second);
		const { bootId } = fleet.view("helios", "chad");
		for (const from of [chad.address, { host: "10.6.6.6", port: 1 }]) fleet.network.send(answer!.datagram, from, helios.address);
		time.pass(second);
		expect(fleet.view("helios", "chad")).toMatchObject({ bootId, address: "10.0.0.1:8765" });
	});

	test("nodes with different keys do not hear each other and say why; one with no key neither", () => {
		const { fleet, helios, chad, time } = pair({ settings: { secrets: [key] } });
		chad.die();
		for (const secrets of [["some other secret 16"], []]) {
			fleet.boot(chad, chad.address, { secrets });
			time.pass(minute);
			expect(fleet.view("helios", "chad")).toMatchObject({ status: "unknown", reason: expect.stringContaining("HEARTBEAT_KEY") });
			expect(fleet.view("chad", "helios")).toMatchObject({ status: "unknown", reason: expect.stringContaining("HEARTBEAT_KEY") });
			chad.die();
		}
		expect(Object.keys(rejected(helios))).toEqual(["key"]);
		expect(helios.logged.filter(({ message }) => message.includes("HEARTBEAT_KEY"))).toHaveLength(1);
	});

	test("a key is changed node by node, in any order, without a silence", () => {
		const fresh = "the next shared secret";
		const fleet = new SimulatedFleet({ names: ["helios", "chad"], seed: 9, settings: { secrets: [key] } });
		const [helios, chad] = [fleet.member("helios"), fleet.member("chad")];
		const peersOf = (member: FleetMember) => [{ name: member.name, ...member.address }];
		const give = (member: FleetMember, other: FleetMember, secrets: string[]) => {
			member.node.configure({ peers: peersOf(other), intervalMs: minute, timeoutMs: 3 * minute, secrets });
			fleet.time.pass(10 * minute);
		};
		fleet.time.pass(minute);
		give(helios, chad, [fresh, key]);
		give(chad, helios, [fresh, key]);
		give(chad, helios, [fresh]);
		give(helios, chad, [fresh]);
		for (const member of [helios, chad]) {
			expect(member.changes.map(({ status }) => status).filter((status) => status !== "alive")).toEqual([]);
			expect(rejected(member)).toEqual({});
		}
		// And a node that starts in the middle of it is understood by one that has only the old key.
		give(helios, chad, [fresh, key]);
		chad.die();
		fleet.boot(chad, chad.address, { secrets: [key] });
		helios.die();
		fleet.boot(helios, helios.address, { secrets: [fresh, key] });
		fleet.time.pass(second);
		expect(fleet.view("chad", "helios").status).toBe("alive");
		expect(fleet.view("helios", "chad").status).toBe("alive");
	});

	test("a node that hears itself ignores that; another node of the same name is an error in the log", () => {
		const { fleet, helios, chad, time } = pair();
		const sent = record(fleet);
		time.pass(second);
		const own = sent.find(({ from }) => from.host === helios.address.host)!;
		fleet.network.send(own.datagram, helios.address, helios.address);
		time.pass(second);
		expect(rejected(helios)).toEqual({ own: 1 });
		expect(helios.logged.filter(({ level }) => level === "error")).toEqual([]);

		const other = encode({ ...own.message, bootId: "00000000000000ff", to: "helios" });
		fleet.network.send(other, { host: "10.7.7.7", port: 8765 }, helios.address);
		time.pass(second);
		expect(rejected(helios)).toEqual({ own: 2 });
		expect(helios.logged.filter(({ level }) => level === "error")).toEqual([
			{ level: "error", message: expect.stringContaining("another node calls itself 'helios'") },
		]);
		expect(fleet.view("helios", "chad").status).toBe("alive");
		expect(chad.node.totals.rejected.own).toBe(0);
	});

	test("of two peers with the same name the one that started last is believed, and the log says so", () => {
		const { fleet, helios, chad, time } = pair({ settings: { secrets: [key] } });
		time.pass(minute);
		const twin = new FleetMember("chad", { host: "10.3.3.3", port: 8765 }, chad.clock);
		const peers = [{ name: "helios", ...helios.address }];
		fleet.boot(twin, twin.address, { peers });
		time.pass(second);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", address: "10.3.3.3:8765" });
		time.pass(10 * minute);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", address: "10.3.3.3:8765", bootId: twin.node.bootId });
		expect(helios.logged.filter(({ level }) => level === "error")).toEqual([
			{ level: "error", message: expect.stringContaining("two nodes call themselves 'chad'") },
		]);
	});

	test("nothing of a node that is no peer, or meant for another node", () => {
		const { fleet, helios, time } = pair({ settings: { secrets: [key] } });
		time.pass(second);
		const keyring = new Keyring([key]);
		const sent = record(fleet);
		for (const [from, to] of [
			["stranger", "helios"],
			["chad", "atlas"],
		] as const) {
			const datagram = encode(
				{ type: "heartbeat", bootId: "00".repeat(8), sequence: 1, sentAtUs: 0, from, to },
				{ authenticated: true, padTo: 384 },
			);
			keyring.sign(datagram);
			fleet.network.send(datagram, { host: "10.5.5.5", port: 5 }, helios.address);
		}
		time.pass(second);
		expect(rejected(helios)).toEqual({ "unknown-peer": 2 });
		expect(sent.filter(({ to }) => to.host === "10.5.5.5")).toEqual([]);
	});

	test("a flood from one source costs that source, not the peers", () => {
		const { fleet, helios, time } = pair({ settings: { secrets: [key] } });
		time.pass(second);
		const sent = record(fleet);
		const flood = encode(
			{ type: "heartbeat", bootId: "00".repeat(8), sequence: 1, sentAtUs: 0, from: "chad", to: "helios" },
			{ authenticated: true, padTo: 384 },
		);
		new Keyring([key]).sign(flood);
		const attacker = { host: "10.5.5.5", port: 5 };
		for (let i = 0; i < 5_000; i++) fleet.network.send(flood, { ...attacker, port: 1 + i }, helios.address);
		time.pass(second);
		const answers = sent.filter(({ to }) => to.host === attacker.host);
		expect(answers.length).toBeLessThanOrEqual(150);
		expect(rejected(helios).rate).toBeGreaterThan(4_800);
		time.pass(2 * minute);
		expect(fleet.view("helios", "chad").status).toBe("alive");
		expect(fleet.view("chad", "helios")).toMatchObject({ status: "alive", hearsUs: true });
	});

	test("no reply is larger than what caused it, whatever is sent", () => {
		const { fleet, helios, chad, time } = pair();
		time.pass(second);
		const sent = record(fleet);
		for (const type of ["heartbeat", "ack", "challenge", "goodbye", "ping-req", "indirect-ack"] as const) {
			for (const padTo of [0, 60, 100, 200, 384, maxDatagramBytes]) {
				for (const bootId of ["00".repeat(8), chad.node.bootId]) {
					const datagram = encode(
						{ type, bootId, sequence: 1_000 + sent.length, sentAtUs: 0, from: "chad", to: "helios", target: "chad" },
						{ padTo },
					);
					const from = { host: "10.5.5.5", port: 5 };
					const before = sent.length;
					fleet.network.send(datagram, from, helios.address);
					time.pass(1);
					const back = sent.slice(before + 1).filter(({ to }) => to.host === from.host);
					expect(back.reduce((sum, one) => sum + one.datagram.length, 0)).toBeLessThanOrEqual(datagram.length);
				}
			}
		}
	});
});

describe("a host name", () => {
	test("that does not resolve, or leads elsewhere later, is asked again until the peer is found", () => {
		// Without a key chad would not listen to a node that is not where its own configuration says.
		const { fleet, helios, chad, time } = pair({ settings: { secrets: [key] } });
		let hosts: string[] = [];
		let asked = 0;
		helios.die();
		fleet.boot(helios, helios.address, { peers: [{ name: "chad", host: "chad.example", port: 8765 }] }, (_host, done) => {
			asked++;
			const found = hosts;
			const failure = found.length > 0 ? null : Object.assign(new Error("not found"), { code: "ENOTFOUND" });
			time.schedule(20, () => done(failure, found));
		});
		// This one never speaks first.
		const mute = { peers: [{ name: "helios", host: "10.250.0.1", port: 1 }] };
		const rebootAt = (host: string) => {
			chad.die();
			fleet.boot(chad, { host, port: 8765 }, mute);
		};
		rebootAt("10.8.8.8");
		time.pass(2 * minute);
		expect(asked).toBeGreaterThanOrEqual(2);
		expect(fleet.view("helios", "chad")).toMatchObject({
			address: null,
			reason: expect.stringContaining("chad.example does not resolve (ENOTFOUND)"),
		});
		hosts = ["10.8.8.8"];
		time.pass(70 * second);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", address: "10.8.8.8:8765", reason: null });

		rebootAt("10.8.8.9");
		hosts = ["10.8.8.9"];
		time.pass(2 * minute);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", address: "10.8.8.9:8765" });
	});
});
