import { expect, test } from "@jest/globals";
import { runExplorer } from "./explore.mjs";

test("explorer: one act at each call of a checkout, each loss of before → none", async () => {
	const { status, output } = await runExplorer(["--quick"], { stdio: ["ignore", "pipe", "ignore"] });
	// An act that is never called would test nothing.
	expect(output).toMatch(/^(\d+) traces, \1 of them with every act carried out, 0 failed\n$/);
	expect(status).toBe(0);
}, 240_000);
