import { expect, test } from "@jest/globals";
import { exploreManifests } from "../testing/explore-manifests.ts";

// The slow suite has programs that write meanwhile, every incoming change, and links in place of exchanges too.
test("backup manifest: a kill, a fault, a power cut at each call → all recorded", async () => {
	const { count, failed, events } = await exploreManifests("exchange", false, ["change", "delete"]);
	expect(failed).toEqual([]);
	for (const event of ["kill", "cut-", "ENOSPC", "EIO-on"]) expect(events).toContain(event);
	expect(count).toBeGreaterThan(500);
});
