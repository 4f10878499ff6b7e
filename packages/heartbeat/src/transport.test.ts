import { networkInterfaces } from "node:os";
import { expect, test } from "@jest/globals";
import { canonicalHost } from "./transport.ts";

test.each([
	["10.0.0.1", "10.0.0.1"],
	["::ffff:10.0.0.1", "10.0.0.1"],
	["::FFFF:0a00:0001", "10.0.0.1"],
	["2001:DB8:0:0::1", "2001:db8::1"],
	["0:0:0:0:0:0:0:1", "::1"],
	["fe80::1%eth7", "fe80::1%eth7"],
	["FE80:0::1%eth7", "fe80::1%eth7"],
])("heartbeat address: %s → %s", (host, canonical) => {
	expect(canonicalHost(host)).toBe(canonical);
	expect(canonicalHost(canonical)).toBe(canonical);
});

test("heartbeat address: a zone by number → by name", () => {
	for (const [name, addresses] of Object.entries(networkInterfaces())) {
		for (const address of addresses ?? []) {
			if (address.family !== "IPv6" || !address.scopeid) continue;
			expect(canonicalHost(`${address.address}%${address.scopeid}`)).toBe(`${canonicalHost(address.address)}%${name}`);
		}
	}
	expect(canonicalHost("fe80::1%999999")).toBe("fe80::1%999999");
});
