import { describe, expect, test } from "@jest/globals";
import { RestartPolicy } from "./restart-policy.ts";

const crash = (livedMs: number) => ({ code: null, signal: "SIGKILL" as const, livedMs });
const exit = (code: number, livedMs = 60_000) => ({ code, signal: null, livedMs });

describe("restart policy", () => {
	test("restart policy: deaths in a row → 1 s doubling to 60 s, over after 5 min health", () => {
		const policy = new RestartPolicy();
		const pauses = Array.from({ length: 8 }, () => policy.judge(crash(10)));
		expect(pauses.map((verdict) => "restartMs" in verdict && verdict.restartMs)).toEqual([
			1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000,
		]);
		expect(policy.judge(crash(299_999))).toEqual({ restartMs: 60_000 });
		expect(policy.judge(crash(300_000))).toEqual({ restartMs: 1_000 });
		expect(policy.judge(exit(1))).toEqual({ restartMs: 2_000 });
	});

	test.each([0, 2, 4])("restart policy: exit code %i → ends", (code) => {
		expect(new RestartPolicy().judge(exit(code))).toEqual({ exitCode: code });
	});

	test("exit 75: → restarted at once; again and again right after the start → a pause", () => {
		const policy = new RestartPolicy();
		expect(policy.judge(exit(75))).toEqual({ restartMs: 0 });
		expect([1, 2, 3, 4].map(() => policy.judge(exit(75, 500)))).toEqual([
			{ restartMs: 0 },
			{ restartMs: 0 },
			{ restartMs: 1_000 },
			{ restartMs: 2_000 },
		]);
	});
});
