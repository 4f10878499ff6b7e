import { describe, expect, test } from "@jest/globals";
import { burstGapMs } from "./announcement.ts";
import { headA, headB, minute, pair, record, second } from "./testing/pair.ts";
import { SimulatedFleet } from "./testing/simulated-fleet.ts";

describe("an announcement", () => {
	test("announcement: a new head → reaches every peer at once, once", () => {
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

	test("announcement: not acknowledged → repeated after 200, 400 and 800 ms", () => {
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

	test("announcement: a burst of heads → one round at its start, one at its end", () => {
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

	test("announcement: overtaken by a later one → the newer head stays", () => {
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

	test("announcement: the head did not change → nothing is sent", () => {
		const { fleet, helios, time } = pair();
		time.pass(minute / 2);
		const sent = record(fleet);
		helios.node.announce();
		time.pass(second);
		expect(sent).toEqual([]);
	});
});
