import { describe, expect, test } from "@jest/globals";
import { Keyring } from "./keyring.ts";
import { headA, headB, key, minute, pair, record, rejected, second } from "./testing/pair.ts";
import { FleetMember, SimulatedFleet } from "./testing/simulated-fleet.ts";
import type { Address } from "./transport.ts";
import { decode, encode, type Message, maxDatagramBytes } from "./wire-format.ts";

describe("without a key", () => {
	const elsewhere = { host: "10.66.6.6", port: 8765 };

	/** A sender at `address` that claims to be chad, and answers every challenge. @returns the datagrams that came back */
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

	test("without a key: a sender elsewhere answers challenges → not accepted", () => {
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
	])("heartbeat without a key: a sender at %s while the peer lives → not accepted", (_name, address) => {
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

	test("without a key: the peer restarts at another port → followed there and back", async () => {
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

	test("without a key: a transient sender beside a live peer → answered, its head unused", () => {
		const { fleet, chad, time } = pair();
		chad.content = { ...chad.content, head: headA };
		time.pass(70 * second);
		const received = impostor(fleet, { host: "10.0.0.1", port: 9999 }, { transient: true });
		time.pass(minute);
		expect(received.some(({ type }) => type === "ack")).toBe(true);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", address: "10.0.0.1:8765", content: { head: headA } });
	});

	test("without a key: the name leads elsewhere → the peer is accepted there only", () => {
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
		// A name server that is down for a while takes nothing away.
		failure = Object.assign(new Error("no"), { code: "EAI_AGAIN" });
		time.pass(10 * minute);
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", address: "[2001:db8::8]:8765" });
		failure = null;
		hosts = ["10.8.8.9"];
		time.pass(10 * minute);
		expect(fleet.view("helios", "chad").status).toBe("down");
		expect(moveTo("10.8.8.9")).toMatchObject({ status: "alive", address: "10.8.8.9:8765" });
	});

	test("without a key: a goodbye with escapes and line feeds → one printable line", async () => {
		const { fleet, chad, time } = pair();
		time.pass(minute);
		const stopped = chad.node.stop("x\u001b[2J\nforged\r\u202e\u009b");
		time.pass(minute);
		await stopped;
		expect(fleet.view("helios", "chad").reason).toBe("said goodbye: x\\u001b[2J\\nforged\\r\\u202e\\u009b");
	});
});

describe("what is accepted", () => {
	test.each([[[]], [[key]]])("replay: earlier datagrams after any restart (keys: %j) → change nothing", (secrets) => {
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

	test("challenge: its nonce twice, or from elsewhere → accepted once, from there", () => {
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

	test("keys: different, or one without → not heard, with the reason", () => {
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

	test("keys: replaced node by node, in any order → no silence", () => {
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

	test("own name: our own datagram → ignored; another node's → an error in the log", () => {
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

	test("two peers, one name: both send → the last started counts, an error in the log", () => {
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

	test("unknown peer: or another receiver → refused without an answer", () => {
		const { fleet, helios, time } = pair({ settings: { secrets: [key] } });
		time.pass(second);
		const keyring = new Keyring([key]);
		const sent = record(fleet);
		for (const [from, to] of [
			["unknown-node", "helios"],
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

	test("flood: from one source → that source is limited, peers stay alive", () => {
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

	test("amplification: any datagram → no reply is larger", () => {
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
