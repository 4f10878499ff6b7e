import { expect, test } from "@jest/globals";
import { FuzzedDatagrams } from "./testing/fuzzed-datagrams.ts";
import { SimulatedFleet } from "./testing/simulated-fleet.ts";
import { decode, maxDatagramBytes } from "./wire-format.ts";

// The million, over a real socket into a real process, is in fuzz.slow.test.ts.

test("fuzz: any bytes → decoded within bounds or refused, never an exception", () => {
	const fuzz = new FuzzedDatagrams(1, "chad", "helios");
	let read = 0;
	for (let i = 0; i < 10_000; i++) {
		const datagram = fuzz.next();
		const message = decode(datagram);
		if (typeof message === "string") {
			expect(["malformed", "version"]).toContain(message);
			continue;
		}
		read++;
		expect(datagram.length).toBeLessThanOrEqual(maxDatagramBytes);
		expect(message.from).toMatch(/^[a-z0-9][a-z0-9-]{0,62}$/);
		expect(Number.isSafeInteger(message.sequence)).toBe(true);
		if (message.lastSyncMs !== undefined) expect(Number.isNaN(new Date(message.lastSyncMs).getTime())).toBe(false);
	}
	expect(read).toBeGreaterThan(500);
});

test.each([[[]], [["a shared secret of the test"]]])(
	"fuzz: hostile datagrams (keys: %j) → none accepted, peers hear each other",
	(secrets) => {
		const fleet = new SimulatedFleet({ names: ["helios", "chad"], seed: 4, settings: { secrets } });
		const helios = fleet.member("helios");
		const fuzz = new FuzzedDatagrams(2, "chad", "helios");
		fleet.time.pass(1_000);
		const { bootId, address } = fleet.view("helios", "chad");
		for (let i = 0; i < 10_000; i++) {
			fleet.network.send(fuzz.next(), { host: "10.5.5.5", port: 5 }, helios.address);
			fleet.time.pass(20);
		}
		expect(fleet.view("helios", "chad")).toMatchObject({ status: "alive", hearsUs: true, bootId, address, content: { head: null } });
		expect(helios.changes.filter(({ status }) => status !== "alive")).toEqual([]);
		const refused = Object.values(helios.node.totals.rejected).reduce((sum, count) => sum + count, 0);
		expect(refused).toBeGreaterThan(secrets.length > 0 ? 4_999 : 4_000);
	},
);
