import { expect, test } from "@jest/globals";
import { exploreManifests } from "../testing/explore-manifests.ts";

test.each(["exchange", "link"] as const)(
	"backup manifest: by %s, each act, kill, fault or cut → all recorded",
	async (way) => {
		const { count, failed, events } = await exploreManifests(way, true);
		expect(failed).toEqual([]);
		for (const event of ["kill", "cut-", "ENOSPC", "EIO-on", "append-old"]) expect(events).toContain(event);
		expect(count).toBeGreaterThan(2_000);
	},
	180_000,
);
