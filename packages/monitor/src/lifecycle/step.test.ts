import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { LifecycleDriver, problem } from "../testing/lifecycle-driver.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const kinds = (driver: LifecycleDriver) => driver.events.map((event) => `${event.id} ${event.kind}`);

describe("the life of an alert", () => {
	test("alert: condition lasts, then ends → fires once, quiet, over once", () => {
		const driver = new LifecycleDriver();
		for (let i = 0; i < 60; i++) driver.look(30 * second, [problem("sync")]);
		for (let i = 0; i < 60; i++) driver.look(30 * second, []);
		expect(kinds(driver)).toEqual(["sync firing", "sync resolved"]);
		expect(driver.record("sync")?.state).toBe("resolved");
	});

	test("alert: forMs is not over → pending", () => {
		const driver = new LifecycleDriver();
		const slow = problem("conflicts", { forMs: minute });
		expect(driver.look(0, [slow])).toEqual([]);
		expect(driver.record("conflicts")?.state).toBe("pending");
		expect(driver.look(30 * second, [slow])).toEqual([]);
		expect(driver.look(30 * second, [slow])).toHaveLength(1);
		expect(driver.record("conflicts")?.state).toBe("firing");
	});

	test("alert: only pending → leaves no trace", () => {
		const driver = new LifecycleDriver();
		driver.look(0, [problem("conflicts", { forMs: minute })]);
		driver.look(30 * second, []);
		expect(driver.records).toEqual([]);
		expect(driver.events).toEqual([]);
	});

	test("alert: began and over → times from the facts", () => {
		const driver = new LifecycleDriver();
		const since = driver.now - 5 * minute;
		driver.look(0, [problem("heartbeat:chad", { since })]);
		driver.look(10 * minute, [problem("heartbeat:chad", { since })]);
		driver.look(30 * second, []);
		const over = driver.now;
		driver.look(30 * second, []);
		expect(driver.events.map(({ kind, since: began, at }) => ({ kind, began, at }))).toEqual([
			{ kind: "firing", began: since, at: since + 5 * minute },
			{ kind: "resolved", began: since, at: over },
		]);
	});

	test("alert: one good check → not resolved", () => {
		const driver = new LifecycleDriver();
		driver.look(0, [problem("sync")]);
		driver.look(30 * second, []);
		driver.look(30 * second, [problem("sync")]);
		driver.look(30 * second, []);
		expect(kinds(driver)).toEqual(["sync firing"]);
	});

	test("alert: becomes worse → sent again, after the cooldown", () => {
		const driver = new LifecycleDriver();
		driver.look(0, [problem("disk", { severity: "warning" })]);
		expect(driver.look(minute, [problem("disk")])).toEqual([]);
		expect(driver.look(4 * minute, [problem("disk")])).toMatchObject([{ kind: "firing", severity: "critical", escalatedFrom: "warning" }]);
		expect(driver.look(10 * minute, [problem("disk", { severity: "warning" })])).toEqual([]);
		driver.look(minute, []);
		expect(driver.look(minute, [])).toMatchObject([{ kind: "resolved", severity: "critical" }]);
	});

	test("alert: lasts → reminders after 1, 4 and 12 hours, then daily", () => {
		const driver = new LifecycleDriver();
		const start = driver.now;
		for (let t = 0; t <= 61 * hour; t += 10 * minute) driver.look(t === 0 ? 0 : 10 * minute, [problem("sync")]);
		const reminders = driver.events.filter((event) => event.kind === "reminder").map((event) => (event.sentAt - start) / hour);
		expect(reminders).toEqual([1, 4, 12, 36, 60]);
	});

	test("alert: sent before a restart → not sent again", () => {
		const driver = new LifecycleDriver();
		driver.look(0, [problem("sync")]);
		const after = new LifecycleDriver();
		after.now = driver.now + 20 * minute;
		after.records = driver.records;
		expect(after.look(0, [problem("sync")], true)).toEqual([]);
	});

	test("alert: pending before a gap → seen again for its full time", () => {
		const driver = new LifecycleDriver();
		const slow = problem("conflicts:heads", { forMs: 10 * minute });
		driver.look(0, [slow]);
		expect(driver.look(8 * hour, [slow], true)).toEqual([]);
		expect(driver.look(9 * minute, [slow])).toEqual([]);
		expect(driver.look(minute, [slow])).toHaveLength(1);
	});

	test("alert: an event → sent once, nothing at its end", () => {
		const driver = new LifecycleDriver();
		const event = (occurrence: string) => problem("sync:skipped", { once: true, occurrence });
		for (let i = 0; i < 200; i++) driver.look(minute, [event("one")]);
		for (let i = 0; i < 10; i++) driver.look(minute, []);
		expect(kinds(driver)).toEqual(["sync:skipped firing"]);
		driver.look(minute, [event("two")]);
		driver.look(minute, [event("three")]);
		driver.look(5 * minute, [event("three")]);
		expect(kinds(driver)).toEqual(["sync:skipped firing", "sync:skipped firing", "sync:skipped firing"]);
	});
});

describe("a check that flaps", () => {
	function flap(periodMs: number, badMs: number, lookEveryMs: number, forMs = hour): LifecycleDriver {
		const driver = new LifecycleDriver();
		for (let t = 0; t < forMs; t += lookEveryMs) driver.look(lookEveryMs, t % periodMs < badMs ? [problem("sync")] : []);
		return driver;
	}

	test("flapping: once in 10 s for an hour → at most 1 + 12 notifications", () => {
		expect(flap(10 * second, 5 * second, second).events.length).toBeLessThanOrEqual(13);
		expect(flap(10 * second, 5 * second, 5 * second).events.length).toBeLessThanOrEqual(13);
	});

	test("flaps: any rhythm → at most 13 notifications an hour, 'over' only after 'firing'", () => {
		const looks = fc.array(fc.record({ bad: fc.boolean(), looks: fc.integer({ min: 1, max: 40 }) }), { minLength: 5, maxLength: 60 });
		fc.assert(
			fc.property(looks, fc.constantFrom(5 * second, 10 * second, 30 * second), (script, every) => {
				const driver = new LifecycleDriver();
				for (const { bad, looks: count } of script) for (let i = 0; i < count; i++) driver.look(every, bad ? [problem("sync")] : []);
				const times = driver.events.map((event) => event.sentAt);
				for (const start of times) expect(times.filter((at) => at >= start && at < start + hour).length).toBeLessThanOrEqual(13);
				const order = driver.events.filter((event) => event.kind !== "reminder").map((event) => event.kind);
				for (const [index, kind] of order.entries()) expect(kind).toBe(index % 2 === 0 ? "firing" : "resolved");
			}),
			{ numRuns: 150 },
		);
	});

	test("flapping: back within the cooldown → sent when the cooldown is over", () => {
		const driver = new LifecycleDriver();
		driver.look(0, [problem("sync")]);
		driver.look(30 * second, []);
		driver.look(30 * second, []);
		expect(kinds(driver)).toEqual(["sync firing", "sync resolved"]);
		for (let i = 0; i < 9; i++) expect(driver.look(30 * second, [problem("sync")])).toEqual([]);
		expect(driver.look(30 * second, [problem("sync")])).toMatchObject([{ kind: "firing" }]);
	});
});

describe("cause and symptom", () => {
	test("symptom: its cause is active → not sent", () => {
		const driver = new LifecycleDriver();
		driver.look(0, [problem("process:heartbeat")]);
		for (let i = 0; i < 20; i++)
			driver.look(minute, [problem("process:heartbeat"), problem("heartbeat:chad", { symptomOf: ["process:heartbeat"] })]);
		expect(kinds(driver)).toEqual(["process:heartbeat firing"]);
	});

	test("symptom: outlives its cause → sent then", () => {
		const driver = new LifecycleDriver();
		const symptom = problem("heartbeat:chad", { symptomOf: ["process:heartbeat"] });
		driver.look(0, [problem("process:heartbeat"), symptom]);
		driver.look(30 * second, [symptom]);
		driver.look(30 * second, [symptom]);
		expect(kinds(driver)).toEqual(["process:heartbeat firing", "process:heartbeat resolved", "heartbeat:chad firing"]);
	});

	test("one cause: remote unreachable, peer late → one notification, none for the peer", () => {
		const driver = new LifecycleDriver();
		const remote = problem("sync", { network: true });
		const late = problem("heartbeat:chad", { network: true, severity: "warning", notify: false });
		const down = problem("heartbeat:chad", { network: true });
		driver.look(0, [late]);
		expect(driver.look(30 * second, [remote, late]).map((event) => event.id)).toEqual(["sync", "heartbeat:chad"]);
		for (let i = 0; i < 20; i++) expect(driver.look(30 * second, [remote, down])).toEqual([]);
		expect(driver.record("heartbeat:chad")?.state).toBe("firing");
		driver.look(30 * second, []);
		expect(driver.look(30 * second, []).map((event) => `${event.id} ${event.kind}`)).toEqual(["sync resolved", "heartbeat:chad resolved"]);
	});

	test("one cause: the late peer is heard again → over, once", () => {
		const driver = new LifecycleDriver();
		const remote = problem("sync", { network: true });
		const late = problem("heartbeat:chad", { network: true, severity: "warning", notify: false });
		driver.look(0, [remote, late]);
		expect(driver.look(30 * second, [remote])).toMatchObject([{ id: "heartbeat:chad", kind: "resolved" }]);
		for (let i = 0; i < 20; i++) expect(driver.look(30 * second, i % 2 ? [remote] : [remote, late])).toEqual([]);
	});

	test("symptoms: several at one check → sent in one go", () => {
		const driver = new LifecycleDriver();
		expect(driver.look(0, [problem("sync"), problem("disk"), problem("conflicts")])).toHaveLength(3);
	});
});

describe("silence", () => {
	test("silence: applies, then ends → nothing, then alerts that still fire", () => {
		const driver = new LifecycleDriver();
		driver.settings.silenced.push("sync");
		for (let i = 0; i < 10; i++) expect(driver.look(minute, [problem("sync")])).toEqual([]);
		expect(driver.record("sync")?.state).toBe("firing");
		driver.settings.silenced.pop();
		expect(driver.look(minute, [problem("sync")])).toMatchObject([{ kind: "firing" }]);
	});

	test("silence: alert sent before, over meanwhile → resolved at its end", () => {
		const driver = new LifecycleDriver();
		driver.look(0, [problem("sync")]);
		driver.settings.silenced.push("sync");
		for (let i = 0; i < 10; i++) driver.look(minute, []);
		driver.settings.silenced.pop();
		expect(driver.look(minute, [])).toMatchObject([{ kind: "resolved" }]);
	});
});

describe("a clock that is set", () => {
	test("clock: back by hours → nothing hangs, nothing floods", () => {
		const driver = new LifecycleDriver();
		driver.look(0, [problem("sync")]);
		driver.look(-6 * hour, [problem("sync")]);
		for (let i = 0; i < 60; i++) driver.look(30 * second, [problem("sync")]);
		driver.look(30 * second, []);
		driver.look(30 * second, []);
		expect(kinds(driver)).toEqual(["sync firing", "sync resolved"]);
	});

	test("clock: invalid or future times → ignored", () => {
		const driver = new LifecycleDriver();
		driver.look(0, [problem("a", { since: Number.NaN }), problem("b", { since: driver.now + 50 * hour }), problem("c", { since: -1e18 })]);
		expect(driver.events.map((event) => event.since)).toEqual([driver.now, driver.now, driver.now]);
	});
});
