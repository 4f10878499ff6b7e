import { describe, expect, test } from "@jest/globals";
import { key, minute, pair, second } from "./testing/pair.ts";

describe("a host name", () => {
	test("host name: does not resolve, or changes → resolved again until the peer is found", () => {
		// Without a key chad refuses a node that is not at its configured address.
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
